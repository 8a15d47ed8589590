// The part of Store that follows a deletion to its end: dependents, owners that wait, namespaces.

#include <nlohmann/json.hpp>

#include "cluster/store/garbage.h"
#include "cluster/store/store.h"
#include "resource/definition.h"

namespace tidegate::cluster {
namespace {

const Kind& namespaces() { return *resource::find_kind("v1", "Namespace"); }
const Kind& definitions() { return *resource::find_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"); }

}  // namespace

// Of an object that is or was stored, so there is one.
const Kind& Store::kind_of(const resource::Object& object) const {
  return *storage_->kinds().stored_of(object.api_version(), object.kind());
}

ObjectPtr Store::find_owner(const resource::Object& dependent, const Kind& kind,
                            const resource::OwnerReference& reference) const {
  return storage_->find(kind, {kind.namespaced ? dependent.namespace_() : std::string(), reference.name});
}

// What an earlier life, or a disk that was full, has left undone.
void Store::resume() {
  Aftermath after;
  for (const ObjectPtr& object : storage_->everything()) {
    if (!object->metadata().deletion_timestamp.empty()) {
      (void)finish(kind_of(*object), object, after);
    } else if (!object->metadata().owner_references.empty()) {
      after.push_back(object);
    }
  }
  settle(std::move(after));
}

void Store::catch_up() {
  if (unfinished_.exchange(false)) resume();
}

void Store::settle(Aftermath after) {
  while (!after.empty()) {
    const ObjectPtr object = std::move(after.back());
    after.pop_back();
    const Kind& kind = kind_of(*object);
    const ObjectPtr now = storage_->find(kind, key_of(*object));
    const std::string& uid = object->metadata().uid;
    const bool there = now != nullptr && now->metadata().uid == uid;
    if (there && &kind == &namespaces()) {
      empty_namespace(object->name(), after);
    } else if (there && &kind == &definitions() && has_finalizer(*now, resource::kDefinitionFinalizer)) {
      empty_definition(*now, after);
    } else if (there && waits_for_dependents(*now)) {
      wait_for_dependents(*now, after);
    } else if (there && !now->metadata().deletion_timestamp.empty() &&
               has_finalizer(*now, kOrphanFinalizer)) {
      orphan_dependents(*now, after);
    } else if (there) {
      collect(kind, key_of(*object), after);
    }
    if (!there) {
      for (const auto& [dependent, key] : storage_->owned_by(uid)) collect(*dependent, key, after);
      for (const auto& reference : object->metadata().owner_references) {
        const Kind* owner_kind = storage_->kinds().stored_of(reference.api_version, reference.kind);
        if (owner_kind == nullptr) continue;
        const ObjectPtr owner = find_owner(*object, *owner_kind, reference);
        if (owner != nullptr && waits_for_dependents(*owner)) after.push_back(owner);
      }
    }
    if (!there && &kind == &definitions()) judge_definitions();
    if (!there && kind.versions.empty()) {  // an anchor: the kind is some definition's
      finish_definition(std::string(kind.plural) + "." + std::string(kind.group), after);
    }
    if (!object->namespace_().empty()) finish_namespace(object->namespace_(), after);
  }
}

// Does with one object what its owners, by now, oblige to.
void Store::collect(const Kind& kind, const Key& key, Aftermath& after) {
  const ObjectPtr object = storage_->find(kind, key);
  if (object == nullptr) return;
  const Verdict verdict =
      judge(*object, [&](const resource::OwnerReference& reference) -> std::optional<ObjectPtr> {
        const Kind* owner = storage_->kinds().stored_of(reference.api_version, reference.kind);
        if (owner == nullptr) return std::nullopt;
        return find_owner(*object, *owner, reference);
      });
  if (verdict.what == Verdict::What::kDetach) {
    note(replace(
        kind, key, 0, false,
        [&](const resource::Object& before) -> Result<Json> { return without_owners(before, verdict.uids); },
        after));
  } else if (verdict.what == Verdict::What::kRemove) {
    RemoveOptions options{.uid = object->metadata().uid};
    if (verdict.owner_waits && !storage_->owned_by(options.uid).empty()) {
      options.propagation = Propagation::kForeground;
    }
    note(remove_one(kind, key, options, after));
  }
}

void Store::wait_for_dependents(const resource::Object& owner, Aftermath& after) {
  for (const auto& [kind, key] : storage_->owned_by(owner.metadata().uid)) collect(*kind, key, after);
  for (const auto& [kind, key] : storage_->owned_by(owner.metadata().uid)) {
    const ObjectPtr dependent = storage_->find(*kind, key);
    if (dependent != nullptr && blocks(*dependent, owner)) return;
  }
  note(replace(
      kind_of(owner), key_of(owner), 0, false,
      [](const resource::Object& before) -> Result<Json> {
        return without_finalizer(before, kForegroundFinalizer);
      },
      after));
}

void Store::orphan_dependents(const resource::Object& owner, Aftermath& after) {
  for (const auto& [kind, key] : storage_->owned_by(owner.metadata().uid)) {
    auto freed = replace(
        *kind, key, 0, false,
        [&](const resource::Object& before) -> Result<Json> {
          return without_owners(before, {owner.metadata().uid});
        },
        after);
    // Who cannot be freed would be collected: the owner stays until that works.
    note(freed);
    if (!freed && freed.error().code != Code::kNotFound) return;
  }
  note(replace(
      kind_of(owner), key_of(owner), 0, false,
      [](const resource::Object& before) -> Result<Json> {
        return without_finalizer(before, kOrphanFinalizer);
      },
      after));
}

// What is inside goes, and then the namespace itself. What needs time to go (pods, finalizers) holds it until
// settle() sees the last one leave.
void Store::empty_namespace(const std::string& name, Aftermath& after) {
  const ObjectPtr space = storage_->find(namespaces(), {{}, name});
  if (space == nullptr || space->metadata().deletion_timestamp.empty()) return;
  for (const auto& [kind, key] : storage_->inside(name)) note(remove_one(*kind, key, {}, after));
  finish_namespace(name, after);
}

void Store::finish_namespace(const std::string& name, Aftermath& after) {
  const Key key{{}, name};
  const ObjectPtr space = storage_->find(namespaces(), key);
  if (space == nullptr || space->metadata().deletion_timestamp.empty() ||
      !space->metadata().finalizers.empty()) {
    return;
  }
  auto gone = storage_->erase(namespaces(), key, space->metadata().resource_version,
                              [&](const Storage::View& view) -> Result<void> {
                                if (view.empty(name)) return {};
                                return fail(Code::kConflict, "namespace " + name + " is not empty");
                              });
  note(gone);
  if (gone) after.push_back(*gone);
}

// The objects of a kind go before its definition. Those with finalizers hold it until settle() sees them leave.
void Store::empty_definition(const resource::Object& definition, Aftermath& after) {
  if (definition.metadata().deletion_timestamp.empty()) return;
  if (const Kind* kind = storage_->kinds().stored_for(definition.json())) {
    const auto held = storage_->list(*kind, {});
    if (!held) return;
    for (const ObjectPtr& object : held->items) note(remove_one(*kind, key_of(*object), {}, after));
  }
  finish_definition(definition.name(), after);
}

void Store::finish_definition(const std::string& name, Aftermath& after) {
  const Key key{{}, name};
  const ObjectPtr definition = storage_->find(definitions(), key);
  if (definition == nullptr || definition->metadata().deletion_timestamp.empty() ||
      !has_finalizer(*definition, resource::kDefinitionFinalizer)) {
    return;
  }
  // No object can come any more once the definition is marked, so what is empty stays empty.
  const Kind* kind = storage_->kinds().stored_for(definition->json());
  bool empty = false;
  (void)storage_->check(definitions(), key, definition->metadata().resource_version,
                        [&](const Storage::View& view) -> Result<void> {
                          empty = kind == nullptr || view.empty(*kind);
                          return {};
                        });
  if (!empty) return;
  note(replace(
      definitions(), key, 0, false,
      [](const resource::Object& before) -> Result<Json> {
        return without_finalizer(before, resource::kDefinitionFinalizer);
      },
      after));
}

Result<Json> Store::judged(const Kind& kind, Result<Json> document) const {
  if (!document || !resource::is_definition(kind)) return document;
  resource::set_definition_status(
      *document, resource::name_conflict(*document, *storage_->kinds().current()), rfc3339(clock_.wall()));
  return document;
}

// A name that was taken may be free now.
void Store::judge_definitions() {
  const auto all = storage_->list(definitions(), {});
  if (!all) return;
  Aftermath ignored;
  for (const ObjectPtr& definition : all->items) {
    note(replace(
        definitions(), key_of(*definition), 0, false,
        [&](const resource::Object& before) { return judged(definitions(), before.json()); }, ignored));
  }
}

}  // namespace tidegate::cluster

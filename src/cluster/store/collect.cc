// The part of Store that follows a deletion to its end: dependents, owners that wait, namespaces.

#include <nlohmann/json.hpp>

#include "cluster/store/garbage.h"
#include "cluster/store/store.h"

namespace tidegate::cluster {
namespace {

const Kind& namespaces() { return *resource::find_kind("v1", "Namespace"); }
const Kind& kind_of(const resource::Object& object) {
  return *resource::find_kind(object.api_version(), object.kind());
}

}  // namespace

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
        const Kind* owner_kind = resource::find_kind(reference.api_version, reference.kind);
        if (owner_kind == nullptr) continue;
        const ObjectPtr owner = find_owner(*object, *owner_kind, reference);
        if (owner != nullptr && waits_for_dependents(*owner)) after.push_back(owner);
      }
    }
    if (!object->namespace_().empty()) finish_namespace(object->namespace_(), after);
  }
}

// Does with one object what its owners, by now, oblige to.
void Store::collect(const Kind& kind, const Key& key, Aftermath& after) {
  const ObjectPtr object = storage_->find(kind, key);
  if (object == nullptr) return;
  const Verdict verdict = judge(*object, [&](const Kind& owner, const resource::OwnerReference& reference) {
    return find_owner(*object, owner, reference);
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

}  // namespace tidegate::cluster

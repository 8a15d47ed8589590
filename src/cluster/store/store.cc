#include "cluster/store/store.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "cluster/schema/catalog.h"
#include "cluster/store/garbage.h"
#include "cluster/store/patch.h"
#include "cluster/store/rules.h"
#include "resource/asm_mesh_config.h"
#include "resource/definition.h"

namespace tidegate::cluster {
namespace {

// Somebody else wins every race only if everybody writes one object all the time.
constexpr int kAttemptsMax = 100;

const Kind& namespaces() { return *resource::find_kind("v1", "Namespace"); }
const Kind& pods() { return *resource::find_kind("v1", "Pod"); }

const Kind& definitions() {
  return *resource::find_kind("apiextensions.k8s.io/v1", "CustomResourceDefinition");
}

bool is_marked(const ObjectPtr& object) {
  return object != nullptr && !object->metadata().deletion_timestamp.empty();
}

// Null for a kind that is built in.
template <typename Source>
ObjectPtr definition_of(const Source& source, const Kind& kind) {
  const resource::CustomKind* custom = resource::as_custom(kind);
  return custom == nullptr ? nullptr : source.find(definitions(), {{}, custom->definition_name()});
}

Result<void> check_served(const Storage::View& view, const Kind& kind) {
  if (resource::as_custom(kind) == nullptr) return {};
  const ObjectPtr definition = definition_of(view, kind);
  if (definition == nullptr) return fail(Code::kNotFound, "the server could not find the requested resource");
  if (!is_marked(definition)) return {};
  return fail(Code::kForbidden, "create not allowed while custom resource definition is terminating");
}

std::string text_of(const Json& metadata, const char* field) {
  const auto found = metadata.find(field);
  return found != metadata.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Where a document wants to stand, with the namespace that admission would give it.
Key key_of(const Kind& kind, const Json& document) {
  Key key;
  if (!document.is_object()) return key;
  const auto metadata = document.find("metadata");
  if (metadata == document.end() || !metadata->is_object()) return key;
  key.name = text_of(*metadata, "name");
  if (kind.namespaced) key.namespace_ = text_of(*metadata, "namespace");
  if (kind.namespaced && key.namespace_.empty()) key.namespace_ = "default";
  return key;
}

// The revision a document was read at; 0 if it does not say.
Result<std::uint64_t> revision_of(const Json& document) {
  if (!document.is_object() || !document.contains("metadata") || !document["metadata"].is_object()) return 0;
  const auto found = document["metadata"].find("resourceVersion");
  if (found == document["metadata"].end() || found->is_null() || *found == "") return 0;
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    std::uint64_t revision = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
    if (error == std::errc() && end == text.data() + text.size() && text.size() <= 19) return revision;
  }
  // Who reads objects says best what is wrong with it.
  auto object = resource::Object::make(
      {{"apiVersion", "v1"}, {"kind", "Any"}, {"metadata", {{"resourceVersion", *found}}}});
  if (!object) return tl::unexpected(object.error());
  return (*object)->metadata().resource_version;
}

// What a patch makes of an object, held to what it says about the object it is for.
Result<Json> patched(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                     const resource::Object& before) {
  auto after = apply_patch(type, before.json(), patch, schema::find_schema(before.api_version(), kind.kind));
  if (!after) return after;
  const auto wanted = revision_of(*after);
  if (!wanted) return tl::unexpected(wanted.error());
  if (*wanted != 0 && *wanted != before.metadata().resource_version) return modified(kind, key.name);
  if (key_of(kind, *after) != key) {
    return invalid("metadata.name",
                   "is changed by the patch; the name and namespace of an object cannot change");
  }
  return after;
}

}  // namespace

Store::Store(const Clock& clock, Random random, StoreOptions options)
    : Store(clock, random, options, std::make_shared<Storage>(options.history_max)) {
  (void)furnish();  // cannot fail in memory
}

Store::Store(const Clock& clock, Random random, StoreOptions options, std::shared_ptr<Storage> storage)
    : clock_(clock), options_(options), storage_(std::move(storage)), random_(random) {}

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& file, const Clock& clock,
                                           Random random, StoreOptions options) {
  auto database = Database::open(file);
  if (!database) return tl::unexpected(database.error());
  auto storage = Storage::open(options.history_max, *std::move(database));
  if (!storage) return tl::unexpected(storage.error());
  std::unique_ptr<Store> store(new Store(clock, random, options, *std::move(storage)));
  if (auto furnished = store->furnish(); !furnished) return tl::unexpected(furnished.error());
  store->judge_definitions();
  store->resume();
  return store;
}

Result<void> Store::furnish() {
  std::vector<Json> documents;
  for (const char* name : {"default", "kube-system"}) {
    documents.push_back({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}});
  }
  documents.push_back(resource::default_asm_mesh_config());
  for (const Json& document : documents) {
    const auto made = create(**resource::kind_of(document), document);
    if (!made && made.error().code != Code::kConflict) return tl::unexpected(made.error());
  }
  return {};
}

std::string Store::new_uid() {
  const std::lock_guard lock(random_mutex_);
  return random_uuid(random_);
}

std::string Store::new_suffix() {
  // Kubernetes' letters: no vowels, so no words.
  static constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  const std::lock_guard lock(random_mutex_);
  std::string suffix;
  for (int i = 0; i < 5; ++i) suffix += kLetters[random_.below(kLetters.size())];
  return suffix;
}

Result<ObjectPtr> Store::get(const Kind& kind, const Key& key) {
  ObjectPtr object = storage_->find(kind, key);
  if (object == nullptr) return not_found(kind, key.name);
  return object;
}

Result<List> Store::list(const Kind& kind, const ListOptions& options) {
  if (kind.namespaced || options.namespace_.empty()) return storage_->list(kind, options);
  ListOptions everywhere = options;
  everywhere.namespace_.clear();
  return storage_->list(kind, everywhere);
}

Result<std::unique_ptr<Watch>> Store::watch(const Kind& kind, std::uint64_t after_revision,
                                            const WatchOptions& options) {
  return storage_->watch(kind, after_revision, options);
}

Result<void> Store::make_namespace(const Kind& kind, const Key& key) {
  if (!options_.make_namespaces || !kind.namespaced) return {};
  if (storage_->find(namespaces(), {{}, key.namespace_}) != nullptr) return {};
  auto made = create(namespaces(),
                     {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", key.namespace_}}}});
  if (made || made.error().code == Code::kConflict) return {};
  return tl::unexpected(made.error());
}

Result<ObjectPtr> Store::create(const Kind& kind, Json document, const WriteOptions& options) {
  const bool generated = key_of(kind, document).name.empty() && document.is_object() &&
                         document.contains("metadata") && document["metadata"].is_object() &&
                         !text_of(document["metadata"], "generateName").empty();
  auto prepared = judged(kind, prepare_create(kind, std::move(document), new_uid(), clock_.wall()));
  if (!prepared) return tl::unexpected(prepared.error());
  auto object = place(kind, *std::move(prepared), generated, options.dry_run);
  note(object);  // somebody may have waited for this one before they ended its namespace
  if (!object || options.dry_run) return object;
  // An owner may have gone, or the namespace been told to go, while this one was on the way; whoever comes
  // second sees the other.
  const bool owned = !(*object)->metadata().owner_references.empty();
  const ObjectPtr space =
      kind.namespaced ? storage_->find(namespaces(), {{}, (*object)->namespace_()}) : nullptr;
  if (owned) settle({*object});
  if (space != nullptr && !space->metadata().deletion_timestamp.empty()) settle({space});
  if (resource::is_definition(kind)) judge_definitions();
  if (const ObjectPtr definition = definition_of(*storage_, kind); is_marked(definition))
    settle({definition});
  catch_up();
  return object;
}

Result<ObjectPtr> Store::place(const Kind& kind, Json prepared, bool generated, bool dry_run) {
  Json& metadata = prepared["metadata"];
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (generated) metadata["name"] = text_of(metadata, "generateName") + new_suffix();
    const Key key = key_of(kind, prepared);
    if (auto made = make_namespace(kind, key); !made) return tl::unexpected(made.error());
    const auto space_is_open = [&](const Storage::View& view) -> Result<void> {
      if (auto served = check_served(view, kind); !served || !kind.namespaced) return served;
      const ObjectPtr space = view.find(namespaces(), {{}, key.namespace_});
      if (space == nullptr) return not_found(namespaces(), key.namespace_);
      if (space->metadata().deletion_timestamp.empty()) return {};
      return fail(Code::kForbidden, "unable to create new content in namespace " + key.namespace_ +
                                        " because it is being terminated");
    };
    if (dry_run) {
      auto right = storage_->check(kind, key, 0, space_is_open);
      if (right) return resource::Object::make(std::move(prepared));
      if (right.error().code == Code::kConflict && generated) continue;
      return tl::unexpected(right.error());
    }
    auto object = storage_->put(kind, key, 0, prepared, space_is_open);
    if (!object && object.error().code == Code::kConflict && generated) continue;
    return object;
  }
  return fail(Code::kConflict, "no free name was found for " + text_of(metadata, "generateName"));
}

Result<ObjectPtr> Store::change(const Kind& kind, const Key& key, std::uint64_t expected,
                                const WriteOptions& options, const Edit& edit) {
  Aftermath after;
  auto object = replace(kind, key, expected, options.dry_run, edit, after);
  settle(std::move(after));
  if (object && !options.dry_run) catch_up();
  return object;
}

Result<ObjectPtr> Store::replace(const Kind& kind, const Key& key, std::uint64_t expected, bool dry_run,
                                 const Edit& edit, Aftermath& after) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const ObjectPtr before = storage_->find(kind, key);
    if (before == nullptr) return not_found(kind, key.name);
    const std::uint64_t revision = before->metadata().resource_version;
    if (expected != 0 && expected != revision) return modified(kind, key.name);
    Result<Json> changed = edit(*before);
    if (!changed) return tl::unexpected(changed.error());
    if (same(before->json(), *changed)) return before;
    if (dry_run) return resource::Object::make(*std::move(changed));
    auto object = storage_->put(kind, key, revision, *std::move(changed));
    if (object) return finish(kind, *std::move(object), after);
    if (object.error().code != Code::kConflict || expected != 0) return object;
  }
  return modified(kind, key.name);
}

// An object that was waiting for its last finalizer goes as soon as that is taken off. Pods wait for their
// machine too, which removes them with a grace of 0.
Result<ObjectPtr> Store::finish(const Kind& kind, ObjectPtr object, Aftermath& after) {
  const auto& metadata = object->metadata();
  if (metadata.deletion_timestamp.empty()) return object;
  const bool graceful = object->json()["metadata"].value("deletionGracePeriodSeconds", std::int64_t{0}) > 0;
  if (!metadata.finalizers.empty() || graceful || &kind == &namespaces()) {
    after.push_back(object);
    return object;
  }
  auto gone = storage_->erase(kind, cluster::key_of(*object), metadata.resource_version);
  note(gone);
  if (gone) after.push_back(*gone);
  return gone;
}

Result<ObjectPtr> Store::update(const Kind& kind, Json document, const WriteOptions& options) {
  const Key key = key_of(kind, document);
  if (key.name.empty()) return invalid("metadata.name", "is missing; it is required");
  const auto expected = revision_of(document);
  if (!expected) return tl::unexpected(expected.error());
  // With a revision there is one attempt, and the document is needed once.
  const bool once = *expected != 0;
  return change(kind, key, *expected, options, [&](const resource::Object& before) {
    return judged(kind, prepare_update(kind, before.json(), once ? std::move(document) : document));
  });
}

Result<ObjectPtr> Store::update_status(const Kind& kind, Json document, const WriteOptions& options) {
  const Key key = key_of(kind, document);
  if (key.name.empty()) return invalid("metadata.name", "is missing; it is required");
  const auto expected = revision_of(document);
  if (!expected) return tl::unexpected(expected.error());
  return change(kind, key, *expected, options, [&](const resource::Object& before) {
    return judged(kind, prepare_status(kind, before.json(), document));
  });
}

Result<ObjectPtr> Store::patch(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                               const WriteOptions& options) {
  return change(kind, key, 0, options, [&](const resource::Object& before) -> Result<Json> {
    auto after = patched(kind, key, type, patch, before);
    if (!after) return after;
    return judged(kind, prepare_update(kind, before.json(), *std::move(after)));
  });
}

Result<ObjectPtr> Store::patch_status(const Kind& kind, const Key& key, PatchType type, const Json& patch,
                                      const WriteOptions& options) {
  return change(kind, key, 0, options, [&](const resource::Object& before) -> Result<Json> {
    auto after = patched(kind, key, type, patch, before);
    if (!after) return after;
    return judged(kind, prepare_status(kind, before.json(), *after));
  });
}

std::shared_ptr<const KindRegistry> Store::kinds() const { return storage_->share_kinds(); }

Result<void> Store::bind(const Key& pod, std::string_view node, const WriteOptions& options) {
  auto bound = change(pods(), pod, 0, options, [&](const resource::Object& before) {
    return prepare_binding(before, node, clock_.wall());
  });
  if (!bound) return tl::unexpected(bound.error());
  return {};
}

Result<Removed> Store::remove(const Kind& kind, const Key& key, const RemoveOptions& options) {
  if (&kind == &namespaces() && (key.name == "default" || key.name == "kube-system")) {
    return fail(Code::kForbidden,
                "namespaces \"" + key.name + "\" is forbidden: this namespace may not be deleted");
  }
  Aftermath after;
  auto removed = remove_one(kind, key, options, after);
  settle(std::move(after));
  if (removed && !options.dry_run) catch_up();
  if (!removed || options.dry_run || removed->gone) return removed;
  // What had to follow may have followed already, and the object with it.
  const ObjectPtr now = storage_->find(kind, key);
  if (now == nullptr || now->metadata().uid != removed->object->metadata().uid) {
    removed->gone = true;
  } else {
    removed->object = now;
  }
  return removed;
}

Result<Removed> Store::remove_one(const Kind& kind, const Key& key, const RemoveOptions& options,
                                  Aftermath& after) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const ObjectPtr before = storage_->find(kind, key);
    if (before == nullptr) return not_found(kind, key.name);
    const std::uint64_t revision = before->metadata().resource_version;
    if (auto right = check_preconditions(kind, *before, options); !right)
      return tl::unexpected(right.error());
    Removal removal = prepare_removal(kind, *before, options, clock_.wall());
    if (removal.step == Removal::Step::kNothing) return Removed{before, false};
    const bool erases = removal.step == Removal::Step::kErase;
    if (options.dry_run) {
      if (erases) return Removed{before, true};
      auto marked = resource::Object::make(std::move(*removal.marked));
      if (!marked) return tl::unexpected(marked.error());
      return Removed{*marked, false};
    }
    auto done = erases ? storage_->erase(kind, key, revision)
                       : storage_->put(kind, key, revision, std::move(*removal.marked));
    if (done) {
      after.push_back(*done);
      return Removed{*done, erases};
    }
    if (done.error().code != Code::kConflict) return tl::unexpected(done.error());
  }
  return modified(kind, key.name);
}

}  // namespace tidegate::cluster

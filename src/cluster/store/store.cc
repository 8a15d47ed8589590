#include "cluster/store/store.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/store/patch.h"
#include "cluster/store/rules.h"
#include "resource/asm_mesh_config.h"

namespace tidegate::cluster {
namespace {

// Somebody else wins every race only if everybody writes one object all the time.
constexpr int kAttemptsMax = 100;

const Kind& namespaces() { return *resource::find_kind("v1", "Namespace"); }
const Kind& pods() { return *resource::find_kind("v1", "Pod"); }

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
  auto object = resource::Object::make(document);
  if (!object) return tl::unexpected(object.error());
  return (*object)->metadata().resource_version;
}

}  // namespace

Store::Store(const Clock& clock, Random random, StoreOptions options)
    : clock_(clock),
      options_(options),
      storage_(std::make_shared<Storage>(options.history_max)),
      random_(random) {
  for (const char* name : {"default", "kube-system"}) {
    (void)create(namespaces(), {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}});
  }
  const Json config = resource::default_asm_mesh_config();
  (void)create(**resource::kind_of(config), config);
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

Result<List> Store::list(const Kind& kind, std::string_view namespace_) {
  return storage_->list(kind, kind.namespaced ? namespace_ : std::string_view());
}

Result<std::unique_ptr<Watch>> Store::watch(const Kind& kind, std::uint64_t after_revision) {
  return storage_->watch(kind, after_revision);
}

Result<void> Store::check_namespace(const Kind& kind, const Key& key) {
  if (!kind.namespaced) return {};
  const ObjectPtr found = storage_->find(namespaces(), {{}, key.namespace_});
  if (found == nullptr) {
    if (!options_.make_namespaces) return not_found(namespaces(), key.namespace_);
    auto made =
        create(namespaces(),
               {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", key.namespace_}}}});
    if (made || made.error().code == Code::kConflict) return {};
    return tl::unexpected(made.error());
  }
  if (found->metadata().deletion_timestamp.empty()) return {};
  return fail(Code::kForbidden, "unable to create new content in namespace " + key.namespace_ +
                                    " because it is being terminated");
}

Result<ObjectPtr> Store::create(const Kind& kind, Json document) {
  const bool generated = key_of(kind, document).name.empty() && document.is_object() &&
                         document.contains("metadata") && document["metadata"].is_object() &&
                         !text_of(document["metadata"], "generateName").empty();
  auto prepared = prepare_create(kind, std::move(document), new_uid(), clock_.wall());
  if (!prepared) return tl::unexpected(prepared.error());
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    Json& metadata = (*prepared)["metadata"];
    if (generated) metadata["name"] = text_of(metadata, "generateName") + new_suffix();
    const Key key = key_of(kind, *prepared);
    if (auto right = check_namespace(kind, key); !right) return tl::unexpected(right.error());
    auto object = storage_->put(kind, key, 0, *prepared);
    if (!object && object.error().code == Code::kConflict && generated) continue;
    // An owner may have gone while its dependent was on the way; whoever comes second sees the other.
    if (object && owners_gone(**object)) (void)remove(kind, key);
    return object;
  }
  return fail(Code::kConflict,
              "no free name was found for " + text_of((*prepared)["metadata"], "generateName"));
}

template <typename Change>
Result<ObjectPtr> Store::replace(const Kind& kind, const Key& key, std::uint64_t expected, Change change) {
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const ObjectPtr before = storage_->find(kind, key);
    if (before == nullptr) return not_found(kind, key.name);
    const std::uint64_t revision = before->metadata().resource_version;
    if (expected != 0 && expected != revision) return modified(kind, key.name);
    Result<Json> after = change(*before);
    if (!after) return tl::unexpected(after.error());
    if (same(before->json(), *after)) return before;
    auto object = storage_->put(kind, key, revision, *std::move(after));
    if (object) return finish(kind, *std::move(object));
    if (object.error().code != Code::kConflict || expected != 0) return object;
  }
  return modified(kind, key.name);
}

// An object that was waiting for its last finalizer goes as soon as that is taken off. Pods wait for their
// machine too, which removes them with `now`.
Result<ObjectPtr> Store::finish(const Kind& kind, ObjectPtr object) {
  const auto& metadata = object->metadata();
  if (metadata.deletion_timestamp.empty() || !metadata.finalizers.empty()) return object;
  const bool graceful = object->json()["metadata"].value("deletionGracePeriodSeconds", std::int64_t{0}) > 0;
  if (graceful || &kind == &namespaces()) return object;
  auto gone = storage_->erase(kind, cluster::key_of(*object), metadata.resource_version);
  if (!gone) return object;
  cascade(**gone);
  return gone;
}

Result<ObjectPtr> Store::update(const Kind& kind, Json document) {
  const Key key = key_of(kind, document);
  if (key.name.empty()) return invalid("metadata.name", "is missing; it is required");
  const auto expected = revision_of(document);
  if (!expected) return tl::unexpected(expected.error());
  return replace(kind, key, *expected, [&](const resource::Object& before) {
    return prepare_update(kind, before.json(), document);
  });
}

Result<ObjectPtr> Store::update_status(const Kind& kind, Json document) {
  const Key key = key_of(kind, document);
  if (key.name.empty()) return invalid("metadata.name", "is missing; it is required");
  const auto expected = revision_of(document);
  if (!expected) return tl::unexpected(expected.error());
  return replace(kind, key, *expected, [&](const resource::Object& before) {
    return prepare_status(kind, before.json(), document);
  });
}

Result<ObjectPtr> Store::patch(const Kind& kind, const Key& key, PatchType type, const Json& patch) {
  return replace(kind, key, 0, [&](const resource::Object& before) -> Result<Json> {
    auto after = apply_patch(type, before.json(), patch);
    if (!after) return after;
    // A patch may say which revision it was made for.
    const auto wanted = revision_of(*after);
    if (!wanted) return tl::unexpected(wanted.error());
    if (*wanted != 0 && *wanted != before.metadata().resource_version) return modified(kind, key.name);
    if (key_of(kind, *after) != key) {
      return invalid("metadata.name",
                     "is changed by the patch; the name and namespace of an object cannot change");
    }
    return prepare_update(kind, before.json(), *std::move(after));
  });
}

Result<void> Store::remove(const Kind& kind, const Key& key, bool now) {
  if (&kind == &namespaces()) {
    if (key.name == "default" || key.name == "kube-system") {
      return fail(Code::kForbidden,
                  "namespaces \"" + key.name + "\" is forbidden: this namespace may not be deleted");
    }
    if (storage_->find(kind, key) == nullptr) return not_found(kind, key.name);
    empty_namespace(key.name);
    return {};
  }
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const ObjectPtr before = storage_->find(kind, key);
    if (before == nullptr) return not_found(kind, key.name);
    const std::uint64_t revision = before->metadata().resource_version;
    Removal removal = prepare_removal(kind, *before, now, clock_.wall());
    if (removal.step == Removal::Step::kNothing) return {};
    const bool erases = removal.step == Removal::Step::kErase;
    auto done = erases ? storage_->erase(kind, key, revision)
                       : storage_->put(kind, key, revision, std::move(*removal.marked));
    if (done && erases) cascade(**done);
    if (done) return {};
    if (done.error().code != Code::kConflict) return tl::unexpected(done.error());
  }
  return modified(kind, key.name);
}

Result<void> Store::bind(const Key& pod, std::string_view node) {
  auto bound = replace(pods(), pod, 0, [&](const resource::Object& before) {
    return prepare_binding(before, node, clock_.wall());
  });
  if (!bound) return tl::unexpected(bound.error());
  return {};
}

bool Store::owners_gone(const resource::Object& object) const {
  const auto& owners = object.metadata().owner_references;
  return !owners.empty() &&
         std::all_of(owners.begin(), owners.end(), [&](const resource::OwnerReference& owner) {
           const Kind* kind = resource::find_kind(owner.api_version, owner.kind);
           if (kind == nullptr) return false;
           const ObjectPtr found =
               storage_->find(*kind, {kind->namespaced ? object.namespace_() : std::string(), owner.name});
           return found == nullptr || found->metadata().uid != owner.uid;
         });
}

void Store::cascade(const resource::Object& gone) {
  for (const auto& [kind, key] : storage_->owned_by(gone.metadata().uid)) {
    const ObjectPtr dependent = storage_->find(*kind, key);
    if (dependent != nullptr && owners_gone(*dependent)) (void)remove(*kind, key);
  }
  if (!gone.namespace_().empty()) finish_namespace(gone.namespace_());
}

// Marks the namespace, so that nothing new enters, removes what is inside, and then the namespace itself.
// What needs time to go (pods, finalizers) holds it until cascade() sees the last one leave.
void Store::empty_namespace(const std::string& name) {
  (void)replace(namespaces(), {{}, name}, 0, [&](const resource::Object& before) -> Result<Json> {
    Json document = before.json();
    if (before.metadata().deletion_timestamp.empty()) {
      document["metadata"]["deletionTimestamp"] = rfc3339(clock_.wall());
      document["status"]["phase"] = "Terminating";
    }
    return document;
  });
  for (const auto& [kind, key] : storage_->inside(name)) (void)remove(*kind, key);
  finish_namespace(name);
}

void Store::finish_namespace(const std::string& name) {
  const ObjectPtr space = storage_->find(namespaces(), {{}, name});
  if (space == nullptr || space->metadata().deletion_timestamp.empty() ||
      !space->metadata().finalizers.empty())
    return;
  if (!storage_->inside(name).empty()) return;
  (void)storage_->erase(namespaces(), {{}, name}, space->metadata().resource_version);
}

}  // namespace tidegate::cluster

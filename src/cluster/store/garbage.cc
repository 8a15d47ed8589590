#include "cluster/store/garbage.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tidegate::cluster {

bool has_finalizer(const resource::Object& object, std::string_view finalizer) {
  const auto& all = object.metadata().finalizers;
  return std::find(all.begin(), all.end(), finalizer) != all.end();
}

bool waits_for_dependents(const resource::Object& object) {
  return !object.metadata().deletion_timestamp.empty() && has_finalizer(object, kForegroundFinalizer);
}

bool blocks(const resource::Object& object, const resource::Object& owner) {
  const auto& owners = object.metadata().owner_references;
  return std::any_of(owners.begin(), owners.end(), [&](const resource::OwnerReference& reference) {
    return reference.uid == owner.metadata().uid && reference.block_owner_deletion;
  });
}

Verdict judge(const resource::Object& dependent, const FindOwner& find) {
  Verdict verdict;
  bool kept = false;
  for (const resource::OwnerReference& reference : dependent.metadata().owner_references) {
    const std::optional<ObjectPtr> owner = find(reference);
    const bool there = owner && *owner != nullptr && (*owner)->metadata().uid == reference.uid;
    const bool waits = there && waits_for_dependents(**owner);
    if (!owner || (there && !waits)) {
      kept = true;
    } else {
      verdict.uids.insert(reference.uid);
      verdict.owner_waits = verdict.owner_waits || waits;
    }
  }
  if (verdict.uids.empty()) return verdict;
  verdict.what = kept ? Verdict::What::kDetach : Verdict::What::kRemove;
  return verdict;
}

Json without_owners(const resource::Object& object, const std::set<std::string>& uids) {
  Json document = object.json();
  Json kept = Json::array();
  for (const Json& reference : document["metadata"].value("ownerReferences", Json::array())) {
    if (!uids.contains(reference.value("uid", std::string()))) kept.push_back(reference);
  }
  if (kept.empty()) {
    document["metadata"].erase("ownerReferences");
  } else {
    document["metadata"]["ownerReferences"] = std::move(kept);
  }
  return document;
}

Json without_finalizer(const resource::Object& object, std::string_view finalizer) {
  Json document = object.json();
  Json kept = Json::array();
  for (const std::string& each : object.metadata().finalizers) {
    if (each != finalizer) kept.push_back(each);
  }
  if (kept.empty()) {
    document["metadata"].erase("finalizers");
  } else {
    document["metadata"]["finalizers"] = std::move(kept);
  }
  return document;
}

}  // namespace tidegate::cluster

#include "control/workload/adoption.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/loop/caches.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using loop::Action;
using resource::Json;
using resource::Object;

// A pod that has ended is nobody's replica any more.
bool has_ended(const Object& object) {
  const std::string phase = resource::text(object.json(), "status.phase");
  return !object.metadata().deletion_timestamp.empty() || phase == "Succeeded" || phase == "Failed";
}

Action adopt(const Object& owner, const resource::Kind& kind, const Object& dependent) {
  Json document = dependent.json();
  Json& owners = document["metadata"]["ownerReferences"];
  if (!owners.is_array()) owners = Json::array();
  owners.push_back({{"apiVersion", owner.api_version()},
                    {"kind", owner.kind()},
                    {"name", owner.name()},
                    {"uid", owner.metadata().uid},
                    {"controller", true},
                    {"blockOwnerDeletion", true}});
  return Action::update(kind, std::move(document), "adopted by " + owner.kind() + " " + owner.name());
}

Action release(const Object& owner, const resource::Kind& kind, const Object& dependent) {
  Json document = dependent.json();
  Json kept = Json::array();
  for (const Json& reference : document["metadata"]["ownerReferences"]) {
    if (resource::text(reference, "uid") != owner.metadata().uid) kept.push_back(reference);
  }
  if (kept.empty()) {
    document["metadata"].erase("ownerReferences");
  } else {
    document["metadata"]["ownerReferences"] = std::move(kept);
  }
  return Action::update(kind, std::move(document), "its labels left " + owner.kind() + " " + owner.name());
}

}  // namespace

bool is_controlled(const Object& object) {
  const auto& owners = object.metadata().owner_references;
  return std::any_of(owners.begin(), owners.end(), [](const auto& owner) { return owner.controller; });
}

std::vector<Action> decide_adoption(const Object& owner, const resource::LabelSelector& selector,
                                    const resource::Kind& kind,
                                    const std::vector<resource::ObjectPtr>& dependents) {
  std::vector<Action> actions;
  if (selector.empty()) return actions;
  for (const resource::ObjectPtr& dependent : dependents) {
    const bool owned = loop::controlled_by(*dependent, owner.metadata().uid);
    if (!owned && is_controlled(*dependent)) continue;
    const bool matches = selector.matches(dependent->metadata().labels);
    if (owned == matches || has_ended(*dependent)) continue;
    actions.push_back(owned ? release(owner, kind, *dependent) : adopt(owner, kind, *dependent));
  }
  return actions;
}

}  // namespace tidegate::workload

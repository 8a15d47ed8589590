#include "control/workload/claims.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "resource/fields.h"
#include "resource/kind.h"
#include "resource/persistent_volume.h"

namespace tidegate::workload {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;
using resource::ObjectPtr;
using resource::PersistentVolume;
using resource::PersistentVolumeClaim;

struct Volume {
  ObjectPtr object;
  PersistentVolume view;
};
using Volumes = std::map<std::string, Volume>;

bool bound_to(const Volume& volume, const PersistentVolumeClaim& claim) {
  const bool named = volume.view.claim_namespace == claim.metadata.namespace_ &&
                     volume.view.claim_name == claim.metadata.name;
  return named && (volume.view.claim_uid.empty() || volume.view.claim_uid == claim.metadata.uid);
}

bool free_for(const Volume& volume, const PersistentVolumeClaim& claim) {
  return volume.view.claim_name.empty() || bound_to(volume, claim);
}

bool holds(const Volume& volume, const PersistentVolumeClaim& claim) {
  if (volume.view.storage < claim.storage) return false;
  if (volume.view.storage_class != claim.storage_class.value_or("")) return false;
  if (claim.selector && !claim.selector->matches(volume.object->metadata().labels)) return false;
  return std::all_of(claim.access_modes.begin(), claim.access_modes.end(), [&](const std::string& mode) {
    const auto& modes = volume.view.access_modes;
    return std::find(modes.begin(), modes.end(), mode) != modes.end();
  });
}

const Volume* choose(const Volumes& volumes, const PersistentVolumeClaim& claim,
                     const std::set<std::string>& taken) {
  if (!claim.volume.empty()) {
    const auto named = volumes.find(claim.volume);
    return named != volumes.end() && free_for(named->second, claim) ? &named->second : nullptr;
  }
  const Volume* best = nullptr;
  for (const auto& [name, volume] : volumes) {
    if (taken.contains(name)) continue;
    if (bound_to(volume, claim)) return &volume;  // made for this very claim
    if (!free_for(volume, claim) || !holds(volume, claim)) continue;
    if (best == nullptr || volume.view.storage < best->view.storage) best = &volume;
  }
  return best;
}

void set_status(const resource::Kind& kind, const resource::Object& object, Json changes,
                Decision& decision) {
  Json document = object.json();
  Json& status = document["status"];
  if (!status.is_object()) status = Json::object();
  const Json before = status;
  for (const auto& [field, value] : changes.items()) status[field] = value;
  if (!resource::same_content(before, status))
    decision.actions.push_back(Action::update_status(kind, std::move(document)));
}

// First the volume, then the claim, as on a cluster: a claim that says it is bound has its volume for sure.
void bind(const PersistentVolumeClaim& claim, const resource::Object& object, const Volume& volume,
          Decision& decision) {
  const resource::Kind& volume_kind = *resource::find_kind("v1", "PersistentVolume");
  const resource::Kind& claim_kind = *resource::find_kind("v1", "PersistentVolumeClaim");
  const std::string& name = volume.object->name();
  if (!bound_to(volume, claim) || volume.view.claim_uid.empty()) {
    Json document = volume.object->json();
    document["spec"]["claimRef"] = Json{{"apiVersion", "v1"},
                                        {"kind", "PersistentVolumeClaim"},
                                        {"namespace", claim.metadata.namespace_},
                                        {"name", claim.metadata.name},
                                        {"uid", claim.metadata.uid}};
    decision.actions.push_back(Action::update(volume_kind, std::move(document), "bind to claim"));
    return;  // the change brings the next round
  }
  if (claim.volume != name) {
    Json document = object.json();
    document["spec"]["volumeName"] = name;
    document["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = "yes";
    document["metadata"]["annotations"]["pv.kubernetes.io/bound-by-controller"] = "yes";
    decision.actions.push_back(Action::update(claim_kind, std::move(document), "bind to volume"));
    return;
  }
  set_status(volume_kind, *volume.object, Json{{"phase", "Bound"}}, decision);
  set_status(claim_kind, object,
             Json{{"phase", "Bound"},
                  {"accessModes", volume.view.access_modes},
                  {"capacity", {{"storage", volume.view.storage.text()}}}},
             decision);
}

void wait(const PersistentVolumeClaim& claim, const resource::Object& object, const Volumes& volumes,
          Decision& decision) {
  const resource::Kind& kind = *resource::find_kind("v1", "PersistentVolumeClaim");
  const bool was_bound = claim.phase == "Bound" || claim.phase == "Lost";
  if (was_bound && !volumes.contains(claim.volume)) {
    if (claim.phase == "Bound")
      decision.events.push_back(cluster::warning(
          object, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"));
    return set_status(kind, object, Json{{"phase", "Lost"}}, decision);
  }
  if (claim.phase != "Pending") set_status(kind, object, Json{{"phase", "Pending"}}, decision);
  const std::string class_name = claim.storage_class.value_or("");
  if (!claim.volume.empty()) {
    decision.events.push_back(cluster::warning(
        object, "FailedBinding",
        volumes.contains(claim.volume) ? "volume \"" + claim.volume + "\" already bound to a different claim."
                                       : "volume \"" + claim.volume + "\" not found"));
  } else if (class_name.empty()) {
    decision.events.push_back(
        cluster::normal(object, "FailedBinding",
                        "no persistent volumes available for this claim and no storage class is set"));
  } else {
    decision.events.push_back(cluster::warning(
        object, "ProvisioningFailed", "storageclass.storage.k8s.io \"" + class_name + "\" not found"));
  }
}

// A volume whose claim is gone keeps its data and is given to nobody else until somebody looks at it.
void release(const Volume& volume, const std::set<std::string>& claim_uids, Decision& decision) {
  const resource::Kind& kind = *resource::find_kind("v1", "PersistentVolume");
  const bool free = volume.view.claim_name.empty() || volume.view.claim_uid.empty();
  if (free) return set_status(kind, *volume.object, Json{{"phase", "Available"}}, decision);
  if (!claim_uids.contains(volume.view.claim_uid))
    set_status(kind, *volume.object, Json{{"phase", "Released"}}, decision);
}

}  // namespace

Decision decide_claims(const std::vector<ObjectPtr>& claims, const std::vector<ObjectPtr>& volume_objects) {
  Decision decision;
  Volumes volumes;
  for (const ObjectPtr& object : volume_objects) {
    if (auto view = PersistentVolume::from(*object)) volumes[object->name()] = {object, *std::move(view)};
  }
  std::vector<ObjectPtr> waiting = claims;
  std::stable_sort(waiting.begin(), waiting.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
    return a->metadata().creation_timestamp < b->metadata().creation_timestamp;
  });
  std::set<std::string> taken;
  std::set<std::string> uids;
  for (const ObjectPtr& object : waiting) {
    uids.insert(object->metadata().uid);
    const auto claim = PersistentVolumeClaim::from(*object);
    if (!claim || !object->metadata().deletion_timestamp.empty()) continue;
    if (const Volume* volume = choose(volumes, *claim, taken)) {
      taken.insert(volume->object->name());
      bind(*claim, *object, *volume, decision);
    } else {
      wait(*claim, *object, volumes, decision);
    }
  }
  for (const auto& [name, volume] : volumes) {
    if (!taken.contains(name)) release(volume, uids, decision);
  }
  return decision;
}

}  // namespace tidegate::workload

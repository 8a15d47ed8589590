#include "control/workload/deployment.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/rfc3339.h"
#include "cluster/apply.h"
#include "control/loop/caches.h"
#include "control/workload/names.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using loop::Action;
using loop::Decision;
using resource::Json;
using resource::number;
using resource::Object;
using resource::ObjectPtr;

std::int64_t annotation_number(const Object& object, std::string_view name, std::int64_t fallback) {
  const auto found = object.metadata().annotations.find(std::string(name));
  if (found == object.metadata().annotations.end()) return fallback;
  std::int64_t value = fallback;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  return value;
}

std::int64_t replicas_of(const Object& set) { return number(set.json(), "spec.replicas", 1); }

// Typed clients (an undo, set image) write out what is not set: creationTimestamp: null, resources: {}.
void drop_unset(Json& value) {
  if (value.is_object()) {
    for (auto member = value.begin(); member != value.end();) {
      const bool unset =
          member->is_null() || (member.key() == "resources" && member->is_object() && member->empty());
      member = unset ? value.erase(member) : std::next(member);
    }
  }
  if (value.is_structured()) {
    for (Json& item : value) drop_unset(item);
  }
}

Json without_hash(const Json& pod_template) {
  Json copy = pod_template;
  if (resource::find(copy, "metadata.labels") != nullptr)
    copy["metadata"]["labels"].erase(std::string(kTemplateHash));
  drop_unset(copy);
  return copy;
}

// A Deployment's annotations are its sets' too (change-cause above all), but for those that are about one
// object.
bool is_shared(const std::string& annotation) {
  return annotation != "kubectl.kubernetes.io/last-applied-configuration" &&
         annotation != cluster::kOriginAnnotation && annotation != cluster::kDigestAnnotation &&
         annotation != kRevision && annotation != kRevisionHistory && annotation != kDesiredReplicas && annotation != kMaxReplicas;
}

bool shares_annotations(const Object& set, const Object& deployment) {
  const auto& own = set.metadata().annotations;
  const auto& given = deployment.metadata().annotations;
  return std::all_of(given.begin(), given.end(), [&](const auto& annotation) {
    const auto found = own.find(annotation.first);
    return !is_shared(annotation.first) || (found != own.end() && found->second == annotation.second);
  });
}

void share_annotations(Json& set, const Object& deployment) {
  for (const auto& [name, value] : deployment.metadata().annotations) {
    if (is_shared(name)) set["metadata"]["annotations"][name] = value;
  }
}

// The revisions that this set had before: an undo made it the newest again.
void remember_revision(Json& set, std::int64_t before) {
  Json& history = set["metadata"]["annotations"][std::string(kRevisionHistory)];
  const std::string earlier = history.is_string() ? history.get<std::string>() + "," : std::string();
  history = earlier + std::to_string(before);
}

cluster::EventNote scaled(const Object& deployment, const std::string& set, std::int64_t from,
                          std::int64_t to) {
  return cluster::normal(deployment, "ScalingReplicaSet",
                         std::string("Scaled ") + (to < from ? "down" : "up") + " replica set " + set +
                             " from " + std::to_string(from) + " to " + std::to_string(to));
}

// What the set says about the Deployment it belongs to, so that a later round can tell a scaling from a
// rollout.
void annotate(Json& set, const RolloutLimits& limits, std::int64_t revision) {
  Json& annotations = set["metadata"]["annotations"];
  if (!annotations.is_object()) annotations = Json::object();
  annotations[std::string(kRevision)] = std::to_string(revision);
  annotations[std::string(kDesiredReplicas)] = std::to_string(limits.replicas);
  annotations[std::string(kMaxReplicas)] = std::to_string(limits.replicas + limits.max_surge);
}

Json make_set(const Object& deployment, const RolloutLimits& limits, std::int64_t replicas,
              std::int64_t revision) {
  const Json& json = deployment.json();
  const Json* found = resource::find(json, "spec.template");
  Json pod_template = found == nullptr ? Json::object() : *found;
  const std::string hash = template_hash(pod_template, number(json, "status.collisionCount"));
  pod_template["metadata"]["labels"][std::string(kTemplateHash)] = hash;

  Json set = Json::object();
  set["apiVersion"] = "apps/v1";
  set["kind"] = "ReplicaSet";
  set["metadata"] = Json{{"name", deployment.name() + "-" + hash},
                         {"namespace", deployment.namespace_()},
                         {"labels", pod_template["metadata"]["labels"]}};
  set["metadata"]["ownerReferences"] = Json::array({Json{{"apiVersion", deployment.api_version()},
                                                         {"kind", "Deployment"},
                                                         {"name", deployment.name()},
                                                         {"uid", deployment.metadata().uid},
                                                         {"controller", true},
                                                         {"blockOwnerDeletion", true}}});
  annotate(set, limits, revision);
  share_annotations(set, deployment);
  Json selector = Json::object();
  if (const Json* given = resource::find(json, "spec.selector")) selector = *given;
  selector["matchLabels"][std::string(kTemplateHash)] = hash;
  set["spec"] = Json{{"replicas", replicas}, {"selector", std::move(selector)}};
  const std::int64_t min_ready = number(json, "spec.minReadySeconds");
  if (min_ready > 0) set["spec"]["minReadySeconds"] = min_ready;
  set["spec"]["template"] = std::move(pod_template);
  return set;
}

std::int64_t last_revision(const std::vector<ObjectPtr>& sets) {
  std::int64_t last = 0;
  for (const ObjectPtr& set : sets) last = std::max(last, annotation_number(*set, kRevision, 0));
  return last;
}

// One round's view: the newest set, the others oldest first, and the size each should get.
struct Round {
  const Kinds& kinds;
  const Object& deployment;
  RolloutLimits limits;
  const Object* newest = nullptr;
  std::vector<const Object*> older{};
  std::int64_t newest_revision = 1;
  Decision decision{};

  // Writes the size and the bookkeeping if any of them differs.
  void resize(const Object& set, std::int64_t replicas, std::int64_t revision, const char* why) {
    const bool sized = replicas_of(set) == replicas;
    const bool noted = annotation_number(set, kRevision, 0) == revision &&
                       annotation_number(set, kDesiredReplicas, -1) == limits.replicas &&
                       annotation_number(set, kMaxReplicas, -1) == limits.replicas + limits.max_surge;
    const bool shared = &set != newest || shares_annotations(set, deployment);
    if (sized && noted && shared) return;
    Json document = set.json();
    document["spec"]["replicas"] = replicas;
    const std::int64_t before = annotation_number(set, kRevision, 0);
    if (before != 0 && before != revision) remember_revision(document, before);
    annotate(document, limits, revision);
    if (!shared) share_annotations(document, deployment);
    Action action = Action::update(*kinds.replica_set, std::move(document), sized ? "" : why);
    if (!sized) action = std::move(action).saying(scaled(deployment, set.name(), replicas_of(set), replicas));
    decision.actions.push_back(std::move(action));
  }
  void resize_older(std::size_t index, std::int64_t replicas) {
    resize(*older[index], replicas, annotation_number(*older[index], kRevision, 0),
           "scale in old replica set");
  }
};

// The Deployment was scaled while several sets hold pods: every set takes its share before the rollout goes
// on.
bool scale_all(Round& round) {
  std::vector<const Object*> active;
  if (round.newest != nullptr && replicas_of(*round.newest) > 0) active.push_back(round.newest);
  for (auto set = round.older.rbegin(); set != round.older.rend(); ++set) {
    if (replicas_of(**set) > 0) active.push_back(*set);
  }
  const bool scaled = std::any_of(active.begin(), active.end(), [&](const Object* set) {
    return annotation_number(*set, kDesiredReplicas, round.limits.replicas) != round.limits.replicas;
  });
  if (!scaled || active.size() < 2) return false;
  std::vector<std::int64_t> sizes;
  std::int64_t before = 0;
  for (const Object* set : active) {
    sizes.push_back(replicas_of(*set));
    before = std::max(before, annotation_number(*set, kMaxReplicas, 0));
  }
  const auto targets = scale_in_proportion(round.limits, before, sizes);
  for (std::size_t i = 0; i < active.size(); ++i) {
    round.resize(*active[i], targets[i], annotation_number(*active[i], kRevision, 0), "scale in proportion");
  }
  return true;
}

void roll(Round& round) {
  std::vector<SetSize> older;
  std::int64_t total = replicas_of(*round.newest);
  for (const Object* set : round.older) {
    older.push_back({replicas_of(*set), number(set->json(), "status.availableReplicas")});
    total += older.back().replicas;
  }
  const std::int64_t grown = grow_newest(round.limits, replicas_of(*round.newest), total);
  round.resize(*round.newest, grown, round.newest_revision, "scale new replica set");
  if (grown != replicas_of(*round.newest)) return;  // growing first keeps the total within the surge
  const SetSize newest{replicas_of(*round.newest), number(round.newest->json(), "status.availableReplicas")};
  const auto targets = shrink_older(round.limits, newest, older);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] != older[i].replicas) round.resize_older(i, targets[i]);
  }
}

// Strategy Recreate: nothing old may live when the new begins.
bool emptied(Round& round, const std::vector<PodFacts>& pods) {
  bool shrunk = false;
  for (std::size_t i = 0; i < round.older.size(); ++i) {
    if (replicas_of(*round.older[i]) == 0) continue;
    round.resize_older(i, 0);
    shrunk = true;
  }
  if (shrunk) return false;
  return std::none_of(pods.begin(), pods.end(), [&](const PodFacts& pod) {
    const bool ended = pod.phase == PodPhase::kSucceeded || pod.phase == PodPhase::kFailed;
    const bool of_newest =
        round.newest != nullptr && loop::controlled_by(*pod.object, round.newest->metadata().uid);
    return !ended && !of_newest;
  });
}

void clean_up_history(Round& round) {
  const std::int64_t keep = number(round.deployment.json(), "spec.revisionHistoryLimit", 10);
  std::vector<const Object*> idle;
  for (const Object* set : round.older) {
    if (replicas_of(*set) == 0 && number(set->json(), "status.replicas") == 0 &&
        set->metadata().deletion_timestamp.empty()) {
      idle.push_back(set);
    }
  }
  std::stable_sort(idle.begin(), idle.end(), [](const Object* a, const Object* b) {
    return annotation_number(*a, kRevision, 0) < annotation_number(*b, kRevision, 0);
  });
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < idle.size(); ++i) {
    round.decision.actions.push_back(
        Action::remove(*round.kinds.replica_set, *idle[i], "revision history limit"));
  }
}

void report(Round& round, const std::vector<ObjectPtr>& sets, WallTime now) {
  const Object& deployment = round.deployment;
  if (annotation_number(deployment, kRevision, 0) != round.newest_revision && round.newest != nullptr) {
    Json document = deployment.json();
    document["metadata"]["annotations"][std::string(kRevision)] = std::to_string(round.newest_revision);
    round.decision.actions.push_back(Action::update(*round.kinds.deployment, std::move(document)));
    return;  // the update's own event brings the next round, which writes the status
  }
  Json status = deployment_status(deployment, round.limits, sets, round.newest, now);
  const Json* before = resource::find(deployment.json(), "status");
  if (before != nullptr && resource::same_content(*before, status)) return;
  Json document = deployment.json();
  document["status"] = std::move(status);
  round.decision.actions.push_back(Action::update_status(*round.kinds.deployment, std::move(document)));
}

// Time alone can turn progressing into a missed deadline.
std::optional<Duration> until_deadline(const Object& deployment, WallTime now) {
  const Json* progressing = resource::condition(deployment.json(), "Progressing");
  if (progressing == nullptr) return std::nullopt;
  const std::string reason = resource::text(*progressing, "reason");
  if (reason == "NewReplicaSetAvailable" || reason == "ProgressDeadlineExceeded") return std::nullopt;
  const auto since = parse_rfc3339(resource::text(*progressing, "lastUpdateTime"));
  if (!since) return std::nullopt;
  const auto deadline =
      std::chrono::seconds(number(deployment.json(), "spec.progressDeadlineSeconds", 600) + 1);
  return std::max<Duration>(*since + deadline - now, std::chrono::seconds(1));
}

void create_newest(Round& round, const std::vector<ObjectPtr>& sets, bool recreate) {
  std::int64_t total = 0;
  for (const Object* set : round.older) total += replicas_of(*set);
  const std::int64_t size = recreate ? round.limits.replicas : grow_newest(round.limits, 0, total);
  Json set = make_set(round.deployment, round.limits, size, round.newest_revision);
  const std::string name = resource::text(set, "metadata.name");
  const bool taken =
      std::any_of(sets.begin(), sets.end(), [&](const ObjectPtr& s) { return s->name() == name; });
  if (taken) {  // another template with the same hash
    Json document = round.deployment.json();
    document["status"]["collisionCount"] = number(document, "status.collisionCount") + 1;
    round.decision.actions.push_back(
        Action::update_status(*round.kinds.deployment, std::move(document), "template hash collision"));
    return;
  }
  Action action = Action::create(*round.kinds.replica_set, std::move(set), "new replica set");
  if (size > 0) action = std::move(action).saying(scaled(round.deployment, name, 0, size));
  round.decision.actions.push_back(std::move(action));
}

}  // namespace

const Object* newest_set(const Object& deployment, const std::vector<ObjectPtr>& sets) {
  const Json* wanted = resource::find(deployment.json(), "spec.template");
  if (wanted == nullptr) return nullptr;
  const Json bare = without_hash(*wanted);
  const Object* found = nullptr;
  for (const ObjectPtr& set : sets) {
    const Json* has = resource::find(set->json(), "spec.template");
    if (has == nullptr || !resource::same_content(bare, without_hash(*has))) continue;
    // Of several (a hash collision was once resolved) the oldest stays the one.
    if (found == nullptr || set->metadata().creation_timestamp < found->metadata().creation_timestamp) {
      found = set.get();
    }
  }
  return found;
}

Decision decide_deployment(const Kinds& kinds, const Object& deployment, const std::vector<ObjectPtr>& sets,
                           const std::vector<PodFacts>& pods, WallTime now) {
  if (!deployment.metadata().deletion_timestamp.empty()) return {};
  const auto view = resource::Deployment::from(deployment);
  if (!view) return {};  // admission lets nothing unreadable in; what came from elsewhere is left alone
  Round round{kinds, deployment, make_limits(*view)};
  round.newest = newest_set(deployment, sets);
  for (const ObjectPtr& set : sets) {
    if (set.get() != round.newest) round.older.push_back(set.get());
  }
  std::stable_sort(round.older.begin(), round.older.end(), [](const Object* a, const Object* b) {
    return a->metadata().creation_timestamp < b->metadata().creation_timestamp;
  });
  // A set that becomes the newest again (an undo) gets a fresh revision.
  std::int64_t older_last = 0;
  for (const Object* set : round.older)
    older_last = std::max(older_last, annotation_number(*set, kRevision, 0));
  round.newest_revision = round.newest == nullptr
                              ? last_revision(sets) + 1
                              : std::max(annotation_number(*round.newest, kRevision, 0), older_last + 1);

  if (scale_all(round)) {
    // sized; the rollout goes on when the sets have answered
  } else if (view->paused) {
    if (round.newest != nullptr && round.older.empty()) {
      round.resize(*round.newest, round.limits.replicas, round.newest_revision, "scale");
    }
  } else if (view->recreate && !emptied(round, pods)) {
    // waiting for the old pods to end
  } else if (round.newest == nullptr) {
    create_newest(round, sets, view->recreate);
  } else if (view->recreate) {
    round.resize(*round.newest, round.limits.replicas, round.newest_revision, "scale");
  } else {
    roll(round);
  }
  if (!view->paused) clean_up_history(round);
  report(round, sets, now);
  round.decision.again_in = until_deadline(deployment, now);
  return std::move(round.decision);
}

}  // namespace tidegate::workload

#include "control/workload/disruption.h"

#include "control/workload/test_objects.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::workload {
namespace {

using namespace testing;

ObjectPtr replica_set(int replicas) {
  Json document = parse(R"({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "s", "namespace": "default"},
    "spec": {"selector": {"matchLabels": {"app": "pool"}}, "template": {"metadata": {"labels": {"app": "pool"}},
      "spec": {"containers": [{"name": "engine", "image": "vllm"}]}}}})");
  document["spec"]["replicas"] = replicas;
  return stored(std::move(document), "set-uid");
}

std::vector<PodFacts> pods(int ready, int unready) {
  std::vector<PodFacts> all;
  for (int i = 0; i < ready + unready; ++i) {
    Json document = parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default",
      "labels": {"app": "pool"}, "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "s",
      "uid": "set-uid", "controller": true}]}, "spec": {"containers": [{"name": "engine", "image": "vllm"}]}})");
    document["metadata"]["name"] = "p" + std::to_string(i);
    document["status"] = {{"phase", "Running"},
                          {"conditions", Json::array({Json{{"type", "Ready"},
                                                           {"status", i < ready ? "True" : "False"},
                                                           {"lastTransitionTime", rfc3339(kNow)}}})}};
    all.push_back(read_pod(stored(std::move(document), "uid-" + std::to_string(i))));
  }
  return all;
}

std::int64_t allowed(const char* spec, const std::vector<PodFacts>& members, int replicas) {
  Json document = parse(R"({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
    "metadata": {"name": "b", "namespace": "default"}})");
  document["spec"] = parse(spec);
  document["spec"]["selector"] = parse(R"({"matchLabels": {"app": "pool"}})");
  const ObjectPtr budget = stored(std::move(document), "budget-uid");
  const auto* kind = resource::find_kind("policy/v1", "PodDisruptionBudget");
  const auto decision = decide_disruption(*kind, *budget, members, {replica_set(replicas)}, {}, kNow);
  if (decision.actions.size() != 1) return -1;
  return resource::number(*decision.actions[0].document, "status.disruptionsAllowed", -1);
}

TEST(Disruption, CountsWhatMayGo) {
  struct Case {
    const char* spec;
    int ready;
    int unready;
    std::int64_t allowed;
  };
  for (const Case& each : {
           Case{R"({"minAvailable": 2})", 3, 0, 1},
           Case{R"({"minAvailable": 2})", 2, 1, 0},
           Case{R"({"minAvailable": "50%"})", 5, 0, 2},  // of 5, rounded up to 3
           Case{R"({"maxUnavailable": 1})", 4, 0, 1},
           Case{R"({"maxUnavailable": 1})", 3, 1, 0},
           Case{R"({"maxUnavailable": "30%"})", 4, 0, 2},  // 1.2, rounded up
           Case{R"({"minAvailable": 0})", 2, 0, 2},
       }) {
    EXPECT_EQ(allowed(each.spec, pods(each.ready, each.unready), each.ready + each.unready), each.allowed)
        << each.spec << " " << each.ready << "+" << each.unready;
  }
}

TEST(Disruption, ABudgetSaysOneOfTheTwo) {
  Json document = parse(R"({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
    "metadata": {"name": "b", "namespace": "default"}, "spec": {"minAvailable": 1, "maxUnavailable": 1}})");
  EXPECT_FALSE(
      resource::admit(*resource::find_kind("policy/v1", "PodDisruptionBudget"), document).empty());
}

}  // namespace
}  // namespace tidegate::workload

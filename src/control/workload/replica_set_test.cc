#include "control/workload/replica_set.h"

#include "control/workload/names.h"
#include "control/workload/test_objects.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using namespace testing;
using Verb = loop::Action::Verb;

ObjectPtr set_of(std::int64_t replicas, std::int64_t min_ready = 0) {
  Json document = parse(R"({"apiVersion": "apps/v1", "kind": "ReplicaSet",
    "metadata": {"name": "pool-66b4", "namespace": "default"},
    "spec": {"selector": {"matchLabels": {"app": "pool"}},
      "template": {"metadata": {"labels": {"app": "pool"}, "annotations": {"note": "kept"}},
        "spec": {"containers": [{"name": "engine", "image": "vllm/vllm-openai"}]}}}})");
  document["spec"]["replicas"] = replicas;
  document["spec"]["minReadySeconds"] = min_ready;
  return stored(std::move(document), "set-uid");
}

struct PodOf {
  std::string name;
  std::string phase = "Running";
  bool ready = true;
  int cost = 0;
  std::string node = "home";
  int age_s = 100;
  bool terminating = false;
};

PodFacts pod(const PodOf& of) {
  Json document = parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default",
    "labels": {"app": "pool"}}, "spec": {"containers": [{"name": "engine", "image": "vllm"}]}})");
  document["metadata"]["name"] = of.name;
  if (of.cost != 0) {
    document["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] =
        std::to_string(of.cost);
  }
  if (of.terminating) document["metadata"]["deletionTimestamp"] = rfc3339(kNow);
  if (!of.node.empty()) document["spec"]["nodeName"] = of.node;
  const WallTime created = kNow - std::chrono::seconds(of.age_s);
  document["status"] = {{"phase", of.phase},
                        {"conditions", Json::array({Json{{"type", "Ready"},
                                                         {"status", of.ready ? "True" : "False"},
                                                         {"lastTransitionTime", rfc3339(created)}}})}};
  return read_pod(stored(std::move(document), "uid-" + of.name, created));
}

loop::Decision decide(const ObjectPtr& set, const std::vector<PodFacts>& pods) {
  Random random(1);
  return decide_replica_set(Kinds::find(), *set, pods, kNow, random);
}

std::vector<std::string> removed(const loop::Decision& decision) {
  std::vector<std::string> names;
  for (const auto& action : decision.actions) {
    if (action.verb == Verb::kRemove) names.push_back(action.key.name);
  }
  return names;
}

Json status_in(const loop::Decision& decision) {
  for (const auto& action : decision.actions) {
    if (action.verb == Verb::kUpdateStatus) return (*action.document)["status"];
  }
  return nullptr;
}

TEST(ReplicaSet, MakesWhatIsMissingFromItsTemplate) {
  const auto decision = decide(set_of(3), {pod({.name = "a"})});
  int created = 0;
  for (const auto& action : decision.actions) {
    if (action.verb != Verb::kCreate) continue;
    ++created;
    const Json& document = *action.document;
    EXPECT_EQ(document["metadata"]["labels"]["app"], "pool");
    EXPECT_EQ(document["metadata"]["annotations"]["note"], "kept");
    EXPECT_EQ(document["metadata"]["ownerReferences"][0]["uid"], "set-uid");
    EXPECT_TRUE(action.key.name.starts_with("pool-66b4-"));
    EXPECT_EQ(action.key.name.size(), std::string("pool-66b4-").size() + 5);
  }
  EXPECT_EQ(created, 2);
}

TEST(ReplicaSet, EndedAndLeavingPodsDoNotCount) {
  const auto decision =
      decide(set_of(1), {pod({.name = "a", .phase = "Failed"}), pod({.name = "b", .terminating = true})});
  EXPECT_EQ(decision.actions.front().verb, Verb::kCreate);
  EXPECT_TRUE(removed(decision).empty());
}

TEST(ReplicaSet, VictimsGoInKubernetesOrder) {
  const std::vector<PodFacts> pods = {
      pod({.name = "old"}),
      pod({.name = "young", .age_s = 10}),
      pod({.name = "cheap", .cost = -5}),
      pod({.name = "unready", .ready = false, .cost = 100}),
      pod({.name = "pending", .phase = "Pending", .ready = false}),
      pod({.name = "unbound", .phase = "Pending", .ready = false, .node = ""}),
  };
  EXPECT_EQ(removed(decide(set_of(1), pods)),
            (std::vector<std::string>{"unbound", "pending", "unready", "cheap", "young"}));
}

TEST(ReplicaSet, TheFullerNodeGivesFirst) {
  EXPECT_EQ(removed(decide(set_of(2), {pod({.name = "a", .node = "one"}), pod({.name = "b", .node = "two"}),
                                       pod({.name = "c", .node = "two"})}))
                .size(),
            1u);
  EXPECT_NE(removed(decide(set_of(2), {pod({.name = "a", .node = "one"}), pod({.name = "b", .node = "two"}),
                                       pod({.name = "c", .node = "two"})}))[0],
            "a");
}

TEST(ReplicaSet, ReportsWhatItSees) {
  const Json status = status_in(decide(set_of(2), {pod({.name = "a"}), pod({.name = "b", .ready = false})}));
  EXPECT_EQ(status["replicas"], 2);
  EXPECT_EQ(status["readyReplicas"], 1);
  EXPECT_EQ(status["availableReplicas"], 1);
  EXPECT_EQ(status["observedGeneration"], 1);
}

TEST(ReplicaSet, AvailableComesAfterMinReadySeconds) {
  const auto decision = decide(set_of(1, 150), {pod({.name = "a", .age_s = 100})});
  EXPECT_EQ(status_in(decision)["availableReplicas"], 0);
  ASSERT_TRUE(decision.again_in.has_value());
  EXPECT_EQ(*decision.again_in, std::chrono::seconds(50));
}

TEST(ReplicaSet, IsQuietWhenAllIsWell) {
  const std::vector<PodFacts> pods = {pod({.name = "a"})};
  const ObjectPtr set = set_of(1);
  const ObjectPtr settled = changed(set, [&](Json& json) { json["status"] = status_in(decide(set, pods)); });
  EXPECT_TRUE(decide(settled, pods).actions.empty());
}

TEST(Names, HashFollowsContentNotOrder) {
  const Json a = parse(R"({"spec": {"x": 1, "y": 2}})");
  const Json b = parse(R"({"spec": {"y": 2, "x": 1}})");
  const Json c = parse(R"({"spec": {"y": 2, "x": 2}})");
  EXPECT_EQ(template_hash(a, 0), template_hash(b, 0));
  EXPECT_NE(template_hash(a, 0), template_hash(c, 0));
  EXPECT_NE(template_hash(a, 0), template_hash(a, 1));
}

TEST(Names, StayValidHostLabels) {
  Random random(3);
  EXPECT_EQ(name_with_suffix(std::string(80, 'a'), random).size(), 63u);
}

}  // namespace
}  // namespace tidegate::workload

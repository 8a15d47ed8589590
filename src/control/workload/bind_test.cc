#include "control/workload/bind.h"

#include "control/workload/test_objects.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using namespace testing;
using Verb = loop::Action::Verb;

ObjectPtr node(const char* name, int gpus) {
  Json document = parse(R"({"apiVersion": "v1", "kind": "Node", "metadata": {"labels": {"zone": "a"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}],
               "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"}}})");
  document["metadata"]["name"] = name;
  document["status"]["allocatable"]["nvidia.com/gpu"] = std::to_string(gpus);
  return stored(std::move(document), name);
}

ObjectPtr pod(const std::string& name, const char* on = "", int age_s = 0, int gpus = 1) {
  Json document = parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default"},
    "spec": {"containers": [{"name": "engine", "image": "vllm", "resources": {"limits": {}}}]}})");
  document["metadata"]["name"] = name;
  document["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = gpus;
  if (*on != 0) document["spec"]["nodeName"] = on;
  return stored(std::move(document), name, kNow - std::chrono::seconds(age_s));
}

loop::Decision decide(const std::vector<ObjectPtr>& nodes, const std::vector<ObjectPtr>& pods) {
  return decide_bindings(*resource::find_kind("v1", "Pod"), nodes, pods, kNow);
}

std::string why_not(const loop::Action& action) {
  const Json status = Json{{"status", (*action.document)["status"]}};
  return resource::text(*resource::condition(status, "PodScheduled"), "message");
}

TEST(Bind, FillsTheNodeOldestFirst) {
  const auto decision = decide({node("home", 2)}, {pod("c", "", 1), pod("b", "", 5), pod("a", "home", 9)});
  ASSERT_EQ(decision.actions.size(), 2u);
  EXPECT_EQ(decision.actions[0].verb, Verb::kBind);
  EXPECT_EQ(decision.actions[0].key.name, "b");
  EXPECT_EQ(decision.actions[0].node, "home");
  EXPECT_EQ(why_not(decision.actions[1]), "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.");
}

TEST(Bind, SaysEachReasonOnce) {
  const ObjectPtr picky =
      changed(pod("p", "", 0, 4), [](Json& json) { json["spec"]["nodeSelector"]["zone"] = "b"; });
  const ObjectPtr big = pod("q", "", 0, 4);
  const auto decision = decide({node("one", 2), node("two", 1)}, {picky, big});
  EXPECT_EQ(why_not(decision.actions[0]),
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
  EXPECT_EQ(why_not(decision.actions[1]), "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.");
}

TEST(Bind, DoesNotRepeatItself) {
  const auto first = decide({node("home", 0)}, {pod("p")});
  const ObjectPtr told =
      changed(pod("p"), [&](Json& json) { json["status"] = (*first.actions[0].document)["status"]; });
  EXPECT_TRUE(decide({node("home", 0)}, {told}).actions.empty());
}

TEST(Bind, EndedPodsHoldNothingAndLeavingOnesAreNotBound) {
  const ObjectPtr ended = changed(pod("e", "home"), [](Json& json) { json["status"]["phase"] = "Failed"; });
  const ObjectPtr leaving =
      changed(pod("l"), [](Json& json) { json["metadata"]["deletionTimestamp"] = rfc3339(kNow); });
  const auto decision = decide({node("home", 1)}, {ended, leaving, pod("p")});
  ASSERT_EQ(decision.actions.size(), 1u);
  EXPECT_EQ(decision.actions[0].key.name, "p");
}

TEST(Bind, WithoutNodesSaysSo) {
  EXPECT_EQ(why_not(decide({}, {pod("p")}).actions.at(0)), "no nodes available to schedule pods");
}

}  // namespace
}  // namespace tidegate::workload

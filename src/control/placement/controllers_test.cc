#include "control/placement/controllers.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::placement {
namespace {

using resource::Json;
using resource::ObjectPtr;
using Verb = loop::Action::Verb;

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

// As it would come out of the store.
ObjectPtr stored(Json document, Duration age = {}) {
  const resource::Kind* kind = resource::find_kind(document["apiVersion"].get<std::string>(),
                                                   document["kind"].get<std::string>());
  for (const Error& error : resource::admit(*kind, document)) ADD_FAILURE() << describe(error);
  document["metadata"]["uid"] = document["metadata"]["name"];
  document["metadata"]["resourceVersion"] = "1";
  document["metadata"]["generation"] = 1;
  document["metadata"]["creationTimestamp"] = rfc3339(kNow - age);
  return *resource::Object::make(std::move(document));
}

ObjectPtr node(const char* name, int gpus, const char* pool = "home") {
  Json document = Json::parse(R"({"apiVersion": "v1", "kind": "Node", "metadata": {},
    "status": {"conditions": [{"type": "Ready", "status": "True"}],
               "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"}}})");
  document["metadata"]["name"] = name;
  document["metadata"]["labels"]["alibabacloud.com/nodepool-id"] = pool;
  document["status"]["allocatable"]["nvidia.com/gpu"] = std::to_string(gpus);
  return stored(std::move(document));
}

Json pod_document(const std::string& name, const char* on = "") {
  Json document = Json::parse(R"({"apiVersion": "v1", "kind": "Pod",
    "metadata": {"namespace": "default", "labels": {"app": "isvc.qwen-chat-predictor"}},
    "spec": {"containers": [{"name": "engine", "image": "vllm", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}})");
  document["metadata"]["name"] = name;
  if (*on != 0) document["spec"]["nodeName"] = on;
  return document;
}

ObjectPtr policy(const char* app) {
  Json document = Json::parse(R"({"apiVersion": "scheduling.alibabacloud.com/v1alpha1", "kind": "ResourcePolicy",
    "metadata": {"name": "tide", "namespace": "default"}, "spec": {"strategy": "prefer", "units": [
      {"resource": "ecs", "nodeSelector": {"alibabacloud.com/nodepool-id": "edge"}},
      {"resource": "elastic", "nodeSelector": {"alibabacloud.com/nodepool-id": "cloud"},
       "podLabels": {"tier": "cloud"}}]}})");
  document["spec"]["selector"]["app"] = app;
  return stored(std::move(document));
}

loop::Decision round(const std::vector<ObjectPtr>& nodes, const std::vector<ObjectPtr>& pods,
                     const std::vector<ObjectPtr>& policies = {}) {
  Cluster cluster;
  for (const ObjectPtr& object : nodes) cluster.board.put(*view_node(object));
  for (const ObjectPtr& object : pods) {
    cluster.pods.push_back(*view_pod(object));
    cluster.board.put(cluster.pods.back());
  }
  for (const ObjectPtr& object : policies) cluster.policies.push_back(*view_policy(object));
  return decide(Kinds::find(), cluster, {}, kNow);
}

// One line per action and event, for reading.
std::string story(const loop::Decision& decision) {
  std::string text;
  const auto say = [&](const cluster::EventNote& note) { text += "say " + note.reason + ": " + note.message + "\n"; };
  for (const loop::Action& action : decision.actions) {
    const std::string about = std::string(action.kind->kind) + " " + action.key.name;
    switch (action.verb) {
      case Verb::kBind:
        text += "bind " + about + " to " + action.node;
        break;
      case Verb::kUpdateStatus:
        text += "status " + about;
        break;
      case Verb::kPatch:
        text += "patch " + about + " " + action.document->dump();
        break;
      case Verb::kRemove:
        text += "remove " + about;
        break;
      default:
        text += "?";
    }
    text += "\n";
    if (action.done) say(*action.done);
  }
  for (const cluster::EventNote& note : decision.events) say(note);
  return text;
}

const loop::Action& status_of(const loop::Decision& decision, std::string_view kind) {
  for (const loop::Action& action : decision.actions) {
    if (action.verb == Verb::kUpdateStatus && action.kind->kind == kind) return action;
  }
  ADD_FAILURE() << "no status of " << kind;
  return decision.actions.front();
}

TEST(Placement, BindsOldestFirstAndSaysWhyNot) {
  const auto decision = round({node("home", 2)}, {stored(pod_document("c"), std::chrono::seconds(1)),
                                                  stored(pod_document("b"), std::chrono::seconds(5)),
                                                  stored(pod_document("a", "home"), std::chrono::seconds(9))});
  EXPECT_EQ(story(decision),
            "bind Pod b to home\n"
            "say Scheduled: Successfully assigned default/b to home\n"
            "status Pod c\n"
            "say FailedScheduling: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: 0/1 nodes "
            "are available: 1 No preemption victims found for incoming pod.\n");
  const Json& told = *status_of(decision, "Pod").document;
  const Json* condition = resource::condition(told, "PodScheduled");
  ASSERT_NE(condition, nullptr);
  EXPECT_EQ(resource::text(*condition, "reason"), "Unschedulable");
  // Told once, it is not repeated.
  const auto again = round({node("home", 0)}, {*resource::Object::make(Json(told))});
  EXPECT_EQ(story(round({node("home", 0)}, {*resource::Object::make(Json(told))})), "") << story(again);
}

TEST(Placement, LeavesAloneWhatIsNotItsOwn) {
  Json other = pod_document("other");
  other["spec"]["schedulerName"] = "volcano";
  Json ended = pod_document("ended", "home");
  ended["status"]["phase"] = "Failed";
  Json gated = pod_document("gated");
  gated["spec"]["schedulingGates"] = Json::array({Json{{"name", "later"}}});
  EXPECT_EQ(story(round({node("home", 1)}, {stored(other), stored(ended), stored(gated)})), "status Pod gated\n");
}

TEST(Placement, NotReadyNodesTakeNothing) {
  Json broken = node("home", 1)->json();
  broken["status"]["conditions"][0]["status"] = "False";
  const auto decision = round({*resource::Object::make(std::move(broken))}, {stored(pod_document("p"))});
  EXPECT_NE(story(decision).find("1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }"),
            std::string::npos)
      << story(decision);
}

TEST(Placement, MarksPodsForScaleInAndLabelsThem) {
  const auto decision = round({node("edge-1", 1, "edge"), node("cloud-1", 1, "cloud")},
                              {stored(pod_document("a", "edge-1")), stored(pod_document("b"))},
                              {policy("isvc.qwen-chat-predictor")});
  EXPECT_EQ(story(decision),
            "patch Pod b {\"metadata\":{\"labels\":{\"tier\":\"cloud\"}}}\n"
            "bind Pod b to cloud-1\n"
            "say Scheduled: Successfully assigned default/b to cloud-1\n"
            "patch Pod a "
            "{\"metadata\":{\"annotations\":{\"controller.kubernetes.io/pod-deletion-cost\":\"0\",\"tidegate.dev/"
            "resource-policy\":\"tide\"}}}\n"
            "status ResourcePolicy tide\n");
  Json cloud = pod_document("b", "cloud-1");
  EXPECT_NE(story(round({node("cloud-1", 1, "cloud")}, {stored(cloud)}, {policy("isvc.qwen-chat-predictor")}))
                .find("pod-deletion-cost\":\"-1\""),
            std::string::npos);
}

TEST(Placement, AUsersDeletionCostStaysAndIsNamed) {
  Json own = pod_document("a", "edge-1");
  own["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] = "7";
  const auto decision = round({node("edge-1", 1, "edge")}, {stored(own)}, {policy("isvc.qwen-chat-predictor")});
  EXPECT_EQ(story(decision), "status ResourcePolicy tide\n");
  const Json* ordered = resource::condition(*decision.actions[0].document, "ScaleInOrdered");
  EXPECT_EQ(resource::text(*ordered, "reason"), "UserDeletionCost");
}

TEST(Placement, ASelectorThatMatchesNothingIsToldWithTheNearestLabel) {
  const auto decision =
      round({node("home", 1)}, {stored(pod_document("a", "home"))}, {policy("isvc.qwen-predictor")});
  const std::string message =
      "matches 0 pods: no pod in namespace default has app: isvc.qwen-predictor; nearest is app: "
      "isvc.qwen-chat-predictor";
  EXPECT_EQ(story(decision), "status ResourcePolicy tide\nsay NoPodsMatched: " + message + "\n");
  const Json& told = *status_of(decision, "ResourcePolicy").document;
  EXPECT_EQ(resource::text(*resource::condition(told, "Matched"), "message"), message);
  EXPECT_EQ(story(round({node("home", 1)}, {stored(pod_document("a", "home"))}, {*resource::Object::make(Json(told))})),
            "");
}

TEST(Placement, TwoPoliciesOnOnePodAreBothTold) {
  Json second = policy("isvc.qwen-chat-predictor")->json();
  second["metadata"]["name"] = "other";
  const auto decision = round({node("edge-1", 1, "edge")}, {stored(pod_document("p"))},
                              {policy("isvc.qwen-chat-predictor"), *resource::Object::make(std::move(second))});
  const std::string told = story(decision);
  EXPECT_NE(told.find("say MultiplePolicies: pods such as p are also matched by ResourcePolicy other"), std::string::npos) << told;
  EXPECT_NE(told.find("say MultiplePolicies: pods such as p are also matched by ResourcePolicy tide"), std::string::npos) << told;
  EXPECT_EQ(told.find("bind"), std::string::npos);
}

TEST(Placement, PreemptionRemovesAndNominates) {
  Json vip = pod_document("vip");
  vip["spec"]["priority"] = 100;
  const auto decision = round({node("home", 1)}, {stored(pod_document("low", "home")), stored(vip)});
  EXPECT_EQ(story(decision),
            "remove Pod low\n"
            "say Preempted: Preempted by pod vip on node home\n"
            "status Pod vip\n"
            "say FailedScheduling: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.\n");
  EXPECT_EQ(resource::text(*status_of(decision, "Pod").document, "status.nominatedNodeName"), "home");
}

}  // namespace
}  // namespace tidegate::placement

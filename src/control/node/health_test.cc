#include "control/node/health.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/node/event_gc.h"
#include "control/node/eviction.h"
#include "control/node/pod_gc.h"
#include "resource/fields.h"

namespace tidegate::node {
namespace {

using resource::Json;
using resource::ObjectPtr;
using std::chrono::seconds;
using Verb = loop::Action::Verb;

constexpr WallTime kNow{seconds(1'800'000'000)};

ObjectPtr made(Json document) { return *resource::Object::make(std::move(document)); }

ObjectPtr node(const std::string& ready, const Json& taints = Json::array(), bool unschedulable = false) {
  Json document{
      {"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "n"}}}, {"spec", Json::object()}};
  if (!taints.empty()) document["spec"]["taints"] = taints;
  if (unschedulable) document["spec"]["unschedulable"] = true;
  document["status"]["conditions"] = Json::array();
  if (!ready.empty())
    document["status"]["conditions"].push_back(
        {{"type", "Ready"}, {"status", ready}, {"lastHeartbeatTime", "t1"}});
  return made(std::move(document));
}

Json taint(const std::string& key, const std::string& effect, WallTime since = kNow) {
  return {{"key", key}, {"effect", effect}, {"timeAdded", rfc3339(since)}};
}

ObjectPtr pod(const Json& tolerations = Json::array(), const char* deleted = nullptr) {
  Json document{
      {"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"name", "p"}, {"namespace", "default"}}}};
  document["spec"] = {{"nodeName", "n"}, {"tolerations", tolerations}};
  document["status"]["conditions"] = Json::array({{{"type", "Ready"}, {"status", "True"}}});
  if (deleted != nullptr) document["metadata"]["deletionTimestamp"] = deleted;
  return made(std::move(document));
}

loop::Decision decide(const ObjectPtr& of, Duration silent, const std::vector<ObjectPtr>& pods = {}) {
  return decide_health(Kinds::find(), *of, {"", kNow - silent}, pods, {}, kNow);
}

const Json kUnreachable = Json::array({taint("node.kubernetes.io/unreachable", "NoSchedule"),
                                       taint("node.kubernetes.io/unreachable", "NoExecute")});

TEST(NodeHealth, AHealthyNodeIsLeftAlone) {
  const auto decision = decide(node("True"), seconds(10), {pod()});
  EXPECT_TRUE(decision.actions.empty());
  EXPECT_EQ(decision.again_in, seconds(30));
}

TEST(NodeHealth, SilenceMakesItUnknownInKubernetesWords) {
  const auto decision = decide(node("True"), seconds(40), {pod()});
  ASSERT_EQ(decision.actions.size(), 1u);
  const Json& document = *decision.actions[0].document;
  const Json* ready = resource::condition(document, "Ready");
  EXPECT_EQ(resource::text(*ready, "status"), "Unknown");
  EXPECT_EQ(resource::text(*ready, "reason"), "NodeStatusUnknown");
  EXPECT_EQ(resource::text(*ready, "message"), "Kubelet stopped posting node status.");
  EXPECT_EQ(resource::text(*resource::condition(document, "DiskPressure"), "reason"),
            "NodeStatusNeverUpdated");
  EXPECT_EQ(decision.actions[0].done->reason, "NodeNotReady");
}

TEST(NodeHealth, TaintsFollowItsState) {
  struct Case {
    ObjectPtr node;
    std::vector<std::string> keys;
  };
  const Json other = Json::array({taint("gpu", "NoSchedule")});
  for (const Case& each :
       {Case{node("Unknown"), {"node.kubernetes.io/unreachable", "node.kubernetes.io/unreachable"}},
        Case{node("False", other), {"gpu", "node.kubernetes.io/not-ready", "node.kubernetes.io/not-ready"}},
        Case{node("True", kUnreachable), {}},
        Case{node("True", {}, true), {"node.kubernetes.io/unschedulable"}}}) {
    const auto decision = decide(each.node, seconds(1), {pod()});
    ASSERT_EQ(decision.actions.size(), 1u);
    std::vector<std::string> keys;
    if (const Json* taints = resource::find_array(*decision.actions[0].document, "spec.taints")) {
      for (const Json& each_taint : *taints) keys.push_back(each_taint["key"]);
    }
    EXPECT_EQ(keys, each.keys);
  }
}

TEST(NodeHealth, PodsOfALostNodeAreNotReadyAndGoWhenTheirTimeIsUp) {
  const Json patient = Json::array({{{"key", "node.kubernetes.io/unreachable"},
                                     {"operator", "Exists"},
                                     {"effect", "NoExecute"},
                                     {"tolerationSeconds", 300}}});
  const auto waits = decide(node("Unknown", kUnreachable), seconds(60), {pod(patient)});
  ASSERT_EQ(waits.actions.size(), 1u);
  EXPECT_EQ(waits.actions[0].verb, Verb::kUpdateStatus);
  EXPECT_FALSE(resource::condition_is_true(*waits.actions[0].document, "Ready"));
  EXPECT_EQ(waits.actions[0].done->message, "Node is not ready");
  EXPECT_EQ(waits.again_in, seconds(300));
  const auto goes = decide(node("Unknown", kUnreachable), seconds(60), {pod()});
  ASSERT_EQ(goes.actions.size(), 2u);
  EXPECT_EQ(goes.actions[1].verb, Verb::kRemove);
  EXPECT_EQ(goes.actions[1].done->message, "Marking for deletion Pod default/p");
}

TEST(NodeHealth, WhatCountsIsWhenAHeartbeatWasSeen) {
  const ObjectPtr lease = made({{"apiVersion", "coordination.k8s.io/v1"},
                                {"kind", "Lease"},
                                {"metadata", {{"name", "n"}}},
                                {"spec", {{"renewTime", "long ago"}}}});
  const auto first = observe(nullptr, *node("True"), lease.get(), kNow);
  EXPECT_EQ(first.seen, kNow);  // after a restart nobody is late yet
  EXPECT_EQ(observe(&first, *node("True"), lease.get(), kNow + seconds(50)).seen, kNow);
  EXPECT_EQ(observe(&first, *node("True"), nullptr, kNow + seconds(50)).seen, kNow + seconds(50));
}

TEST(Eviction, TolerationsAsDocumented) {
  struct Case {
    const char* toleration;
    std::optional<Duration> left;
  };
  const ObjectPtr lost = node("Unknown", Json::array({taint("k", "NoExecute", kNow - seconds(10))}));
  for (
      const Case& each :
      {Case{R"([])", Duration::zero()}, Case{R"([{"operator": "Exists"}])", std::nullopt},
       Case{R"([{"key": "k"}])", std::nullopt}, Case{R"([{"key": "k", "value": "x"}])", Duration::zero()},
       Case{R"([{"key": "k", "effect": "NoSchedule"}])", Duration::zero()},
       Case{R"([{"key": "k", "operator": "Exists", "tolerationSeconds": 25}])", seconds(15)},
       Case{R"([{"key": "k", "operator": "Exists", "tolerationSeconds": 5}])", Duration::zero()},
       Case{
           R"([{"key": "k", "operator": "Exists", "tolerationSeconds": 90}, {"key": "k", "tolerationSeconds": 20}])",
           seconds(10)}}) {
    EXPECT_EQ(time_left(*lost, *pod(Json::parse(each.toleration)), kNow), each.left) << each.toleration;
  }
  EXPECT_EQ(time_left(*node("True"), *pod(), kNow), std::nullopt);
}

TEST(PodGc, WaitsOutTheQuarantineAndThePodsOwnGrace) {
  const resource::Kind& kind = *Kinds::find().pod;
  EXPECT_EQ(decide_orphans(kind, {pod()}, kNow - seconds(10), kNow).again_in, seconds(30));
  const auto goes = decide_orphans(kind, {pod()}, kNow - seconds(40), kNow);
  ASSERT_EQ(goes.actions.size(), 1u);
  EXPECT_TRUE(goes.actions[0].now);
  const std::string ends = rfc3339(kNow + seconds(60));
  EXPECT_TRUE(decide_orphans(kind, {pod({}, ends.c_str())}, kNow - seconds(40), kNow).actions.empty());
}

TEST(Events, GoAnHourAfterTheyWereLastSeen) {
  const resource::Kind& kind = *resource::find_kind("v1", "Event");
  const ObjectPtr event =
      made({{"apiVersion", "v1"},
            {"kind", "Event"},
            {"metadata", {{"name", "e"}, {"namespace", "a"}, {"creationTimestamp", rfc3339(kNow)}}},
            {"lastTimestamp", rfc3339(kNow + seconds(600))}});
  const auto waits = decide_event(kind, *event, kNow + seconds(3600));
  EXPECT_TRUE(waits.actions.empty());
  EXPECT_EQ(waits.again_in, Duration(seconds(600)));
  const auto goes = decide_event(kind, *event, kNow + seconds(4200));
  ASSERT_EQ(goes.actions.size(), 1u);
  EXPECT_EQ(goes.actions[0].verb, Verb::kRemove);
}

}  // namespace
}  // namespace tidegate::node

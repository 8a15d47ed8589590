#include "control/workload/endpoints.h"

#include "control/workload/test_objects.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using namespace testing;
using Verb = loop::Action::Verb;

ObjectPtr service() {
  return stored(
      parse(R"({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pool", "namespace": "default"},
    "spec": {"selector": {"app": "pool"}, "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}})"),
      "service-uid");
}

ObjectPtr pod(const std::string& name, const char* ip, bool ready) {
  Json document = parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default",
    "labels": {"app": "pool"}}, "spec": {"nodeName": "home", "containers": [{"name": "engine", "image": "vllm",
    "ports": [{"name": "web", "containerPort": 8000}]}]}})");
  document["metadata"]["name"] = name;
  document["status"] = {
      {"phase", "Running"},
      {"podIP", ip},
      {"conditions", Json::array({Json{{"type", "Ready"}, {"status", ready ? "True" : "False"}}})}};
  return stored(std::move(document), name);
}

loop::Decision decide(const std::vector<ObjectPtr>& pods, const resource::Object* slice = nullptr) {
  return decide_endpoints(*resource::find_kind("discovery.k8s.io/v1", "EndpointSlice"), *service(), pods,
                          slice);
}

TEST(Endpoints, NameEveryPodWithAnAddressAndItsCondition) {
  const auto decision =
      decide({pod("a", "127.64.0.1", true), pod("b", "127.64.0.2", false), pod("c", "", false)});
  ASSERT_EQ(decision.actions.size(), 1u);
  const Json& slice = *decision.actions[0].document;
  ASSERT_EQ(slice["endpoints"].size(), 2u);
  EXPECT_EQ(slice["endpoints"][0]["addresses"][0], "127.64.0.1");
  EXPECT_EQ(slice["endpoints"][0]["conditions"]["ready"], true);
  EXPECT_EQ(slice["endpoints"][1]["conditions"]["ready"], false);
  EXPECT_EQ(slice["ports"][0]["port"], 8000) << "a named target port is looked up";
}

TEST(Endpoints, ALeavingPodStaysMarked) {
  const ObjectPtr leaving = changed(pod("a", "127.64.0.1", true), [](Json& json) {
    json["metadata"]["deletionTimestamp"] = rfc3339(kNow);
  });
  const Json conditions = (*decide({leaving}).actions.at(0).document)["endpoints"][0]["conditions"];
  EXPECT_EQ(conditions["ready"], false);
  EXPECT_EQ(conditions["serving"], true);
  EXPECT_EQ(conditions["terminating"], true);
}

TEST(Endpoints, AreLeftAloneWhenNothingChanged) {
  const std::vector<ObjectPtr> pods = {pod("a", "127.64.0.1", true)};
  const ObjectPtr slice = stored(*decide(pods).actions.at(0).document, "slice-uid");
  EXPECT_TRUE(decide(pods, slice.get()).actions.empty());
  EXPECT_EQ(decide({}, slice.get()).actions.at(0).verb, Verb::kUpdate);
}

}  // namespace
}  // namespace tidegate::workload

#include "machine/node_keeper.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::machine {
namespace {

using resource::Json;

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

resource::ObjectPtr node(const std::string& name, const std::string& provider,
                         const Json& annotations = nullptr) {
  Json document{
      {"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", name}}}, {"spec", Json::object()}};
  if (!provider.empty()) document["spec"]["providerID"] = provider;
  if (!annotations.is_null()) document["metadata"]["annotations"] = annotations;
  return *resource::Object::make(std::move(document));
}

TEST(NodeKeeper, StandsForItsHomeAndForModelledMachines) {
  EXPECT_TRUE(hosts(*node("home", ""), "home"));
  EXPECT_TRUE(hosts(*node("home", "local://edge/home"), "home"));
  EXPECT_TRUE(hosts(*node("cloud-1", "local://elastic/cloud-1"), "home"));
  EXPECT_FALSE(hosts(*node("other", ""), "home"));
  EXPECT_FALSE(hosts(*node("real", "aws:///eu/i-1"), "home"));
}

TEST(NodeKeeper, ReadsTheInjectedFailure) {
  EXPECT_EQ(failure_of(*node("n", "")), Failure::kNone);
  EXPECT_EQ(failure_of(*node("n", "", {{"tidegate.dev/fail", ""}})), Failure::kNone);
  EXPECT_EQ(failure_of(*node("n", "", {{"tidegate.dev/fail", "NotReady"}})), Failure::kLinkDown);
  EXPECT_EQ(failure_of(*node("n", "", {{"tidegate.dev/fail", "link-down"}})), Failure::kLinkDown);
  EXPECT_EQ(failure_of(*node("n", "", {{"tidegate.dev/fail", "crash"}})), Failure::kCrash);
}

TEST(NodeStatus, KeepsWhatThePoolSaysAndWhatOthersWrote) {
  Json before{{"metadata", {{"name", "cloud-1"}}}, {"spec", {{"providerID", "local://x"}}}};
  before["status"]["allocatable"] = {{"nvidia.com/gpu", "1"}};
  before["status"]["conditions"] = Json::array(
      {{{"type", "Tainted"}, {"status", "True"}},
       {{"type", "Ready"}, {"status", "Unknown"}, {"lastTransitionTime", "2020-01-01T00:00:00Z"}}});
  Json after = before;
  after["status"] = node_status({"cloud-1", "127.63.0.1", true, Capacity{{"cpu", "1"}}}, before, kNow);
  EXPECT_EQ(after["status"]["allocatable"], before["status"]["allocatable"]);
  EXPECT_EQ(after["status"]["addresses"][0]["address"], "127.63.0.1");
  EXPECT_TRUE(resource::condition_is_true(after, "Ready"));
  EXPECT_TRUE(resource::condition_is_true(after, "Tainted"));
  EXPECT_EQ(resource::text(*resource::condition(after, "Ready"), "lastTransitionTime"), rfc3339(kNow));
  EXPECT_EQ(after["status"]["conditions"].size(), 5u);
}

TEST(NodeStatus, TheHomeOffersWhatThisMachineHas) {
  const Json before{{"metadata", {{"name", "home"}}}, {"spec", Json::object()}};
  const Json status = node_status({"home", "127.0.0.1", false, Capacity{{"cpu", "2"}}}, before, kNow);
  EXPECT_EQ(status["capacity"]["cpu"], "2");
  EXPECT_EQ(status["allocatable"]["cpu"], "2");
  EXPECT_EQ(resource::text(status["conditions"][3], "reason"), "KubeletStopped");
}

}  // namespace
}  // namespace tidegate::machine

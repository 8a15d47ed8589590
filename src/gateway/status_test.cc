#include "gateway/status.h"

#include <gtest/gtest.h>

#include <map>

#include "gateway/test_objects.h"

namespace tidegate::gateway {
namespace {

using resource::Json;

const WallTime kLater = WallTime{} + std::chrono::seconds(1'800'000'000);
const WallTime kLatest = WallTime{} + std::chrono::seconds(1'900'000'000);

resource::ObjectPtr model(const std::string& status = "") {
  return object(
      R"({"apiVersion":"inference.networking.x-k8s.io/v1alpha1","kind":"InferenceModel","metadata":{"name":"m"},
    "spec":{"modelName":"m","poolRef":{"name":"p"}})" +
      (status.empty() ? "}" : ",\"status\":" + status + "}"));
}

Finding finding(resource::ObjectPtr about, Truth truth = Truth::kTrue) {
  Finding result;
  result.object = std::move(about);
  result.conditions = {{"Accepted", truth, truth == Truth::kTrue ? "Accepted" : "ModelNameInUse", "text"}};
  return result;
}

resource::ObjectPtr with(const resource::ObjectPtr& before, const Json& document) {
  static_cast<void>(before);
  return *resource::Object::make(document);
}

TEST(Status, WritesConditionsOnceAndMovesTheTimeOnlyOnAFlip) {
  const auto before = model();
  const auto first = status_for(finding(before), kLater);
  ASSERT_NE(first, nullptr);
  const Json& condition = (*first)["status"]["conditions"].back();
  EXPECT_EQ(condition["type"], "Accepted");
  EXPECT_EQ(condition["status"], "True");
  EXPECT_EQ(condition["observedGeneration"], 3);
  EXPECT_EQ(condition["lastTransitionTime"], rfc3339(kLater));

  const auto stored = with(before, *first);
  EXPECT_EQ(status_for(finding(stored), kLatest), nullptr);

  const auto flipped = status_for(finding(stored, Truth::kFalse), kLatest);
  ASSERT_NE(flipped, nullptr);
  EXPECT_EQ((*flipped)["status"]["conditions"].back()["lastTransitionTime"], rfc3339(kLatest));

  // Another reason with the same status is written, but is no transition.
  Finding reason = finding(stored);
  reason.conditions[0].reason = "Other";
  const auto same_status = status_for(reason, kLatest);
  ASSERT_NE(same_status, nullptr);
  EXPECT_EQ((*same_status)["status"]["conditions"].back()["lastTransitionTime"], rfc3339(kLater));
}

TEST(Status, LeavesOtherConditionsAlone) {
  const auto before = model(
      R"({"conditions":[{"type":"Theirs","status":"True","reason":"x","message":"y","lastTransitionTime":"2026-01-01T00:00:00Z"}],"more":1})");
  const auto written = status_for(finding(before), kLater);
  ASSERT_NE(written, nullptr);
  EXPECT_EQ((*written)["status"]["more"], 1);
  EXPECT_EQ((*written)["status"]["conditions"][0], before->json()["status"]["conditions"][0]);
  EXPECT_EQ((*written)["spec"], before->json()["spec"]);
}

resource::ObjectPtr route(const std::string& status = "{}") {
  return object(
      R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r"},"spec":{"parentRefs":[{"name":"gw"}]},"status":)" +
      status + "}");
}

Finding parents_finding(resource::ObjectPtr about, std::vector<std::string> gateways) {
  Finding result;
  result.object = std::move(about);
  for (const std::string& name : gateways) {
    ParentRef parent{"gateway.networking.k8s.io", "Gateway", "default", name, "", 0};
    result.parents.push_back({parent, {{"Accepted", Truth::kTrue, "Accepted", ""}}});
  }
  return result;
}

TEST(Status, RoutesKeepTheEntriesOfOtherControllers) {
  const auto before = route(
      R"({"parents":[{"parentRef":{"name":"gw"},"controllerName":"istio.io/gateway-controller","conditions":[]},
                                           {"parentRef":{"name":"old"},"controllerName":"tidegate.dev/gateway","conditions":[]}]})");
  const auto written = status_for(parents_finding(before, {"gw"}), kLater);
  ASSERT_NE(written, nullptr);
  const Json& parents = (*written)["status"]["parents"];
  ASSERT_EQ(parents.size(), 2U);
  EXPECT_EQ(parents[0]["controllerName"], "istio.io/gateway-controller");
  EXPECT_EQ(parents[1]["controllerName"], "tidegate.dev/gateway");
  EXPECT_EQ(parents[1]["parentRef"]["name"], "gw");
  EXPECT_EQ(status_for(parents_finding(with(before, *written), {"gw"}), kLatest), nullptr);
}

resource::ObjectPtr pool(const std::string& version, const std::string& status) {
  const bool newer = version == "v1";
  return object(R"({"apiVersion":"inference.networking.)" + std::string(newer ? "" : "x-") + "k8s.io/" +
                version + R"(","kind":"InferencePool","metadata":{"name":"p"},"spec":)" +
                (newer ? R"({"selector":{"matchLabels":{"a":"b"}},"targetPorts":[{"number":8000}]})"
                       : R"({"selector":{"a":"b"},"targetPortNumber":8000})") +
                R"(,"status":)" + status + "}");
}

TEST(Status, PoolsSpellTheirParentsByVersion) {
  const auto newer = status_for(parents_finding(pool("v1", "{}"), {"gw"}), kLater);
  EXPECT_EQ((*newer)["status"]["parents"][0]["controllerName"], "tidegate.dev/gateway");
  const auto older_object = pool(
      "v1alpha2",
      R"({"parent":[{"parentRef":{"kind":"Status","name":"default"},"conditions":[{"type":"Accepted","status":"Unknown","reason":"Pending"}]}]})");
  const auto older = status_for(parents_finding(older_object, {"gw"}), kLater);
  ASSERT_EQ((*older)["status"]["parent"].size(), 1U);  // the place-holder went
  EXPECT_EQ((*older)["status"]["parent"][0]["parentRef"]["name"], "gw");
  EXPECT_FALSE((*older)["status"]["parent"][0].contains("controllerName"));
  // The last route went: so does our entry.
  const auto gone = status_for(parents_finding(with(older_object, *older), {}), kLatest);
  ASSERT_NE(gone, nullptr);
  EXPECT_TRUE((*gone)["status"]["parent"].empty());
}

TEST(Status, ListenersAreReplacedByName) {
  const auto gateway =
      object(R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"gw"},
    "spec":{"gatewayClassName":"tidegate","listeners":[{"name":"http","port":80,"protocol":"HTTP"}]},"status":{"listeners":[{"name":"gone","attachedRoutes":1}]}})");
  Finding about;
  about.object = gateway;
  about.listeners = {{"http", 2, {"HTTPRoute"}, {{"Accepted", Truth::kTrue, "Accepted", ""}}}};
  const auto written = status_for(about, kLater);
  ASSERT_EQ((*written)["status"]["listeners"].size(), 1U);
  const Json& listener = (*written)["status"]["listeners"][0];
  EXPECT_EQ(listener["attachedRoutes"], 2);
  EXPECT_EQ(listener["supportedKinds"][0]["kind"], "HTTPRoute");
  about.object = with(gateway, *written);
  EXPECT_EQ(status_for(about, kLatest), nullptr);
}

// A client that knows only how to take a status.
class StatusClient final : public cluster::Client {
 public:
  Result<resource::ObjectPtr> get(const resource::Kind&, const cluster::Key&) override {
    return unexpected();
  }
  Result<cluster::List> list(const resource::Kind&, const cluster::ListOptions&) override {
    return unexpected();
  }
  Result<std::unique_ptr<cluster::Watch>> watch(const resource::Kind&, std::uint64_t,
                                                const cluster::WatchOptions&) override {
    return unexpected();
  }
  Result<resource::ObjectPtr> create(const resource::Kind&, Json, const cluster::WriteOptions&) override {
    return unexpected();
  }
  Result<resource::ObjectPtr> update(const resource::Kind&, Json, const cluster::WriteOptions&) override {
    return unexpected();
  }
  Result<resource::ObjectPtr> update_status(const resource::Kind& kind, Json document,
                                            const cluster::WriteOptions&) override {
    if (conflict) return fail(Code::kConflict, "somebody was faster");
    EXPECT_EQ(kind.kind, "InferenceModel");
    written.push_back(document);
    return resource::Object::make(std::move(document));
  }
  Result<resource::ObjectPtr> patch(const resource::Kind&, const cluster::Key&, cluster::PatchType,
                                    const Json&, const cluster::WriteOptions&) override {
    return unexpected();
  }
  Result<resource::ObjectPtr> patch_status(const resource::Kind&, const cluster::Key&, cluster::PatchType,
                                           const Json&, const cluster::WriteOptions&) override {
    return unexpected();
  }
  Result<cluster::Removed> remove(const resource::Kind&, const cluster::Key&,
                                  const cluster::RemoveOptions&) override {
    return unexpected();
  }
  Result<resource::Scale> scale(const cluster::Reference&) override { return unexpected(); }
  Result<void> set_scale(const cluster::Reference&, std::int64_t) override { return unexpected(); }
  Result<void> bind(const cluster::Key&, std::string_view, const cluster::WriteOptions&) override {
    return unexpected();
  }

  bool conflict = false;
  std::vector<Json> written;

 private:
  static tl::unexpected<Error> unexpected() { return fail(Code::kInternal, "not here"); }
};

TEST(WriteStatuses, WritesOnlyWhatDiffers) {
  StatusClient client;
  ManualClock clock;
  const auto first = model();
  const std::vector<Finding> findings = {finding(first)};
  Written written = write_statuses(findings, client, clock);
  EXPECT_EQ(written.changed, 1U);
  const std::vector<Finding> again = {finding(with(first, client.written.at(0)))};
  written = write_statuses(again, client, clock);
  EXPECT_EQ(written.changed, 0U);
  EXPECT_EQ(client.written.size(), 1U);
  client.conflict = true;
  EXPECT_EQ(write_statuses(findings, client, clock).failed, 1U);
}

}  // namespace
}  // namespace tidegate::gateway

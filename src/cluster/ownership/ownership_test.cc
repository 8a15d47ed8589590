#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/ownership/apply.h"
#include "cluster/ownership/field_set.h"
#include "cluster/schema/catalog.h"

namespace tidegate::ownership {
namespace {

const resource::Schema& deployments() { return *schema::find_schema("apps/v1", "Deployment"); }

Writer writer(const std::string& manager, const std::string& subresource = {}) {
  return {.manager = manager,
          .subresource = subresource,
          .api_version = "apps/v1",
          .time = "2026-01-01T00:00:00Z"};
}

Json deployment(const std::string& spec) {
  Json json = Json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"}})");
  json["spec"] = Json::parse(spec);
  return json;
}

Json applied(const Json* live, const Json& config, const std::string& manager, bool force = false) {
  auto outcome = apply(deployments(), live, config, writer(manager), force);
  EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().message);
  EXPECT_TRUE(outcome->conflicts.empty()) << conflict_message(outcome->conflicts);
  return *outcome->object;
}

Json fields_owned_by(const Json& object, const std::string& manager) {
  for (const Json& entry : object["metadata"]["managedFields"]) {
    if (entry["manager"] == manager) return entry["fieldsV1"];
  }
  return nullptr;
}

TEST(Apply, OwnsWhatItNamesListItemsByKey) {
  const Json object = applied(nullptr, deployment(R"({"replicas":2,"template":{"spec":{"containers":[
      {"name":"a","image":"i","ports":[{"containerPort":80}]}]}}})"),
                              "me");
  EXPECT_EQ(fields_owned_by(object, "me"), Json::parse(R"({"f:spec":{"f:replicas":{},"f:template":{"f:spec":{
      "f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:name":{},
      "f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}})"));
  EXPECT_EQ(object["metadata"]["managedFields"][0]["operation"], "Apply");
}

TEST(Apply, WhatIsNoLongerNamedGoesUnlessAnotherOwnsIt) {
  Json object = applied(nullptr, deployment(R"({"replicas":2,"paused":true})"), "me");
  object = applied(&object, deployment(R"({"replicas":2})"), "other");
  object = applied(&object, deployment(R"({"minReadySeconds":1})"), "me");
  EXPECT_EQ(object["spec"], Json::parse(R"({"replicas":2,"minReadySeconds":1})"));
}

TEST(Apply, ConflictsAreToldAndForceTakesOver) {
  Json object = track(deployments(), nullptr, deployment(R"({"replicas":2})"), writer("kubectl-edit"));
  const Json config = deployment(R"({"replicas":5})");
  auto outcome = apply(deployments(), &object, config, writer("me"), false);
  ASSERT_EQ(outcome->conflicts.size(), 1u);
  EXPECT_EQ(
      conflict_message(outcome->conflicts),
      "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1 at 2026-01-01T00:00:00Z: "
      ".spec.replicas");
  EXPECT_EQ(outcome->conflicts[0].field, ".spec.replicas");
  object = applied(&object, config, "me", true);
  EXPECT_EQ(object["spec"]["replicas"], 5);
  EXPECT_EQ(fields_owned_by(object, "kubectl-edit"), nullptr);
  // The same value is no conflict: it is shared.
  object = applied(&object, config, "third");
  EXPECT_NE(fields_owned_by(object, "me"), nullptr);
}

TEST(Apply, KubectlTakesBackWhatItAppliedBefore) {
  Json live = deployment(R"({"replicas":2})");
  live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = live.dump();
  live = track(deployments(), nullptr, live, writer("kubectl-client-side-apply"));
  const Json object = applied(&live, deployment(R"({"replicas":4})"), "kubectl");
  EXPECT_EQ(object["spec"]["replicas"], 4);
}

TEST(Apply, RefusesWhatCannotBeOwned) {
  const auto said = [](const Json& config, const std::string& manager) {
    const auto outcome = apply(deployments(), nullptr, config, writer(manager), false);
    return outcome ? std::string() : tidegate::describe(outcome.error());
  };
  EXPECT_EQ(said(deployment("{}"), ""), "fieldManager is required for apply patch");
  Json config = deployment(R"({"template":{"spec":{"containers":[{"image":"i"}]}}})");
  EXPECT_EQ(said(config, "me"),
            ".spec.template.spec.containers: element 0: associative list with keys has an element "
            "that omits key field \"name\" (and doesn't have default value)");
  config = deployment(R"({"template":{"spec":{"containers":[{"name":"a"},{"name":"a"}]}}})");
  EXPECT_EQ(said(config, "me"), ".spec.template.spec.containers: duplicate entries for key [name=\"a\"]");
}

TEST(Track, GivesWritersWhatTheyChangedAndStatusToStatus) {
  Json object = track(deployments(), nullptr, deployment(R"({"replicas":2})"), writer("a"));
  Json next = object;
  next["spec"]["replicas"] = 3;
  next = track(deployments(), &object, next, writer("b"));
  EXPECT_EQ(fields_owned_by(next, "a"), nullptr);
  EXPECT_EQ(fields_owned_by(next, "b"), Json::parse(R"({"f:spec":{"f:replicas":{}}})"));
  Json with_status = next;
  with_status["status"]["replicas"] = 3;
  with_status = track(deployments(), &next, with_status, writer("b", "status"));
  EXPECT_EQ(with_status["metadata"]["managedFields"].size(), 2u);
  // A write that changes nothing changes no record.
  Writer later = writer("b");
  later.time = "2027-01-01T00:00:00Z";
  EXPECT_EQ(track(deployments(), &next, next, later), next);
}

TEST(FieldSet, SurvivesBeingWrittenAndRead) {
  const Json json = Json::parse(R"({"f:a":{".":{},"f:b":{}},"f:c":{"k:{\"x\":1}":{}},"f:d":{"v:\"e\"":{}}})");
  const auto set = parse_fields(json);
  ASSERT_TRUE(set);
  EXPECT_EQ(to_json(*set), json);
  EXPECT_EQ(paths(*set), (std::vector<std::string>{".a", ".a.b", ".c[x=1]", ".d[=\"e\"]"}));
  EXPECT_FALSE(parse_fields(Json::parse(R"({"x":{}})")));
}

}  // namespace
}  // namespace tidegate::ownership

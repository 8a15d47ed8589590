#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/schema/catalog.h"
#include "cluster/schema/fields.h"
#include "cluster/schema/openapi.h"

namespace tidegate::schema {
namespace {

using resource::Json;
using resource::ListType;
using resource::SchemaPtr;

const Schema* at(const Schema& root, std::initializer_list<std::string_view> path) {
  const Schema* here = &root;
  for (const std::string_view step : path) {
    if (step == "*") {
      here = here->items.get();
    } else {
      const SchemaField* field = here->find(step);
      here = field == nullptr ? nullptr : field->schema.get();
    }
    if (here == nullptr) return nullptr;
  }
  return here;
}

TEST(Catalog, KnowsKubernetesOwnTypes) {
  const Schema* deployment = find_schema("apps/v1", "Deployment");
  ASSERT_NE(deployment, nullptr);
  const Schema* container = at(*deployment, {"spec", "template", "spec", "containers", "*"});
  ASSERT_NE(container, nullptr);
  EXPECT_EQ(container->name, "io.k8s.api.core.v1.Container");
  const SchemaField* ports = container->find("ports");
  EXPECT_EQ(ports->merge_key, "containerPort");
  EXPECT_EQ(ports->schema->list_keys, (std::vector<std::string>{"containerPort", "protocol"}));
  const SchemaField* volumes = at(*deployment, {"spec", "template", "spec"})->find("volumes");
  EXPECT_TRUE(volumes->retain_keys);
  // What protobuf wraps stands beside the others in JSON.
  EXPECT_NE(at(*deployment, {"spec", "template", "spec", "volumes", "*", "configMap", "name"}), nullptr);
  EXPECT_NE(at(*container, {"readinessProbe", "httpGet", "port"}), nullptr);
  EXPECT_NE(find_schema("autoscaling/v2", "HorizontalPodAutoscaler"), nullptr);
  EXPECT_NE(find_schema("v1", "DeleteOptions"), nullptr);
  EXPECT_EQ(find_schema("v1", "Container"), nullptr);
}

TEST(Catalog, KnowsEveryKindServed) {
  for (const Kind& kind : resource::kinds()) {
    for (const std::string_view version : kind.versions) {
      const Schema& schema = schema_of(kind, version);
      EXPECT_FALSE(schema.name.empty()) << kind.kind;
      EXPECT_EQ(at(schema, {"metadata", "ownerReferences"})->list_type, ListType::kMap) << kind.kind;
    }
  }
  EXPECT_FALSE(find_schema("inference.networking.x-k8s.io/v1alpha2", "InferenceModel")->about.empty());
}

bool types_agree(Schema::Type read, Schema::Type table) {
  using Type = Schema::Type;
  if (read == Type::kAny || table == Type::kAny || read == table) return true;
  if (read == Type::kText) return table == Type::kBytes || table == Type::kTime;
  if (read == Type::kObject || read == Type::kMap) return table == Type::kMap || table == Type::kObject;
  return false;
}

// Every field that is read is in the table, with the type it is read as.
void expect_covered(const Schema& read, const Schema& table, const std::string& path) {
  EXPECT_TRUE(types_agree(read.type, table.type)) << path;
  if (read.items != nullptr && table.items != nullptr) expect_covered(*read.items, *table.items, path + "[]");
  for (const SchemaField& field : read.fields) {
    if (table.type != Schema::Type::kObject) continue;
    const SchemaField* other = table.find(field.name);
    EXPECT_NE(other, nullptr) << path << "." << field.name;
    if (other != nullptr) expect_covered(*field.schema, *other->schema, path + "." + field.name);
  }
}

TEST(Catalog, WhatIsReadOfKubernetesKindsIsInTheTable) {
  for (const Kind& kind : resource::kinds()) {
    for (const std::string_view version : kind.versions) {
      if (!is_built_in(kind, version)) continue;
      Schema read = resource::describe(kind, version);
      // Status is read leniently, by one function for several kinds.
      std::erase_if(read.fields, [](const auto& field) { return field.name == "status"; });
      expect_covered(read, schema_of(kind, version), std::string(kind.kind));
    }
  }
}

TEST(Fields, UnknownOnesAreNamedAndTakenOut) {
  Json document =
      Json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a","lables":{}},
    "spec":{"replcias":3,"template":{"spec":{"containers":[{"name":"a","imag":"b"}]}}}})");
  EXPECT_EQ(drop_unknown(*find_schema("apps/v1", "Deployment"), document),
            (std::vector<std::string>{"unknown field \"metadata.lables\"", "unknown field \"spec.replcias\"",
                                      "unknown field \"spec.template.spec.containers[0].imag\""}));
  EXPECT_FALSE(document["spec"].contains("replcias"));
  EXPECT_TRUE(drop_unknown(*find_schema("apps/v1", "Deployment"), document).empty());
  EXPECT_EQ(strict_error({"unknown field \"a\"", "unknown field \"b\""}),
            "strict decoding error: unknown field \"a\", unknown field \"b\"");
}

TEST(Fields, CustomKindsAreHeldToWhatIsReadOfThem) {
  Json document =
      Json::parse(R"({"apiVersion":"inference.networking.x-k8s.io/v1alpha2","kind":"InferenceModel",
    "metadata":{"name":"a"},"spec":{"modelName":"m","poolRef":{"name":"p"},"zebra":1},"status":{"anything":1}})");
  EXPECT_EQ(drop_unknown(*find_schema("inference.networking.x-k8s.io/v1alpha2", "InferenceModel"), document),
            (std::vector<std::string>{"unknown field \"spec.zebra\""}));
}

TEST(Fields, Validation) {
  EXPECT_EQ(*parse_field_validation(""), FieldValidation::kWarn);
  EXPECT_EQ(*parse_field_validation("Strict"), FieldValidation::kStrict);
  EXPECT_EQ(*parse_field_validation("Ignore"), FieldValidation::kIgnore);
  EXPECT_FALSE(parse_field_validation("strict"));
}

TEST(OpenApi, IndexesEveryGroupVersion) {
  const Json index = Json::parse(openapi_index(resource::KindSet()));
  for (const char* path : {"api/v1", "apis/apps/v1", "apis/inference.networking.x-k8s.io/v1alpha2"}) {
    EXPECT_TRUE(index["paths"].contains(path)) << path;
    EXPECT_TRUE(openapi_document(path, resource::KindSet())) << path;
  }
  EXPECT_FALSE(openapi_document("apis/none/v1", resource::KindSet()));
}

TEST(OpenApi, DescribesTypesPathsAndMerging) {
  const Json document = Json::parse(*openapi_document("apis/apps/v1", resource::KindSet()));
  const Json& schemas = document["components"]["schemas"];
  const Json& deployment = schemas["io.k8s.api.apps.v1.Deployment"];
  EXPECT_EQ(deployment["x-kubernetes-group-version-kind"][0]["kind"], "Deployment");
  const Json& containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
  EXPECT_EQ(containers["x-kubernetes-patch-merge-key"], "name");
  EXPECT_EQ(containers["x-kubernetes-patch-strategy"], "merge");
  EXPECT_EQ(containers["x-kubernetes-list-type"], "map");
  EXPECT_EQ(containers["items"]["$ref"], "#/components/schemas/io.k8s.api.core.v1.Container");
  const Json& patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
  EXPECT_EQ(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
  bool validates = false;
  for (const Json& parameter : patch["parameters"])
    validates = validates || parameter["name"] == "fieldValidation";
  EXPECT_TRUE(validates);
  EXPECT_TRUE(patch["requestBody"]["content"].contains("application/strategic-merge-patch+json"));
  const Json custom = Json::parse(*openapi_document("apis/istio.alibabacloud.com/v1", resource::KindSet()));
  const Json& route =
      custom["paths"]["/apis/istio.alibabacloud.com/v1/namespaces/{namespace}/llmroutes/{name}"]["patch"];
  EXPECT_FALSE(route["requestBody"]["content"].contains("application/strategic-merge-patch+json"));
}

// Every reference leads to a component of the same document.
void expect_references(const Json& json, const Json& schemas) {
  if (json.is_object() && json.contains("$ref")) {
    const std::string name =
        json["$ref"].get<std::string>().substr(std::string("#/components/schemas/").size());
    EXPECT_TRUE(schemas.contains(name)) << name;
  }
  if (json.is_structured()) {
    for (const Json& child : json) expect_references(child, schemas);
  }
}

TEST(OpenApi, ReferencesLeadSomewhere) {
  const Json index = Json::parse(openapi_index(resource::KindSet()));
  for (const auto& path : index["paths"].items()) {
    const Json document = Json::parse(*openapi_document(path.key(), resource::KindSet()));
    expect_references(document, document["components"]["schemas"]);
  }
}

}  // namespace
}  // namespace tidegate::schema

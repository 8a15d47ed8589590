#include "resource/schema.h"

#include <gtest/gtest.h>

#include "resource/kind.h"

namespace tidegate::resource {
namespace {

Schema described(const char* api_version, const char* kind) {
  const Kind* found = find_kind(api_version, kind);
  const std::string_view text = api_version;
  return describe(*found, text.substr(text.find('/') + 1));
}

// The schema at a path of field names; "*" goes into a list or a map.
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

TEST(Describe, NotesFieldsWithTypeAndRules) {
  const Schema model = described("inference.networking.x-k8s.io/v1alpha2", "InferenceModel");
  const SchemaField* name = at(model, {"spec"})->find("modelName");
  ASSERT_NE(name, nullptr);
  EXPECT_TRUE(name->required);
  EXPECT_EQ(name->schema->type, Schema::Type::kText);
  EXPECT_EQ(at(model, {"spec", "criticality"})->words,
            (std::vector<std::string>{"Critical", "Standard", "Sheddable"}));
  const Schema* weight = at(model, {"spec", "targetModels", "*", "weight"});
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->type, Schema::Type::kInteger);
  EXPECT_EQ(weight->min, 1);
  EXPECT_EQ(weight->max, 1'000'000);
  EXPECT_FALSE(at(model, {"spec"})->open);
}

TEST(Describe, SeesWhatDiffersBetweenVersions) {
  EXPECT_NE(at(described("inference.networking.x-k8s.io/v1alpha1", "InferencePool"),
               {"spec", "extensionRef", "targetPortNumber"}),
            nullptr);
  EXPECT_NE(at(described("inference.networking.x-k8s.io/v1alpha2", "InferencePool"),
               {"spec", "extensionRef", "portNumber"}),
            nullptr);
}

TEST(Describe, TakesEveryBranch) {
  const Schema route = described("gateway.networking.k8s.io/v1", "HTTPRoute");
  for (const char* filter : {"requestHeaderModifier", "responseHeaderModifier", "requestRedirect",
                             "urlRewrite", "requestMirror", "cors", "extensionRef"}) {
    EXPECT_NE(at(route, {"spec", "rules", "*", "filters", "*", filter}), nullptr) << filter;
  }
  EXPECT_NE(at(route, {"spec", "rules", "*", "filters", "*", "requestMirror", "fraction", "numerator"}),
            nullptr);
  const Schema llm = described("istio.alibabacloud.com/v1", "LLMRoute");
  EXPECT_NE(at(llm, {"spec", "rules", "*", "matches", "*", "headers", "*", "regex"}), nullptr);
  const Schema pod = described("v1", "Pod");
  for (const char* action : {"httpGet", "tcpSocket", "exec", "grpc"}) {
    EXPECT_NE(at(pod, {"spec", "containers", "*", "readinessProbe", action}), nullptr) << action;
  }
  EXPECT_NE(at(pod, {"spec", "volumes", "*", "emptyDir", "medium"}), nullptr);
}

TEST(Describe, EveryKindDescribesItself) {
  for (const Kind& kind : kinds()) {
    if (kind.validate == nullptr) continue;
    for (const std::string_view version : kind.versions) {
      const Schema schema = describe(kind, version);
      EXPECT_TRUE(schema.open || !schema.fields.empty()) << kind.kind << " " << version;
    }
  }
}

}  // namespace
}  // namespace tidegate::resource

#include "gateway/base_models.h"

#include <gtest/gtest.h>

#include "gateway/test_objects.h"

namespace tidegate::gateway {
namespace {

resource::ObjectPtr map_of(const std::string& name, const std::string& data,
                           const std::string& label = "true",
                           const std::string& created = "2026-01-01T00:00:00Z") {
  return object(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name +
                R"(","namespace":"default","creationTimestamp":")" + created +
                R"(","labels":{"inference.networking.k8s.io/bbr-managed":")" + label + R"("}},"data":)" +
                data + "}");
}

TEST(BaseModels, AdaptersBelongToTheirBase) {
  const BaseModels models({map_of("a", R"({"baseModel":"llama","adapters":"- sql\n- tweets\n"})")});
  EXPECT_EQ(models.base_of("sql"), "llama");
  EXPECT_EQ(models.base_of("tweets"), "llama");
  EXPECT_EQ(models.base_of("llama"), "llama");
  EXPECT_EQ(models.base_of("other"), "");
}

TEST(BaseModels, OnlyLabelledOnesAndTheOlderFirst) {
  const BaseModels models(
      {map_of("new", R"({"baseModel":"b","adapters":"[x]"})", "true", "2026-02-01T00:00:00Z"),
       map_of("old", R"({"baseModel":"a","adapters":"- x"})"),
       map_of("not", R"({"baseModel":"c","adapters":"- y"})", "false")});
  EXPECT_EQ(models.base_of("x"), "a");
  EXPECT_EQ(models.base_of("y"), "");
}

TEST(BaseModels, BrokenOnesCostOnlyThemselves) {
  const BaseModels models({map_of("a", R"({"adapters":"- x"})"),
                           map_of("b", R"({"baseModel":"b","adapters":"x: y"})"),
                           map_of("c", R"({"baseModel":"c","adapters":"- z"})")});
  EXPECT_EQ(models.base_of("x"), "");
  EXPECT_EQ(models.base_of("b"), "b");
  EXPECT_EQ(models.base_of("z"), "c");
}

}  // namespace
}  // namespace tidegate::gateway

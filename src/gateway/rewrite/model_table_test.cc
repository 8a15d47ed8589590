#include "gateway/rewrite/model_table.h"

#include <gtest/gtest.h>

namespace tidegate::rewrite {
namespace {

ModelEntry entry(const std::string& name, std::vector<Target> targets) {
  return {name, *Split::make("spec.targetModels", std::move(targets)), pick::Criticality::kStandard,
          "InferenceModel default/" + name, 0};
}

TEST(ModelTable, ARegisteredNameDrawsATarget) {
  std::vector<ModelEntry> entries;
  entries.push_back(entry("lora-request", {{"sql-lora", 1, {}}, {"tweet-summary", 1, {}}}));
  entries.push_back(entry("reserved", {{"x", 0, {}}}));
  const ModelTable table(std::move(entries));

  const Resolution first = table.resolve("lora-request", 0, nullptr);
  ASSERT_EQ(first.kind, Resolution::kTarget);
  EXPECT_EQ(first.target->model, "sql-lora");
  EXPECT_EQ(first.entry->name, "lora-request");
  EXPECT_EQ(table.resolve("lora-request", ~std::uint64_t{0}, nullptr).target->model, "tweet-summary");

  const Resolution reserved = table.resolve("reserved", 0, nullptr);
  EXPECT_EQ(reserved.kind, Resolution::kReserved);
  EXPECT_EQ(error_of(reserved, "reserved").code, Code::kNotFound);
}

TEST(ModelTable, AnUnregisteredNamePassesOnlyIfItIsServed) {
  const ModelTable table;
  const NameSet served({"base", "sql-lora", "base"});
  EXPECT_EQ(served.names().size(), 2U);
  EXPECT_EQ(table.resolve("sql-lora", 0, &served).kind, Resolution::kPass);
  EXPECT_EQ(table.resolve("sql", 0, &served).kind, Resolution::kUnknown);
  EXPECT_EQ(table.resolve("sql", 0, nullptr).kind, Resolution::kPass);
  const Error error = error_of(table.resolve("sql", 0, &served), "sql");
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.field, "model");
}

TEST(ModelTable, FindsEveryOneOfManyNames) {
  std::vector<ModelEntry> entries;
  for (int i = 0; i < 1000; ++i) entries.push_back(entry("model-" + std::to_string(i), {{"t", 1, {}}}));
  const ModelTable table(std::move(entries));
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "model-" + std::to_string(i);
    ASSERT_NE(table.find(name), nullptr);
    EXPECT_EQ(table.find(name)->name, name);
  }
  EXPECT_EQ(table.find("model-1000"), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
}

}  // namespace
}  // namespace tidegate::rewrite

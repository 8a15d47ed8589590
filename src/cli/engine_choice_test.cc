#include "cli/engine_choice.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tidegate::cli {
namespace {

namespace fs = std::filesystem;
using machine::EngineMode;

class EngineChoiceTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "models" / "demo");
    fs::create_directories(folder_ / "adapters" / "sql");
    std::ofstream(folder_ / "models" / "demo" / "config.json") << "{}";
    std::ofstream(folder_ / "adapters" / "sql" / "adapter_config.json") << "{}";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string at(const char* name) const { return (folder_ / name).string(); }

  const fs::path folder_ = fs::path(testing::TempDir()) / "tidegate_engine_choice_test";
};

TEST_F(EngineChoiceTest, AModelBehindAPathIsServedByTheCpu) {
  for (const char* model : {"models", "models/demo"}) {
    const auto choice = choose_engine("", {{"/adapters", at("adapters")}, {"/model", at(model)}});
    ASSERT_TRUE(choice.has_value());
    EXPECT_EQ(choice->mode, EngineMode::kCpu);
    EXPECT_EQ(choice->why, "cpu, as /model is " + at(model) + ", which holds a model");
  }
}

TEST_F(EngineChoiceTest, WithoutAModelItIsSimulated) {
  EXPECT_EQ(choose_engine("", {})->mode, EngineMode::kSimulate);
  EXPECT_EQ(choose_engine("", {{"/adapters", at("adapters")}})->mode, EngineMode::kSimulate);
}

TEST_F(EngineChoiceTest, WhatIsAskedForCounts) {
  EXPECT_EQ(choose_engine("simulate", {{"/model", at("models")}})->mode, EngineMode::kSimulate);
  EXPECT_EQ(choose_engine("vllm", {})->mode, EngineMode::kVllm);
  EXPECT_FALSE(choose_engine("gpu", {}).has_value());
}

}  // namespace
}  // namespace tidegate::cli

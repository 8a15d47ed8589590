#include "cli/output.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::cli {
namespace {

using resource::Json;

TEST(Output, LeavesOutWhatNobodyReads) {
  const Json document =
      Json::parse(R"({"items":[{"metadata":{"name":"a","managedFields":[{"manager":"b"}]}}]})");
  EXPECT_EQ(Output::parse("yaml")->print(document), "items:\n- metadata:\n    name: a\n");
  EXPECT_EQ(Output::parse("jsonpath={.items[*].metadata.name}")->print(document), "a");
}

TEST(Output, NamesWhatThereIs) {
  EXPECT_TRUE(Output::parse("")->is_table());
  EXPECT_TRUE(Output::parse("wide")->is_table());
  for (const char* text : {"xml", "jsonpath={.a", "Yaml"}) EXPECT_FALSE(Output::parse(text)) << text;
  EXPECT_NE(Output::parse("xml").error().message.find("jsonpath=TEMPLATE"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::cli

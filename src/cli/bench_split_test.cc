#include "cli/bench_split.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tidegate::cli {
namespace {

BenchAnswer answer(std::string model, int first_token_ms = 10) {
  BenchAnswer result;
  result.model = std::move(model);
  result.first_token = std::chrono::milliseconds(first_token_ms);
  result.prompt_tokens = 5;
  result.completion_tokens = 3;
  return result;
}

SplitResults served(const std::vector<std::pair<std::string, int>>& counts) {
  SplitResults results;
  for (const auto& [model, count] : counts) {
    for (int i = 0; i < count; ++i) results.answers.push_back(answer(model));
  }
  results.took = std::chrono::seconds(2);
  return results;
}

const std::vector<WeightedTarget> kFour = {
    {"sql-lora", 10}, {"sql-lora-1", 10}, {"tweet-summary", 10}, {"tweet-summary-1", 10}};

TEST(SplitReport, AFairSplitPasses) {
  const SplitReport report = report_split(
      kFour,
      served({{"sql-lora", 148}, {"sql-lora-1", 155}, {"tweet-summary", 141}, {"tweet-summary-1", 156}}));
  EXPECT_TRUE(report.passed) << report.text;
  EXPECT_NE(report.text.find("sql : tweet = 303 : 297, weights 20 : 20"), std::string::npos) << report.text;
  EXPECT_NE(report.text.find("600 answered, 0 failed, 2.0 s, 300 requests/s"), std::string::npos)
      << report.text;
}

TEST(SplitReport, ARowHoldsWhatWasSeen) {
  const SplitReport report = report_split({{"a", 1}, {"b", 3}}, served({{"a", 10}, {"b", 30}}));
  EXPECT_NE(
      report.text.find(
          "b              3      30.0      30   75.0%         10.0         10.0        150          90"),
      std::string::npos)
      << report.text;
}

TEST(SplitReport, AnImpossibleSplitFails) {
  const SplitReport report = report_split({{"a", 1}, {"b", 1}}, served({{"a", 400}, {"b", 200}}));
  EXPECT_FALSE(report.passed);
  EXPECT_LT(report.p, 1e-6);
  EXPECT_NE(report.text.find("impossible by chance"), std::string::npos);
}

TEST(SplitReport, AModelThatIsNoTargetFails) {
  const SplitReport report =
      report_split({{"a", 1}, {"b", 1}}, served({{"a", 100}, {"b", 100}, {"stranger", 1}}));
  EXPECT_FALSE(report.passed);
  EXPECT_NE(report.text.find("stranger"), std::string::npos);
}

TEST(SplitReport, AFailedRequestFailsAndIsNamed) {
  SplitResults results = served({{"a", 100}, {"b", 100}});
  results.failures = {"status 503: no", "status 503: no"};
  const SplitReport report = report_split({{"a", 1}, {"b", 1}}, results);
  EXPECT_FALSE(report.passed);
  EXPECT_NE(report.text.find("  2 x status 503: no"), std::string::npos) << report.text;
}

TEST(SplitReport, NoAnswerAtAllFails) { EXPECT_FALSE(report_split({{"a", 1}}, {}).passed); }

TEST(SplitReport, TokensThatWereNotToldAreUnknown) {
  SplitResults results = served({{"a", 10}});
  results.answers[3].completion_tokens.reset();
  EXPECT_NE(report_split({{"a", 1}}, results).text.find("unknown"), std::string::npos);
}

TEST(ParseWeights, ReadsNamesAndNumbers) {
  const auto weights = parse_weights("sql-lora=10,tweet=2.5,plain");
  ASSERT_TRUE(weights.has_value());
  ASSERT_EQ(weights->size(), 3u);
  EXPECT_EQ((*weights)[0].model, "sql-lora");
  EXPECT_DOUBLE_EQ((*weights)[1].weight, 2.5);
  EXPECT_DOUBLE_EQ((*weights)[2].weight, 1);
  for (const char* bad : {"", "=1", "a=", "a=x", "a=-1", "a=1x", ",", "a=nan"}) {
    EXPECT_FALSE(parse_weights(bad).has_value()) << bad;
  }
}

TEST(ReadWeights, FindsTheModelInAFolder) {
  const std::filesystem::path folder = testing::TempDir() + "/tidegate_bench_split_test";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "model.yaml") << R"(apiVersion: v1
kind: Service
metadata: {name: other}
---
apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: InferenceModel
metadata: {name: lora-request}
spec:
  modelName: lora-request
  poolRef: {name: pool}
  targetModels:
  - {name: sql-lora, weight: 10}
  - {name: tweet-summary, weight: 30}
)";
  const auto weights = read_weights(folder.string(), "lora-request");
  ASSERT_TRUE(weights.has_value()) << describe(weights.error());
  ASSERT_EQ(weights->size(), 2u);
  EXPECT_DOUBLE_EQ((*weights)[1].weight, 30);
  EXPECT_EQ(read_weights(folder.string(), "another").error().code, Code::kNotFound);
  EXPECT_EQ(read_weights((folder / "none.yaml").string(), "x").error().code, Code::kInvalid);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tidegate::cli

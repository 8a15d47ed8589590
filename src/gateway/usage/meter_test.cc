#include "gateway/usage/meter.h"

#include <gtest/gtest.h>

namespace tidegate::usage {
namespace {

using dialect::Usage;
using dialect::UsageSse;

TimePoint at(std::int64_t ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

UsageSse::Verdict running(std::uint64_t prompt, std::uint64_t completion, std::uint32_t choice = 0) {
  UsageSse::Verdict verdict;
  verdict.usage = Usage{prompt, completion, prompt + completion, std::nullopt};
  verdict.choice = choice;
  return verdict;
}

UsageSse::Verdict final(std::uint64_t prompt, std::uint64_t completion) {
  UsageSse::Verdict verdict = running(prompt, completion);
  verdict.is_final = true;
  verdict.usage->cached = 4;
  return verdict;
}

UsageSse::Verdict done() {
  UsageSse::Verdict verdict;
  verdict.done = true;
  return verdict;
}

TEST(Meter, AFinishedStreamCountsTheEnginesLastWord) {
  Meter meter(at(0));
  meter.on_event(running(9, 0), at(100));  // the role
  meter.on_event(running(9, 1), at(110));
  meter.on_event(running(9, 2), at(120));
  meter.on_event(running(9, 3), at(150));
  meter.on_event(final(9, 3), at(151));
  meter.on_event(done(), at(152));
  const Counted counted = meter.finish(End::kDone, at(153));
  EXPECT_TRUE(counted.known);
  EXPECT_TRUE(counted.exact);
  EXPECT_EQ(counted.prompt, 9U);
  EXPECT_EQ(counted.completion, 3U);
  EXPECT_EQ(counted.cached, 4U);
  EXPECT_EQ(counted.first_token, std::chrono::milliseconds(110));
  EXPECT_EQ(counted.per_output, std::chrono::milliseconds(20));
  EXPECT_EQ(counted.total, std::chrono::milliseconds(153));
}

TEST(Meter, ACutStreamCountsWhatWasLastReported) {
  Meter meter(at(0));
  meter.on_event(running(9, 1), at(10));
  meter.on_event(running(9, 2), at(20));
  const Counted counted = meter.finish(End::kAborted, at(25));
  EXPECT_TRUE(counted.known);
  EXPECT_FALSE(counted.exact);
  EXPECT_EQ(counted.prompt, 9U);
  EXPECT_EQ(counted.completion, 2U);
}

TEST(Meter, ACutStreamOfSeveralChoicesAddsThemUp) {
  Meter meter(at(0));
  meter.on_event(running(9, 1, 0), at(10));
  meter.on_event(running(9, 1, 1), at(11));
  meter.on_event(running(9, 2, 0), at(12));
  meter.on_event(running(9, 5, 2), at(13));
  const Counted counted = meter.finish(End::kAborted, at(25));
  EXPECT_EQ(counted.prompt, 9U);
  EXPECT_EQ(counted.completion, 8U);
}

TEST(Meter, WhatNobodyReportedIsUnknown) {
  Meter meter(at(0));
  meter.on_event({}, at(10));
  meter.on_event({}, at(20));
  const Counted counted = meter.finish(End::kDone, at(25));
  EXPECT_FALSE(counted.known);
  EXPECT_EQ(counted.first_token, std::chrono::milliseconds(10));
  EXPECT_FALSE(counted.per_output.has_value());
  EXPECT_FALSE(Meter(at(0)).finish(End::kAborted, at(5)).first_token.has_value());
}

TEST(Meter, AWholeAnswerIsReadInPieces) {
  Meter meter(at(0));
  meter.on_body(R"({"choices":[],"usa)", at(40));
  meter.on_body(R"(ge":{"prompt_tokens":3,"completion_tokens":50}})", at(41));
  const Counted counted = meter.finish(End::kDone, at(42));
  EXPECT_TRUE(counted.known);
  EXPECT_EQ(counted.prompt, 3U);
  EXPECT_EQ(counted.completion, 50U);
  EXPECT_EQ(counted.first_token, std::chrono::milliseconds(40));
  EXPECT_FALSE(counted.per_output.has_value());
}

}  // namespace
}  // namespace tidegate::usage

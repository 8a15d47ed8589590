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

TEST(Meter, MessagesSayTheirPromptFirstAndTheirOutputLast) {
  Meter meter(TimePoint{});
  const dialect::UsageSse sse;
  for (
      const char* data :
      {R"({"type":"message_start","message":{"id":"m","usage":{"input_tokens":7,"cache_read_input_tokens":3,"output_tokens":1}}})",
       R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"the"}})",
       R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":12}})",
       R"({"type":"message_stop"})"}) {
    meter.on_event(sse.look(data), TimePoint{});
  }
  const Counted counted = meter.finish(End::kDone, TimePoint{});
  EXPECT_TRUE(counted.known && counted.exact);
  EXPECT_EQ(counted.prompt, 10U);
  EXPECT_EQ(counted.completion, 12U);
  EXPECT_EQ(counted.cached, 3U);
}

TEST(Meter, ResponsesSayItInTheirLastEvent) {
  Meter meter(TimePoint{});
  const dialect::UsageSse sse;
  for (
      const char* data :
      {R"({"type":"response.created","response":{"id":"r","usage":null}})",
       R"({"type":"response.output_text.delta","delta":"the"})",
       R"({"type":"response.completed","response":{"id":"r","usage":{"input_tokens":7,"output_tokens":12,"total_tokens":19}}})"}) {
    meter.on_event(sse.look(data), TimePoint{});
  }
  const Counted counted = meter.finish(End::kDone, TimePoint{});
  EXPECT_TRUE(counted.known && counted.exact);
  EXPECT_EQ(counted.prompt, 7U);
  EXPECT_EQ(counted.completion, 12U);
}

}  // namespace
}  // namespace tidegate::usage

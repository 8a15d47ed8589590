#include "telemetry/trace.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidegate::telemetry {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kSpan = "b7ad6b7169203331";

std::string header(std::string_view version, std::string_view trace, std::string_view span,
                   std::string_view flags) {
  return std::string(version) + "-" + std::string(trace) + "-" + std::string(span) + "-" + std::string(flags);
}

TEST(TraceParent, ReadsAndWritesTheSame) {
  const std::string text = header("00", kTrace, kSpan, "01");
  const auto context = parse_traceparent(text);
  ASSERT_TRUE(context.has_value());
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(trace_id_hex(*context), kTrace);
  EXPECT_EQ(span_id_hex(*context), kSpan);
  EXPECT_EQ(format_traceparent(*context), text);
}

TEST(TraceParent, RefusesWhatTheStandardCallsInvalid) {
  const std::vector<std::string> bad = {
      "",
      "00",
      header("00", kTrace, kSpan, "0"),
      header("00", kTrace, kSpan, "011"),
      header("00", kTrace, kSpan, "01") + "-more",
      header("ff", kTrace, kSpan, "01"),
      header("0F", kTrace, kSpan, "01"),
      header("00", std::string(32, '0'), kSpan, "01"),
      header("00", kTrace, std::string(16, '0'), "01"),
      header("00", "0AF7651916cd43dd8448eb211c80319c", kSpan, "01"),
      header("00", "xaf7651916cd43dd8448eb211c80319c", kSpan, "01"),
      header("01", kTrace, kSpan, "01") + "more",
      "00_" + std::string(kTrace) + "-" + std::string(kSpan) + "-01",
  };
  for (const std::string& text : bad) EXPECT_FALSE(parse_traceparent(text).has_value()) << text;
}

TEST(TraceParent, AHigherVersionIsReadAndWrittenAsZero) {
  const auto context = parse_traceparent(header("01", kTrace, kSpan, "ff") + "-what-the-future-adds");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(format_traceparent(*context), header("00", kTrace, kSpan, "03"));
}

TEST(TraceParent, AChildKeepsTraceAndFlags) {
  Random random(7);
  const auto parent = parse_traceparent(header("00", kTrace, kSpan, "03"));
  const TraceContext child = child_of(*parent, random);
  EXPECT_EQ(child.trace_id, parent->trace_id);
  EXPECT_EQ(child.flags, 3);
  EXPECT_NE(child.span_id, parent->span_id);
}

TEST(TraceParent, ANewTraceIsValidAndSaysItsIdIsRandom) {
  Random random(7);
  const TraceContext first = start_trace(random, false);
  const TraceContext second = start_trace(random, true);
  EXPECT_NE(first.trace_id, second.trace_id);
  EXPECT_EQ(first.flags, TraceContext::kRandomId);
  EXPECT_TRUE(second.sampled());
  EXPECT_EQ(parse_traceparent(format_traceparent(second)), second);
}

std::string join(std::vector<std::string> lines) {
  const std::vector<std::string_view> views(lines.begin(), lines.end());
  return join_tracestate(views);
}

TEST(TraceState, LinesJoinAndBlanksGo) {
  EXPECT_EQ(join({"rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE", "", " ,a=b,"}),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,a=b");
  EXPECT_EQ(join({}), "");
}

TEST(TraceState, MalformedAndRepeatedMembersGo) {
  EXPECT_EQ(join({"a=1,A=2,=3,b,c=,a=4,d=x=y,e=\x01,tenant@sys=5"}), "a=1,tenant@sys=5");
}

TEST(TraceState, AtMost32Members) {
  std::string line;
  for (int i = 0; i < 40; ++i) line += "k" + std::to_string(i) + "=v,";
  const std::string joined = join({line});
  EXPECT_EQ(std::count(joined.begin(), joined.end(), '='), 32);
  EXPECT_TRUE(joined.ends_with("k31=v"));
}

TEST(TraceState, LongMembersGoFirstThenTheLast) {
  const std::string longer(200, 'x');
  const std::string shorter(100, 'y');
  const std::string joined =
      join({"a=" + longer + ",b=" + shorter + ",c=" + shorter + ",d=" + longer + ",e=" + shorter});
  // Both long ones: dropping d alone leaves 512 bytes or fewer.
  EXPECT_TRUE(joined.starts_with("a=" + longer));
  EXPECT_EQ(joined.find("d="), std::string::npos);
  EXPECT_TRUE(joined.ends_with("e=" + shorter));
  const std::string many =
      join({"a=" + shorter + ",b=" + shorter + ",c=" + shorter + ",d=" + shorter + ",e=" + shorter});
  EXPECT_LE(many.size(), 512u);
  EXPECT_TRUE(many.starts_with("a="));
  EXPECT_EQ(many.find("e="), std::string::npos);
}

}  // namespace
}  // namespace tidegate::telemetry

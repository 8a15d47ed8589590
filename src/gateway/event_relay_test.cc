#include "gateway/event_relay.h"

#include <gtest/gtest.h>

namespace tidegate::gateway {
namespace {

const std::string kStream =
    "data: "
    "{\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\"Hi\"}],\"usage\":{\"prompt_tokens\":5,\"completion_"
    "tokens\":1,"
    "\"total_tokens\":6}}\n\n"
    ": a comment\n\n"
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\" "
    "there\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":"
    "2,\"total_tokens\":7}}\n\n"
    "data: "
    "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2,\"total_tokens\":7}}"
    "\n\n"
    "data: [DONE]\n\n";

// What the engine would have sent had nobody asked for usage.
const std::string kPlain =
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\"Hi\"}]}\n\n"
    ": a comment\n\n"
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"text\":\" there\"}]}\n\n"
    "data: [DONE]\n\n";

struct Outcome {
  std::string sent;
  usage::Counted counted;
};

Outcome relay_in_pieces(const std::vector<std::string>& pieces, dialect::Injected injected) {
  usage::Meter meter(TimePoint{});
  EventRelay relay(dialect::UsageSse(injected), meter);
  Outcome outcome;
  TimePoint now{};
  for (const std::string& piece : pieces) {
    now += std::chrono::milliseconds(1);
    EXPECT_TRUE(relay.feed(piece, now).has_value());
    for (const std::string_view part : relay.outgoing()) outcome.sent += part;
    relay.clear();
  }
  relay.flush();
  for (const std::string_view part : relay.outgoing()) outcome.sent += part;
  EXPECT_TRUE(relay.done());
  outcome.counted = meter.finish(usage::End::kDone, now);
  return outcome;
}

TEST(EventRelay, EveryCutGivesTheSameStreamAndTheSameCount) {
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    const std::vector<std::string> pieces = {kStream.substr(0, cut), kStream.substr(cut)};
    const Outcome stripped = relay_in_pieces(pieces, {true, true});
    ASSERT_EQ(stripped.sent, kPlain) << "cut at " << cut;
    EXPECT_TRUE(stripped.counted.known);
    EXPECT_EQ(stripped.counted.prompt, 5u);
    EXPECT_EQ(stripped.counted.completion, 2u);
    const Outcome whole = relay_in_pieces(pieces, {});
    ASSERT_EQ(whole.sent, kStream) << "cut at " << cut;
    EXPECT_EQ(whole.counted.completion, 2u);
  }
}

TEST(EventRelay, OneByteAtATime) {
  std::vector<std::string> bytes;
  for (const char c : kStream) bytes.emplace_back(1, c);
  EXPECT_EQ(relay_in_pieces(bytes, {true, true}).sent, kPlain);
}

TEST(EventRelay, HoldsBackHalfAnEvent) {
  usage::Meter meter(TimePoint{});
  EventRelay relay(dialect::UsageSse(), meter);
  EXPECT_TRUE(relay.feed("data: {\"a\":1}\n\ndata: {\"b\"", TimePoint{}).has_value());
  ASSERT_EQ(relay.outgoing().size(), 1u);
  EXPECT_EQ(relay.outgoing()[0], "data: {\"a\":1}\n\n");
}

}  // namespace
}  // namespace tidegate::gateway

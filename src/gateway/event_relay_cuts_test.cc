// Streams in the shapes that engines send, cut at every byte and at two bytes at random: what goes on and
// what is counted may not depend on the cuts. TIDEGATE_STREAMS=500 makes 500 streams of it instead of a few
// dozen.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <tuple>

#include "gateway/event_relay.h"

namespace tidegate::gateway {
namespace {

// A stream as the engine sends it because we asked for usage, and as it would have been had nobody asked.
struct Stream {
  std::string asked;
  std::string plain;
  bool may_ask = false;  // the API has stream_options: nothing is put into requests of the others
};

class Author {
 public:
  explicit Author(std::uint32_t seed) : random_(seed) {}

  Stream write() {
    static constexpr const char* kEnds[] = {"\n", "\r\n", "\r"};
    end_ = kEnds[below(8) < 5 ? 0 : 1 + below(2)];
    field_ = below(3) == 0 ? "data:" : "data: ";
    if (below(10) == 0) both("\xEF\xBB\xBF");
    switch (below(6)) {
      case 0:
        responses();
        break;
      case 1:
        messages();
        break;
      default:
        stream_.may_ask = true;
        completions(below(2) == 0);
    }
    if (below(8) == 0) both(": broken off");
    return std::move(stream_);
  }

 private:
  std::uint32_t below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }

  void both(const std::string& text) {
    stream_.asked += text;
    stream_.plain += text;
  }

  std::string line(const std::string& text) const { return text + end_; }

  void event(const std::string& data) { both(line(field_ + data) + end_); }

  // Text as tokens hold it, ready for a JSON string; some of it looks like the stream's own syntax.
  std::string words() {
    static constexpr const char* kWords[] = {"the",
                                             " tide",
                                             "\\n\\n",
                                             "data: [DONE]",
                                             "\\\"usage\\\":{",
                                             "\xC3\xA9",
                                             "\xF0\x9F\x8C\x8A",
                                             "\\u00e9",
                                             "event: x",
                                             "}]}",
                                             "\\r\\n",
                                             "\\\\"};
    std::string text;
    for (std::uint32_t count = 1 + below(3); count > 0; --count) text += kWords[below(std::size(kWords))];
    return text;
  }

  void noise() {
    switch (below(12)) {
      case 0:
        return both(line(": ping") + end_);
      case 1:
        return both(line("id: 7") + line("retry: 10") + end_);
      case 2:
        return both(line("data: {\"choices\":[],") + line("data: \"x\":1}") + end_);
      case 3:
        return both(end_);
      default:
        return;
    }
  }

  std::string usage(int prompt, int completion) {
    const std::string counts = "\"prompt_tokens\":" + std::to_string(prompt) +
                               ",\"total_tokens\":" + std::to_string(prompt + completion) +
                               ",\"completion_tokens\":" + std::to_string(completion);
    return below(2) == 0
               ? "{" + counts + "}"
               : "{" + counts +
                     ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(prompt / 2) + "}}";
  }

  void completions(bool chat) {
    const int prompt = static_cast<int>(below(2000));
    const int tokens = 2 + static_cast<int>(below(4));
    const bool running = below(3) != 0;
    for (int token = 1; token <= tokens; ++token) {
      const std::string choice =
          chat ? "{\"index\":0,\"delta\":{\"content\":\"" + words() + "\"},\"finish_reason\":null}"
               : "{\"index\":0,\"text\":\"" + words() + "\",\"logprobs\":null}";
      const std::string front = "{\"id\":\"c-1\",\"model\":\"m\",\"choices\":[" + choice + "]";
      const std::string told = running ? ",\"usage\":" + usage(prompt, token) : "";
      stream_.asked += line(field_ + front + told + "}") + end_;
      stream_.plain += line(field_ + front + "}") + end_;
      noise();
    }
    if (below(10) == 0) event("{\"error\":{\"message\":\"" + words() + "\",\"code\":500}}");
    stream_.asked +=
        line(field_ + "{\"id\":\"c-1\",\"choices\":[],\"usage\":" + usage(prompt, tokens) + "}") + end_;
    event("[DONE]");
  }

  void responses() {
    for (std::uint32_t count = 1 + below(4); count > 0; --count) {
      both(line("event: response.output_text.delta"));
      event("{\"type\":\"response.output_text.delta\",\"delta\":\"" + words() + "\"}");
    }
    both(line("event: response.completed"));
    event(
        "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":31,\"output_tokens\":4}}"
        "}");
  }

  void messages() {
    both(line("event: message_start"));
    event("{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}");
    for (std::uint32_t count = 1 + below(4); count > 0; --count) {
      both(line("event: content_block_delta"));
      event("{\"type\":\"content_block_delta\",\"delta\":{\"text\":\"" + words() + "\"}}");
    }
    both(line("event: message_delta"));
    event("{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}");
  }

  std::mt19937 random_;
  std::string end_;
  std::string field_;
  Stream stream_;
};

struct Seen {
  std::string sent;
  bool done = false;
  bool error = false;
  std::tuple<bool, bool, std::uint64_t, std::uint64_t, std::optional<std::uint64_t>> counted;
  bool operator==(const Seen&) const = default;
};

// Each piece lies in memory of its own, which is gone after it, so that a view kept too long is noticed.
Seen relay(std::string_view stream, std::vector<std::size_t> cuts, dialect::Injected injected) {
  usage::Meter meter(TimePoint{});
  EventRelay relay(dialect::UsageSse(injected), meter);
  Seen seen;
  std::size_t from = 0;
  cuts.push_back(stream.size());
  for (const std::size_t to : cuts) {
    std::string piece(stream.substr(from, to - from));
    from = to;
    EXPECT_TRUE(relay.feed(piece, TimePoint{}).has_value());
    for (const std::string_view part : relay.outgoing()) seen.sent += part;
    relay.clear();
    piece.assign(piece.size(), '#');
  }
  relay.flush();
  for (const std::string_view part : relay.outgoing()) seen.sent += part;
  seen.done = relay.done();
  seen.error = relay.error();
  const usage::Counted counted = meter.finish(usage::End::kDone, TimePoint{});
  seen.counted = {counted.known, counted.exact, counted.prompt, counted.completion, counted.cached};
  return seen;
}

std::uint32_t stream_count() {
  const char* said = std::getenv("TIDEGATE_STREAMS");
  return said == nullptr ? 40 : static_cast<std::uint32_t>(std::strtoul(said, nullptr, 10));
}

TEST(EventRelayCuts, EveryCutAndTwoAtRandomGiveTheSame) {
  std::size_t relayed = 0;
  for (std::uint32_t seed = 1; seed <= stream_count(); ++seed) {
    const Stream stream = Author(seed).write();
    std::mt19937 random(seed);
    for (const dialect::Injected injected : {dialect::Injected{true, true}, dialect::Injected{}}) {
      const bool ours = injected.any();
      if (ours && !stream.may_ask) continue;
      const Seen whole = relay(stream.asked, {}, injected);
      ASSERT_EQ(whole.sent, ours ? stream.plain : stream.asked) << "stream " << seed;
      ASSERT_TRUE(std::get<0>(whole.counted)) << "stream " << seed << "\n" << stream.asked;
      for (std::size_t cut = 0; cut <= stream.asked.size(); ++cut) {
        ASSERT_EQ(relay(stream.asked, {cut}, injected), whole) << "stream " << seed << " cut at " << cut;
        std::size_t first = random() % (stream.asked.size() + 1);
        std::size_t second = random() % (stream.asked.size() + 1);
        if (first > second) std::swap(first, second);
        ASSERT_EQ(relay(stream.asked, {first, second}, injected), whole)
            << "stream " << seed << " cut at " << first << " and " << second;
        relayed += 2;
      }
    }
  }
  RecordProperty("relayed", std::to_string(relayed));
  std::printf("%u streams, each relayed whole and with every cut: %zu times without a difference\n",
              stream_count(), relayed);
}

}  // namespace
}  // namespace tidegate::gateway

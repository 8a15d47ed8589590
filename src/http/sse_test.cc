#include "http/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidegate::http {
namespace {

struct Seen {
  std::string raw, data, name;
  bool operator==(const Seen&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Seen& seen) {
  return out << ::testing::PrintToString(seen.raw) << " data " << ::testing::PrintToString(seen.data)
             << " name " << seen.name;
}

struct Read {
  std::vector<Seen> events;
  std::string rest;
  bool failed = false;
  bool operator==(const Read&) const = default;
};

Read read(const std::vector<std::string_view>& pieces, std::size_t limit = 1 << 20) {
  Read result;
  SseScanner scanner(limit);
  for (const std::string_view piece : pieces) {
    const std::vector<char> exact(piece.begin(), piece.end());
    const auto fed = scanner.feed({exact.data(), exact.size()}, [&](const SseScanner::Event& event) {
      result.events.push_back({std::string(event.raw), std::string(event.data), std::string(event.name)});
    });
    if (!fed) {
      result.failed = true;
      return result;
    }
  }
  result.rest = scanner.rest();
  return result;
}

std::vector<std::string> data_of(std::string_view stream) {
  std::vector<std::string> data;
  for (const Seen& seen : read({stream}).events) data.push_back(seen.data);
  return data;
}

using Data = std::vector<std::string>;

TEST(Sse, LinesEndInAnyOfThreeWays) {
  EXPECT_EQ(data_of("data: a\n\ndata: b\n\n"), (Data{"a", "b"}));
  EXPECT_EQ(data_of("data: a\r\n\r\ndata: b\r\n\r\n"), (Data{"a", "b"}));
  EXPECT_EQ(data_of("data: a\r\rdata: b\r\r"), (Data{"a", "b"}));
  EXPECT_EQ(data_of("data: a\r\n\ndata: b\n\r\ndata: c\n\rdata: d\r\n\r"), (Data{"a", "b", "c"}));
}

TEST(Sse, FieldsOfAnEvent) {
  EXPECT_EQ(data_of("data:a\n\n"), (Data{"a"}));
  EXPECT_EQ(data_of("data:  a\n\n"), (Data{" a"}));
  EXPECT_EQ(data_of("data\n\n"), (Data{""}));
  EXPECT_EQ(data_of("data: a\ndata: b\ndata\n\n"), (Data{"a\nb\n"}));
  EXPECT_EQ(data_of("data:\ndata:\n\n"), (Data{"\n"}));
  EXPECT_EQ(data_of("Data: a\ndat: b\nid: 7\nretry: 1\n\n"), (Data{""}));
  EXPECT_EQ(data_of(": ping\n\n"), (Data{""}));
  EXPECT_EQ(data_of("\n\n\n"), (Data{"", "", ""}));
  EXPECT_EQ(data_of(": note\ndata: a\n: note\n\n"), (Data{"a"}));
  EXPECT_EQ(data_of("\xEF\xBB\xBF"
                    "data: a\n\n\xEF\xBB\xBF"
                    "data: b\n\n"),
            (Data{"a", ""}));
  const Read named = read({"event: first\nevent: error\ndata: a: b\n\n"});
  ASSERT_EQ(named.events.size(), 1u);
  EXPECT_EQ(named.events[0].name, "error");
  EXPECT_EQ(named.events[0].data, "a: b");
}

TEST(Sse, AnUnfinishedEventIsHeldBack) {
  const Read seen = read({"data: a\n\ndata: b\n"});
  ASSERT_EQ(seen.events.size(), 1u);
  EXPECT_EQ(seen.rest, "data: b\n");
}

TEST(Sse, WholeEventsAreNotCopied) {
  SseScanner scanner;
  const std::string bytes = "data: one\n\ndata: two\n\n";
  std::vector<const char*> where;
  ASSERT_TRUE(
      scanner.feed(bytes, [&](const SseScanner::Event& event) { where.push_back(event.data.data()); }));
  EXPECT_EQ(where, (std::vector<const char*>{bytes.data() + 6, bytes.data() + 17}));
}

TEST(Sse, ALoneCrStreamWaitsForNothing) {
  SseScanner scanner;
  int events = 0;
  ASSERT_TRUE(scanner.feed("data: a\r\r", [&](const SseScanner::Event&) { ++events; }));
  EXPECT_EQ(events, 1);
}

TEST(Sse, EveryCutGivesTheSameEvents) {
  const std::vector<std::string> streams = {
      "data: {\"id\":\"cmpl-1\",\"choices\":[{\"text\":\" the\"}]}\n\ndata: "
      "{\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n",
      ": keep-alive\r\n\r\nevent: error\r\ndata: {}\r\ndata: {}\r\n\r\nid: 1\r\ndata: x\r\n\r\nrest",
      "data: a\r\r\ndata: b\r\n\rdata: c\n\r\r\n\n\r\rdata\r\r\n\n:\r\n\r\n\r",
      "\xEF\xBB\xBF"
      "data: a\n\n\n\ndata: b\r\n\r\n\r\n",
      "\r\n\r\n\r\r\n\n\r",
  };
  for (const std::string& stream : streams) {
    const Read whole = read({stream});
    std::string joined;
    for (const Seen& seen : whole.events) joined += seen.raw;
    EXPECT_EQ(joined + whole.rest, stream);
    const std::string_view view(stream);
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      for (std::size_t again = cut; again <= stream.size(); ++again) {
        const Read pieces = read({view.substr(0, cut), view.substr(cut, again - cut), view.substr(again)});
        ASSERT_EQ(pieces.events, whole.events) << "cut at " << cut << " and " << again;
        ASSERT_EQ(pieces.rest, whole.rest);
      }
    }
    std::vector<std::string_view> bytewise;
    for (std::size_t i = 0; i < stream.size(); ++i) bytewise.push_back(view.substr(i, 1));
    EXPECT_TRUE(read(bytewise) == whole);
  }
}

TEST(Sse, LimitsOneEvent) {
  const std::string fits = "data: " + std::string(92, 'a') + "\n\n";
  ASSERT_EQ(fits.size(), 100u);
  EXPECT_FALSE(read({fits, fits}, 100).failed);
  const std::string over = "data: " + std::string(93, 'a') + "\n\n";
  EXPECT_TRUE(read({over}, 100).failed);
  EXPECT_TRUE(read({std::string_view(over).substr(0, 50), std::string_view(over).substr(50)}, 100).failed);
  EXPECT_TRUE(read({std::string(101, 'a')}, 100).failed);
  const Read after_good = read({fits + over}, 100);
  EXPECT_TRUE(after_good.failed);
  EXPECT_EQ(after_good.events.size(), 1u);
}

// A quadratic scan would take many seconds here.
TEST(Sse, HostileLineEndsAreWalkedOnce) {
  const std::string returns(1 << 18, '\r');
  EXPECT_EQ(read({returns}, 8 << 20).events.size(), returns.size());
  std::string lines = "a";
  for (int i = 0; i < 1 << 19; ++i) lines += "\ra";
  EXPECT_EQ(read({lines + "\r\r"}, 8 << 20).events.size(), 1u);
}

}  // namespace
}  // namespace tidegate::http

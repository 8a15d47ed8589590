#include "cluster/apiserver/spdy.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidegate::apiserver {
namespace {

std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

// As zlib packs them with the protocol's dictionary: streams 1 and 3, their fields one compressed stream.
const std::string kError = bytes_of(
    "800300010000003d0000000100000000000078f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45e01c6061606000"
    "a439"
    "8b20d198094ade8c0600000000ffff");
const std::string kData = bytes_of("800300010000001800000003000000000000c2aa19540e2512d60b000000ffff");

std::vector<SpdyFrame> read_all(SpdyReader& reader) {
  std::vector<SpdyFrame> told;
  while (true) {
    const auto frame = reader.next();
    EXPECT_TRUE(frame);
    if (!frame || !*frame) return told;
    told.push_back(**frame);
  }
}

TEST(Spdy, ReadsFramesHoweverTheyArrive) {
  const std::string settings = bytes_of("800300040000000400000000");  // of no interest
  const std::string bytes = kError + spdy_data(1, {}, true) + settings + kData + spdy_data(3, "hello") +
                            spdy_ping(7) + spdy_reset(3);
  SpdyReader reader(1000);
  std::vector<SpdyFrame> told;
  for (const char c : bytes) {
    reader.feed({&c, 1});
    for (const SpdyFrame& frame : read_all(reader)) told.push_back(frame);
  }
  ASSERT_EQ(told.size(), 6U);
  EXPECT_EQ(told[0].kind, SpdyKind::kOpen);
  EXPECT_EQ(told[0].fields, (std::map<std::string, std::string>{
                                {"streamtype", "error"}, {"port", "8000"}, {"requestid", "0"}}));
  EXPECT_TRUE(told[1].last);
  EXPECT_EQ(told[2].stream, 3U);
  EXPECT_EQ(told[2].fields.at("streamtype"), "data");
  EXPECT_EQ(told[3].payload, "hello");
  EXPECT_FALSE(told[3].last);
  EXPECT_EQ(told[4].kind, SpdyKind::kPing);
  EXPECT_EQ(told[4].stream, 7U);
  EXPECT_EQ(told[5].kind, SpdyKind::kReset);
}

// What is written for a reply is a compressed stream too.
TEST(Spdy, RepliesUnpackToNoFields) {
  SpdyReader reader(1000);
  reader.feed(spdy_reply(1, true) + spdy_reply(3, false) + spdy_data(3, "x"));
  const auto told = read_all(reader);
  ASSERT_EQ(told.size(), 1U);  // replies say nothing to a server, but had to be unpacked
  EXPECT_EQ(told[0].payload, "x");
}

TEST(Spdy, RefusesWhatCannotBeRead) {
  for (const std::string& wrong :
       {bytes_of("800200010000000000000001"),                           // another version
        bytes_of("8003000100000004") + "abcd",                          // too short
        kData,                                                          // without what came before
        kError + bytes_of("8003000100000010") + "0123456789garble"}) {  // no compressed stream
    SpdyReader reader(1000);
    reader.feed(wrong);
    auto frame = reader.next();
    while (frame && *frame) frame = reader.next();
    EXPECT_FALSE(frame);
  }
  SpdyReader reader(10);
  reader.feed(spdy_data(1, "12345678901"));
  EXPECT_EQ(reader.next().error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace tidegate::apiserver

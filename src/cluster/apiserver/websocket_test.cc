#include "cluster/apiserver/websocket.h"

#include <gtest/gtest.h>

#include "cluster/apiserver/exec.h"

namespace tidegate::apiserver {
namespace {

std::string masked(int first, std::string_view payload) {
  std::string frame = {static_cast<char>(first), static_cast<char>(0x80 | payload.size())};
  const std::string mask = "abcd";
  frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame;
}

// The example of RFC 6455, section 1.3.
TEST(WebSocket, AcceptsAsTheRfcSays) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, ReadsMessagesHoweverTheyArrive) {
  const std::string bytes =
      masked(0x02, "he") + masked(0x89, "ping") + masked(0x80, "llo") + masked(0x82, "");
  WebSocketReader reader(100);
  std::vector<std::string> told;
  for (const char c : bytes) {
    reader.feed({&c, 1});
    const auto message = reader.next();
    ASSERT_TRUE(message);
    if (*message) told.push_back((*message)->payload);
  }
  EXPECT_EQ(told, (std::vector<std::string>{"ping", "hello", ""}));
}

TEST(WebSocket, RefusesWhatNoClientMaySend) {
  for (const std::string& wrong : {websocket_frame(WebSocketKind::kBinary, "unmasked"),
                                   masked(0xc2, "reserved"), masked(0x80, "continues nothing"),
                                   masked(0x09, "a control frame in pieces"), masked(0x8f, "unknown")}) {
    WebSocketReader reader(100);
    reader.feed(wrong);
    EXPECT_FALSE(reader.next()) << wrong;
  }
  WebSocketReader reader(10);
  reader.feed(masked(0x02, "123456"));
  EXPECT_TRUE(reader.next());
  reader.feed(masked(0x80, "123456"));
  EXPECT_EQ(reader.next().error().code, Code::kTooLarge);
}

TEST(Exec, SaysHowItEnded) {
  EXPECT_EQ(exec_status(0), R"({"metadata":{},"status":"Success"})");
  EXPECT_NE(exec_status(3).find(R"("causes":[{"reason":"ExitCode","message":"3"}])"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::apiserver

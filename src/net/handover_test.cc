#include "net/handover.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>

namespace tidegate::net {
namespace {

std::string fresh_path() {
  return std::filesystem::temp_directory_path() / ("tidegate-handover-" + std::to_string(::getpid()));
}

std::vector<HandedSocket> some(std::size_t count) {
  std::vector<HandedSocket> sockets;
  for (std::size_t i = 0; i < count; ++i)
    sockets.emplace_back("127.0.0.1:" + std::to_string(i), ::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return sockets;
}

TEST(Handover, GivesEverySocketOnceAndHearsTheEnd) {
  std::promise<void> heard;
  const auto server = HandoverServer::listen(
      fresh_path(), [] { return some(150); }, [&] { heard.set_value(); });
  ASSERT_TRUE(server.has_value()) << server.error().message;
  struct stat about {};
  ASSERT_EQ(::stat(fresh_path().c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777U, 0600U);
  auto takeover = Takeover::begin(fresh_path());
  ASSERT_TRUE(takeover.has_value()) << takeover.error().message;
  ASSERT_TRUE(takeover->has_value());
  ASSERT_EQ((*takeover)->sockets().size(), 150U);
  EXPECT_EQ((*takeover)->sockets()[149].address(), "127.0.0.1:149");
  char byte = 0;
  EXPECT_EQ(::read((*takeover)->sockets()[149].fd(), &byte, 1), 0);
  (*takeover)->finish();
  EXPECT_EQ(heard.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(Handover, OneThatBreaksOffLeavesThingsAsTheyWere) {
  bool heard = false;
  {
    const auto server = HandoverServer::listen(
        fresh_path(), [] { return some(1); }, [&] { heard = true; });
    ASSERT_TRUE(server.has_value());
    { ASSERT_TRUE(Takeover::begin(fresh_path()).has_value()); }
    auto again = Takeover::begin(fresh_path());
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ((*again)->sockets().size(), 1U);
  }
  EXPECT_FALSE(heard);
  EXPECT_FALSE(std::filesystem::exists(fresh_path()));
}

TEST(Handover, NobodyThereIsNoError) {
  const auto none = Takeover::begin(fresh_path());
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
  EXPECT_FALSE(Takeover::begin(std::string(200, 'x')).has_value());
}

}  // namespace
}  // namespace tidegate::net

#include "telemetry/access_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "telemetry/log_ring.h"

namespace tidegate::telemetry {
namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string fresh_path(const std::string& name) {
  const std::string path = testing::TempDir() + "/tidegate_" + std::to_string(::getpid()) + "_" + name;
  std::remove(path.c_str());
  return path;
}

std::unique_ptr<AccessLog> open_log(AccessLogOptions options) {
  auto log = AccessLog::open(std::move(options));
  EXPECT_TRUE(log.has_value()) << describe(log.error());
  return *std::move(log);
}

TEST(AccessLine, HoldsAsmsFields) {
  AccessEntry entry;
  entry.start_time = WallTime{} + std::chrono::seconds(1'700'000'000) + std::chrono::milliseconds(42);
  entry.duration = std::chrono::microseconds(1'234'567);
  entry.time_to_first_token = std::chrono::microseconds(50);
  entry.bytes_received = 120;
  entry.bytes_sent = 4096;
  entry.request_prompt_tokens = 12;
  entry.request_completion_tokens = 0;
  entry.response_code = 200;
  entry.retries = 1;
  entry.stream = true;
  entry.method = "POST";
  entry.path = "/v1/completions?api_key=hidden";
  entry.protocol = "HTTP/1.1";
  entry.authority = "test.com";
  entry.request_model = "lora-request";
  entry.target_model = "sql-lora-1";
  entry.upstream_host = "127.0.1.1:8000";
  EXPECT_EQ(
      to_json_line(entry),
      "{\"start_time\":\"2023-11-14T22:13:20.042Z\",\"method\":\"POST\",\"path\":\"/v1/completions\","
      "\"protocol\":\"HTTP/1.1\",\"response_flags\":null,\"authority\":\"test.com\",\"user_agent\":null,"
      "\"request_id\":null,\"x_forwarded_for\":null,\"trace_id\":null,\"downstream_remote_address\":null,"
      "\"upstream_host\":\"127.0.1.1:8000\",\"upstream_cluster\":null,\"route_name\":null,"
      "\"request_model\":\"lora-request\",\"target_model\":\"sql-lora-1\",\"error\":null,"
      "\"response_code\":200,\"duration\":1234.567,\"time_to_first_token\":0.050,"
      "\"upstream_service_time\":null,\"bytes_received\":120,\"bytes_sent\":4096,"
      "\"request_prompt_tokens\":12,\"request_completion_tokens\":0,\"retries\":1,\"stream\":true}");
}

TEST(AccessLine, UnknownIsNullAndNeverZero) {
  const std::string line = to_json_line({});
  EXPECT_NE(line.find("\"request_prompt_tokens\":null"), std::string::npos);
  EXPECT_NE(line.find("\"time_to_first_token\":null"), std::string::npos);
}

TEST(AccessLine, HostileTextStaysInsideItsString) {
  AccessEntry entry;
  entry.user_agent = "a\"b\\c\nd\x01\xff";
  entry.authority = std::string_view("x\0y", 3);
  const std::string line = to_json_line(entry);
  EXPECT_NE(line.find("\"user_agent\":\"a\\\"b\\\\c\\u000ad\\u0001\xEF\xBF\xBD\""), std::string::npos)
      << line;
  EXPECT_NE(line.find("\"authority\":\"x\\u0000y\""), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(AccessLine, LongTextIsCut) {
  AccessEntry entry;
  const std::string text(100'000, 'p');
  entry.path = text;
  entry.user_agent = text;
  EXPECT_LT(to_json_line(entry).size(), 2500u);
}

TEST(AccessLog, WritesEveryEntryOfEveryShard) {
  const std::string path = fresh_path("all");
  auto log = open_log({.path = path, .shards = 2, .ring_bytes = 1 << 20});
  std::vector<std::thread> workers;
  for (std::size_t shard = 0; shard < 2; ++shard) {
    workers.emplace_back([&, shard] {
      AccessEntry entry;
      entry.request_id = shard == 0 ? "zero" : "one";
      for (int i = 0; i < 1000; ++i) EXPECT_TRUE(log->record(shard, entry));
    });
  }
  for (std::thread& worker : workers) worker.join();
  log->flush();
  EXPECT_EQ(lines_of(path).size(), 2000u);
  EXPECT_EQ(log->written(), 2000u);
  EXPECT_EQ(log->dropped(), 0u);
}

TEST(AccessLog, ClosingWritesWhatIsWaiting) {
  const std::string path = fresh_path("close");
  {
    auto log = open_log({.path = path, .flush_interval = std::chrono::hours(1)});
    EXPECT_TRUE(log->record(0, {}));
  }
  EXPECT_EQ(lines_of(path).size(), 1u);
}

// A pipe that nobody reads stands for a disk that hangs.
TEST(AccessLog, ASlowReaderCostsEntriesAndNeverTime) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto log = open_log({.path = "/proc/self/fd/" + std::to_string(ends[1]), .ring_bytes = 16 * 1024});
  AccessEntry entry;
  entry.path = "/v1/completions";
  for (int i = 0; i < 10'000; ++i) log->record(0, entry);
  EXPECT_GT(log->dropped(), 0u);
  log.reset();  // does not wait for the reader either
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(AccessLog, ReopenFollowsARotatedFile) {
  const std::string path = fresh_path("rotate");
  const std::string old = fresh_path("rotate.1");
  auto log = open_log({.path = path});
  log->record(0, {});
  log->flush();
  ASSERT_EQ(std::rename(path.c_str(), old.c_str()), 0);
  log->reopen();
  log->flush();
  log->record(0, {});
  log->flush();
  EXPECT_EQ(lines_of(old).size(), 1u);
  EXPECT_EQ(lines_of(path).size(), 1u);
}

TEST(AccessLog, RefusesWhatCannotWork) {
  EXPECT_EQ(AccessLog::open({.path = "/nonexistent/folder/log"}).error().field, "path");
  EXPECT_EQ(AccessLog::open({.shards = 0}).error().field, "shards");
  EXPECT_EQ(AccessLog::open({.ring_bytes = 10}).error().field, "ring_bytes");
  EXPECT_EQ(AccessLog::open({.flush_interval = Duration::zero()}).error().field, "flush_interval");
}

TEST(LogRing, RecordsWrapAndKeepTheirOrder) {
  LogRing ring(1024);
  std::uint32_t written = 0;
  std::uint32_t read = 0;
  while (read < 10'000) {
    const std::size_t size = 4 + written * 37 % 300;
    if (char* space = ring.reserve(size)) {
      std::memcpy(space, &written, sizeof(written));
      ring.commit(size);
      ++written;
      continue;
    }
    for (auto record = ring.front(); !record.empty(); record = ring.front()) {
      std::uint32_t number = 0;
      std::memcpy(&number, record.data(), sizeof(number));
      EXPECT_EQ(number, read);
      EXPECT_EQ(record.size(), 4 + read * 37 % 300);
      ++read;
      ring.pop();
    }
  }
}

TEST(LogRing, TwoThreadsLoseNothing) {
  LogRing ring(4096);
  constexpr std::uint32_t kRecords = 100'000;
  std::thread writer([&] {
    for (std::uint32_t i = 0; i < kRecords;) {
      if (char* space = ring.reserve(4 + i % 90)) {
        std::memcpy(space, &i, sizeof(i));
        ring.commit(4 + i % 90);
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (std::uint32_t expected = 0; expected < kRecords;) {
    const auto record = ring.front();
    if (record.empty()) {
      std::this_thread::yield();
      continue;
    }
    std::uint32_t number = 0;
    std::memcpy(&number, record.data(), sizeof(number));
    ASSERT_EQ(number, expected);
    ASSERT_EQ(record.size(), 4 + expected % 90);
    ring.pop();
    ++expected;
  }
  writer.join();
}

}  // namespace
}  // namespace tidegate::telemetry

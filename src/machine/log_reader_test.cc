#include "machine/log_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "machine/log_file.h"
#include "machine/sweep.h"

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;
using cluster::LogOptions;
using resource::Json;

constexpr WallTime kStart{std::chrono::seconds(1'800'000'000)};

class LogReaderTest : public ::testing::Test {
 protected:
  LogReaderTest() {
    std::string name = (fs::temp_directory_path() / "tidegate-log-XXXXXX").string();
    folder = mkdtemp(name.data());
  }
  ~LogReaderTest() override { fs::remove_all(folder); }

  // Lines "1" to "count", a second apart.
  void write_lines(int count, LogLimits limits = {}) {
    LogFile log(folder / "0.log", limits);
    for (int i = 1; i <= count; ++i)
      log.write(LogFile::Stream::kOut, std::to_string(i) + "\n", kStart + std::chrono::seconds(i));
  }

  std::string read(const LogOptions& options, std::int64_t run = 0) {
    const auto reader = open_log(folder, run, options);
    if (!reader) return describe(reader.error());
    std::string text;
    for (int i = 0; i < 1000; ++i) {
      const auto part = (*reader)();
      text += part.text;
      if (part.ended) return text;
    }
    return text + "(never ended)";
  }

  fs::path folder;
};

TEST_F(LogReaderTest, GivesWhatWasAskedFor) {
  write_lines(5);
  EXPECT_EQ(read({}), "1\n2\n3\n4\n5\n");
  EXPECT_EQ(read({.tail_lines = 2}), "4\n5\n");
  EXPECT_EQ(read({.tail_lines = 0}), "");
  EXPECT_EQ(read({.tail_lines = 100}), "1\n2\n3\n4\n5\n");
  EXPECT_EQ(read({.limit_bytes = 3}), "1\n2");
  EXPECT_EQ(read({.since = kStart + std::chrono::seconds(4)}), "4\n5\n");
  EXPECT_EQ(read({.timestamps = true, .tail_lines = 1}), log_time(kStart + std::chrono::seconds(5)) + " 5\n");
}

TEST_F(LogReaderTest, ReadsAcrossRotatedFiles) {
  write_lines(100, {.file_bytes_max = 1000, .files_max = 3});
  const std::string all = read({});
  EXPECT_TRUE(all.ends_with("\n99\n100\n")) << all;
  EXPECT_EQ(read({.tail_lines = 40}).substr(0, 3), "61\n");
}

TEST_F(LogReaderTest, LongLinesComeBackWhole) {
  LogFile log(folder / "0.log", {});
  const std::string line(3 * LogFile::kLineMax + 5, 'x');
  log.write(LogFile::Stream::kErr, line + "\nend\n", kStart);
  EXPECT_EQ(read({}), line + "\nend\n");
  EXPECT_EQ(read({.timestamps = true}).find(line), log_time(kStart).size() + 1);
}

TEST_F(LogReaderTest, FollowsThroughRotationUntilTheRunEnds) {
  write_pid_file(folder, {.pid = 1, .started = 1});
  LogFile log(folder / "0.log", {.file_bytes_max = 200, .files_max = 4});
  log.write(LogFile::Stream::kOut, "a\n", kStart);
  const auto reader = open_log(folder, 0, {.follow = true});
  ASSERT_TRUE(reader.has_value());
  auto part = (*reader)();
  EXPECT_EQ(part.text, "a\n");
  EXPECT_FALSE(part.ended);
  EXPECT_EQ((*reader)().text, "");
  for (int i = 0; i < 4; ++i) {
    log.write(LogFile::Stream::kOut, std::string(100, 'b') + "\n", kStart);  // each fills a file
    EXPECT_EQ((*reader)().text, std::string(100, 'b') + "\n");
  }
  log.write(LogFile::Stream::kOut, "last", kStart);
  log.finish(kStart);
  remove_pid_file(folder);
  part = (*reader)();
  EXPECT_EQ(part.text, "last\n");
  EXPECT_TRUE(part.ended);
}

Json pod_with(const Json& status) {
  Json pod =
      Json::parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
    "spec": {"containers": [{"name": "a"}]}})");
  if (!status.is_null()) pod["status"]["containerStatuses"] = Json::array({status});
  return pod;
}

TEST(ChooseLog, SpeaksAsTheKubelet) {
  const auto choose = [](Json pod, LogOptions options) -> std::string {
    const auto choice = choose_log(**resource::Object::make(std::move(pod)), options);
    return choice ? choice->container + std::to_string(choice->run) : choice.error().message;
  };
  const Json running = {{"name", "a"}, {"restartCount", 3}, {"state", {{"running", Json::object()}}}};
  Json restarted = running;
  restarted["lastState"]["terminated"] = Json::object();
  const Json crashed = {{"name", "a"},
                        {"restartCount", 3},
                        {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}}}}},
                        {"lastState", {{"terminated", Json::object()}}}};
  const Json waiting = {{"name", "a"}, {"state", {{"waiting", {{"reason", "ErrImagePull"}}}}}};
  EXPECT_EQ(choose(pod_with(running), {}), "a3");
  EXPECT_EQ(choose(pod_with(restarted), {.previous = true}), "a2");
  EXPECT_EQ(choose(pod_with(crashed), {}), "a3");
  EXPECT_EQ(choose(pod_with(crashed), {.previous = true}), "a3");
  EXPECT_EQ(choose(pod_with(running), {.previous = true}),
            "previous terminated container \"a\" in pod \"p\" not found");
  EXPECT_EQ(choose(pod_with(waiting), {}), "container \"a\" in pod \"p\" is waiting to start: ErrImagePull");
  EXPECT_EQ(choose(pod_with(nullptr), {}),
            "container \"a\" in pod \"p\" is waiting to start: ContainerCreating");
  EXPECT_EQ(choose(pod_with(running), {.container = "x"}), "container x is not valid for pod p");
  Json two = pod_with(running);
  two["spec"]["containers"].push_back({{"name", "b"}});
  EXPECT_EQ(choose(two, {}), "a container name must be specified for pod p, choose one of: [a b]");
}

}  // namespace
}  // namespace tidegate::machine

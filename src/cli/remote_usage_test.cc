#include "cli/remote_usage.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::cli {
namespace {

using resource::Json;

TEST(RemoteUsage, IsReadFromPodMetrics) {
  const auto pods = read_pod_metrics(Json::parse(R"({"kind": "PodMetricsList", "items": [
    {"metadata": {"name": "a", "namespace": "default"}, "timestamp": "2026-01-01T00:00:00Z", "window": "15s",
     "containers": [{"name": "engine", "usage": {"cpu": "250m", "memory": "64Mi"}},
                    {"name": "odd", "usage": {"cpu": "much", "memory": -1}}]},
    {"metadata": {"name": "b", "namespace": "default"}, "timestamp": "yesterday"}, 7]})"));
  ASSERT_EQ(pods.size(), 1u);
  EXPECT_EQ(pods[0].pod.text(), "default/a");
  EXPECT_EQ(pods[0].window, std::chrono::seconds(15));
  ASSERT_EQ(pods[0].containers.size(), 2u);
  EXPECT_DOUBLE_EQ(pods[0].containers[0].usage.cpu_cores, 0.25);
  EXPECT_EQ(pods[0].containers[0].usage.memory_bytes, 64u * 1024 * 1024);
  EXPECT_EQ(pods[0].containers[1].usage.cpu_cores, 0);
  EXPECT_TRUE(read_pod_metrics(Json::parse(R"({"items": "none"})")).empty());
}

}  // namespace
}  // namespace tidegate::cli

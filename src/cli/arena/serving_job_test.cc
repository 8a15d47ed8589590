#include "cli/arena/serving_job.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/rfc3339.h"

namespace tidegate::arena {
namespace {

using resource::Json;

const WallTime kNow = *parse_rfc3339("2026-01-01T00:10:00Z");

Json service() {
  return Json::parse(R"({"metadata": {"name": "qwen", "namespace": "default", "uid": "u",
      "creationTimestamp": "2026-01-01T00:07:00Z"},
    "status": {"url": "http://qwen-default.example.com", "components": {"predictor": {
      "latestCreatedRevision": "qwen-predictor-abcde",
      "traffic": [{"revisionName": "qwen-predictor-abcde", "percent": 20, "latestRevision": true},
                  {"revisionName": "qwen-predictor-12345", "percent": 80, "tag": "prev"}]}}}})");
}

Json deployment(const char* of) {
  Json document = Json::parse(R"({"metadata": {"namespace": "default"},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [
      {"name": "c", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}}},
    "status": {"replicas": 2, "availableReplicas": 1}})");
  document["metadata"]["labels"]["serving.kserve.io/inferenceservice"] = of;
  return document;
}

Json pod(const char* name, const char* node) {
  Json document =
      Json::parse(R"({"metadata": {"namespace": "default", "creationTimestamp": "2026-01-01T00:08:30Z",
      "labels": {"serving.kserve.io/inferenceservice": "qwen"}},
    "spec": {"containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]},
    "status": {"phase": "Pending"}})");
  document["metadata"]["name"] = name;
  if (*node != 0) {
    document["spec"]["nodeName"] = node;
    document["status"]["phase"] = "Running";
    document["status"]["containerStatuses"] = Json::parse(R"([{"ready": true, "restartCount": 2}])");
  }
  return document;
}

ServingJob example() {
  return job_of(service(), {deployment("qwen"), deployment("another")},
                {pod("qwen-1", "edge"), pod("qwen-2", "")}, kNow);
}

TEST(ServingJob, IsListedAsArenaDoes) {
  EXPECT_EQ(list_text({}, false, ""), "NAME  TYPE  VERSION  DESIRED  AVAILABLE  ADDRESS  PORTS\n");
  EXPECT_EQ(
      list_text({example()}, true, "wide"),
      "NAMESPACE  NAME  TYPE    VERSION  DESIRED  AVAILABLE  ADDRESS                          PORTS  GPU\n"
      "default    qwen  KServe  abcde    2        1          http://qwen-default.example.com  :80    2\n");
}

TEST(ServingJob, IsToldAsArenaDoes) {
  EXPECT_EQ(get_text(example(), ""),
            "Name:       qwen\n"
            "Namespace:  default\n"
            "Type:       KServe\n"
            "Version:    abcde\n"
            "Desired:    2\n"
            "Available:  1\n"
            "Age:        3m\n"
            "Address:    http://qwen-default.example.com\n"
            "Port:       :80\n"
            "GPU:        2\n"
            "\n"
            "LatestRevision:     qwen-predictor-abcde\n"
            "LatestPrecent:      20\n"
            "PrevRevision:       qwen-predictor-12345\n"
            "PrevPrecent:        80\n"
            "\n"
            "Instances:\n"
            "  NAME    STATUS   AGE  READY  RESTARTS  GPU  NODE\n"
            "  ----    ------   ---  -----  --------  ---  ----\n"
            "  qwen-1  Running  90s  1/1    2         1    edge\n"
            "  qwen-2  Pending  90s  0/1    0         1    N/A\n");
}

TEST(ServingJob, AsJsonItHasArenasKeys) {
  const Json document = Json::parse(get_text(example(), "json"));
  EXPECT_EQ(document["desiredInstances"], 2);
  EXPECT_EQ(document["availableInstances"], 1);
  EXPECT_EQ(document["ip"], "http://qwen-default.example.com");
  EXPECT_EQ(document["endpoints"][0]["port"], 80);
  EXPECT_EQ(document["requestGPUs"], 2);
  EXPECT_EQ(document["instances"][0]["nodeName"], "edge");
  EXPECT_EQ(document["creationTimestamp"], 1767226020);
  EXPECT_EQ(Json::parse(list_text({example()}, false, "json")).size(), 1u);
}

TEST(ServingJob, WithoutStatusItSaysSo) {
  Json bare = service();
  bare.erase("status");
  bare["metadata"]["name"] = "evil\x1b[2J";
  const ServingJob job = job_of(bare, {}, {}, kNow);
  EXPECT_EQ(list_text({job}, false, "").find('\x1b'), std::string::npos);
  EXPECT_NE(get_text(job, "").find("Port:       N/A\n"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::arena

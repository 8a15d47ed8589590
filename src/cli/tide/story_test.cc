#include "cli/tide/story.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tidegate::tide {
namespace {

using resource::Json;

resource::ObjectPtr object(const char* text) { return *resource::Object::make(Json::parse(text)); }

SeenPod pod(const char* name, const char* pool, const char* state) { return {name, pool, state, ""}; }

Scene scene(double at_s, std::int64_t wanted, std::vector<SeenPod> pods, std::int64_t rented) {
  Scene made;
  made.at_s = at_s;
  made.wanted = wanted;
  made.pods = std::move(pods);
  made.pools = {{.name = "edge", .rented = false, .ready = 1, .max = 1},
                {.name = "cloud",
                 .rented = true,
                 .ready = rented,
                 .max = 3,
                 .cost_per_hour = 36 * static_cast<double>(rented)}};
  made.traffic = {10, 100, 0};
  return made;
}

// Up to three and back, seen every second.
Story tide_of(const std::vector<Scene>& ebb) {
  Story story(3);
  story.look(scene(0, 1, {pod("a", "edge", "Ready")}, 0));
  story.look(scene(1, 3, {pod("a", "edge", "Ready"), pod("b", "", "Pending"), pod("c", "", "Pending")}, 0));
  story.look(
      scene(2, 3, {pod("a", "edge", "Ready"), pod("b", "cloud", "Ready"), pod("c", "cloud", "Starting")}, 2));
  story.look(
      scene(3, 3, {pod("a", "edge", "Ready"), pod("b", "cloud", "Ready"), pod("c", "cloud", "Ready")}, 2));
  story.load_stops(4);
  for (const Scene& each : ebb) story.look(each);
  return story;
}

TEST(Story, ATideIsToldAndPraised) {
  Story story = tide_of({scene(5, 1, {pod("a", "edge", "Ready"), pod("b", "cloud", "Terminating")}, 2),
                         scene(13, 1, {pod("a", "edge", "Ready")}, 0)});
  EXPECT_TRUE(story.risen());
  EXPECT_TRUE(story.back());
  EXPECT_EQ(story.complaints(), std::vector<std::string>());
  EXPECT_EQ(story.wanted_at(3), 1);
  EXPECT_EQ(story.ready_at(2), 2);
  EXPECT_EQ(story.ready_at(3), 3);
  EXPECT_EQ(story.pending_most(), 2);
  // Two machines from 2 s to 13 s at 72 an hour.
  EXPECT_NEAR(story.cost(), 72.0 * 11 / 3600, 1e-9);
  const std::string told = story.timeline();
  EXPECT_NE(told.find("serves on cloud"), std::string::npos) << told;
  EXPECT_NE(told.find("one replica, no machine rented"), std::string::npos) << told;
  EXPECT_NE(told.find("finishes its streams on cloud"), std::string::npos) << told;
  EXPECT_NE(told.find("has left cloud"), std::string::npos) << told;
  EXPECT_NE(compare_text({{"one", &story}}, 3).find("3 replicas ready after, s"), std::string::npos);
}

TEST(Story, WhatIsNoTideIsSaid) {
  EXPECT_EQ(tide_of({scene(5, 1, {pod("a", "edge", "Ready")}, 1)}).complaints(),
            std::vector<std::string>{"it did not come back to one replica and no rented machine"});
  EXPECT_EQ(
      tide_of({scene(5, 1, {pod("b", "cloud", "Ready")}, 1), scene(6, 1, {pod("a", "edge", "Ready")}, 0)})
          .complaints(),
      std::vector<std::string>{"a pod of the data centre left while one in the cloud stayed"});
  Scene failed = scene(5, 1, {pod("a", "edge", "Ready")}, 0);
  failed.traffic.failed = 2;
  EXPECT_EQ(tide_of({failed}).complaints(), std::vector<std::string>{"2 of 102 requests failed"});
  Story never(3);
  never.look(scene(0, 1, {pod("a", "edge", "Ready")}, 0));
  EXPECT_EQ(never.complaints().size(), 3u);
}

TEST(Story, EventsAreToldOnceAndOnlyThoseThatExplain) {
  Story story(3);
  Json event =
      Json::parse(R"({"metadata": {"uid": "1"}, "reason": "SuccessfulRescale", "message": "New size: 3",
                               "involvedObject": {"kind": "HorizontalPodAutoscaler", "name": "h"}})");
  story.skip(event);
  story.hear(event, 1);
  EXPECT_EQ(story.timeline(), "");
  event["metadata"]["uid"] = "2";
  story.hear(event, 2);
  story.hear(event, 3);
  EXPECT_EQ(
      story.timeline(),
      "     2.0 s  HorizontalPodAutoscaler/h                            SuccessfulRescale: New size: 3\n");
  event["metadata"]["uid"] = "3";
  event["reason"] = "Pulled";
  story.hear(event, 4);
  EXPECT_EQ(story.timeline().find("Pulled"), std::string::npos);
}

TEST(Scene, IsReadFromObjects) {
  Objects objects;
  objects.pools = {
      object(R"({"apiVersion": "tidegate.dev/v1alpha1", "kind": "NodePool", "metadata": {"name": "cloud"},
      "spec": {"provider": "local", "max": 3}, "status": {"ready": 1, "booting": 1, "costPerHour": "52.92"}})")};
  objects.nodes = {object(R"({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "cloud-1",
      "labels": {"alibabacloud.com/nodepool-id": "cloud"}}})")};
  objects.pods = {
      object(
          R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"nodeName": "cloud-1"},
                             "status": {"conditions": [{"type": "Ready", "status": "True"}]}})"),
      object(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}, "status": {"conditions":
                             [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}]}})")};
  objects.autoscaler =
      object(R"({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
      "spec": {"metrics": [{"type": "Pods", "pods": {"metric": {"name": "SM"}, "target": {"averageValue": "50"}}}]},
      "status": {"currentMetrics": [{"type": "Pods", "pods": {"current": {"averageValue": "99500m"}}}]}})");
  const Scene seen = scene_of(objects, 1.5, {2, 3, 0});
  EXPECT_EQ(seen.pods[0].pool, "cloud");
  EXPECT_EQ(seen.pods[0].state, "Ready");
  EXPECT_EQ(seen.pods[1].state, "Pending");
  EXPECT_EQ(seen.ready_rented(), 1);
  EXPECT_EQ(seen.rented_machines(), 2);
  EXPECT_DOUBLE_EQ(seen.cost_per_hour(), 52.92);
  const std::string block = block_text(seen, "walk");
  EXPECT_NE(block.find("SM 100 of 50"), std::string::npos) << block;
  EXPECT_NE(block.find("0/2 nodes are available"), std::string::npos) << block;
  EXPECT_EQ(line_text(seen),
            "0 wanted; pods cloud: 1 Ready; no machine: 1 Pending; cloud machines 1 ready, 1 booting "
            "(of at most 3); 52.92 per hour");
  EXPECT_NO_THROW(block_text(scene_of({}, -1, {}), ""));
}

}  // namespace
}  // namespace tidegate::tide

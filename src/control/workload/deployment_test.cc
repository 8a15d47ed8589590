#include "control/workload/deployment.h"

#include <map>

#include "cluster/apply.h"
#include "control/workload/test_objects.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using namespace testing;
using Verb = loop::Action::Verb;

ObjectPtr deployment_of(std::int64_t replicas, const char* image = "vllm:1") {
  Json document = parse(R"({"apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "pool", "namespace": "default"},
    "spec": {"selector": {"matchLabels": {"app": "pool"}},
      "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
      "template": {"metadata": {"labels": {"app": "pool"}},
        "spec": {"containers": [{"name": "engine"}]}}}})");
  document["spec"]["replicas"] = replicas;
  document["spec"]["template"]["spec"]["containers"][0]["image"] = image;
  return stored(std::move(document), "deployment-uid");
}

// A store and a ReplicaSet controller in miniature: applies decisions, and makes pods available when told.
class World {
 public:
  explicit World(ObjectPtr deployment) : deployment_(std::move(deployment)) {}

  loop::Decision decide() {
    std::vector<ObjectPtr> sets;
    for (const auto& [name, set] : sets_) sets.push_back(set);
    return decide_deployment(Kinds::find(), *deployment_, sets, pods_, now_);
  }

  // Applies one round. Returns how many changes it made.
  std::size_t round() {
    const auto decision = decide();
    for (const auto& action : decision.actions) apply(action);
    now_ += std::chrono::seconds(1);
    return decision.actions.size();
  }
  void settle() {
    for (int i = 0; i < 50 && round() > 0; ++i) {
    }
  }
  // Every set gets the pods it asks for, of which `ready` (at most) are available.
  void pods_follow(std::int64_t ready = 1000) {
    for (auto& [name, set] : sets_) {
      set = changed(set, [&](Json& json) {
        const std::int64_t replicas = json["spec"]["replicas"];
        json["status"] = {{"replicas", replicas},
                          {"readyReplicas", std::min(replicas, ready)},
                          {"availableReplicas", std::min(replicas, ready)}};
      });
    }
  }
  void edit(const std::function<void(Json&)>& change) {
    deployment_ = changed(deployment_, [&](Json& json) {
      change(json);
      json["metadata"]["generation"] = json["metadata"]["generation"].get<int>() + 1;
    });
  }

  std::int64_t replicas_of(const std::string& image) const {
    for (const auto& [name, set] : sets_) {
      if (set->json()["spec"]["template"]["spec"]["containers"][0]["image"] == image) {
        return set->json()["spec"]["replicas"];
      }
    }
    return -1;
  }
  std::string revision_of(const std::string& image) const {
    for (const auto& [name, set] : sets_) {
      if (set->json()["spec"]["template"]["spec"]["containers"][0]["image"] == image) {
        return set->metadata().annotations.at(std::string(kRevision));
      }
    }
    return "";
  }
  std::string annotation_of(const std::string& image, std::string_view name) const {
    for (const auto& [key, set] : sets_) {
      const Json& container = set->json()["spec"]["template"]["spec"]["containers"][0];
      const auto found = set->metadata().annotations.find(std::string(name));
      if (container["image"] == image && found != set->metadata().annotations.end()) return found->second;
    }
    return "";
  }
  std::string reason(const char* condition) const {
    const Json* found = resource::condition(deployment_->json(), condition);
    return found == nullptr ? "" : resource::text(*found, "reason");
  }
  const Json& deployment() const { return deployment_->json(); }
  std::size_t sets() const { return sets_.size(); }
  void pass(Duration time) { now_ += time; }
  std::vector<PodFacts> pods_;

 private:
  void apply(const loop::Action& action) {
    if (action.kind->kind == "Deployment") {
      deployment_ = changed(deployment_, [&](Json& json) { json = *action.document; });
    } else if (action.verb == Verb::kCreate) {
      sets_[action.key.name] = stored(*action.document, "uid-" + action.key.name, now_);
    } else if (action.verb == Verb::kRemove) {
      sets_.erase(action.key.name);
    } else {
      sets_[action.key.name] = *resource::Object::make(*action.document);
    }
  }

  ObjectPtr deployment_;
  std::map<std::string, ObjectPtr> sets_;
  WallTime now_ = kNow;
};

TEST(Deployment, FirstSetGetsEverythingAtOnce) {
  World world(deployment_of(3));
  world.settle();
  ASSERT_EQ(world.sets(), 1u);
  EXPECT_EQ(world.replicas_of("vllm:1"), 3);
  EXPECT_EQ(world.reason("Available"), "MinimumReplicasUnavailable");
  EXPECT_EQ(world.deployment()["metadata"]["annotations"][std::string(kRevision)], "1");
  world.pods_follow();
  world.settle();
  EXPECT_EQ(world.reason("Available"), "MinimumReplicasAvailable");
  EXPECT_EQ(world.reason("Progressing"), "NewReplicaSetAvailable");
  EXPECT_EQ(world.deployment()["status"]["availableReplicas"], 3);
  EXPECT_EQ(world.round(), 0u) << "a settled deployment is left alone";
}

TEST(Deployment, RollsOneByOneAndNeverBelowItsReplicas) {
  World world(deployment_of(3));
  world.settle();
  world.pods_follow();
  world.settle();
  world.edit([](Json& json) { json["spec"]["template"]["spec"]["containers"][0]["image"] = "vllm:2"; });
  world.settle();
  EXPECT_EQ(world.replicas_of("vllm:2"), 1);
  EXPECT_EQ(world.replicas_of("vllm:1"), 3);
  for (int i = 0; i < 10; ++i) {
    world.pods_follow();
    world.round();
    EXPECT_LE(world.replicas_of("vllm:1") + world.replicas_of("vllm:2"), 4);
  }
  world.pods_follow();
  world.settle();
  EXPECT_EQ(world.replicas_of("vllm:2"), 3);
  EXPECT_EQ(world.replicas_of("vllm:1"), 0);
  EXPECT_EQ(world.revision_of("vllm:2"), "2");
  EXPECT_EQ(world.reason("Progressing"), "NewReplicaSetAvailable");
}

TEST(Deployment, UndoUsesTheOldSetUnderANewRevision) {
  World world(deployment_of(1));
  world.settle();
  for (const char* image : {"vllm:2", "vllm:1"}) {
    world.edit([&](Json& json) { json["spec"]["template"]["spec"]["containers"][0]["image"] = image; });
    for (int i = 0; i < 10; ++i) {
      world.settle();
      world.pods_follow();
    }
  }
  EXPECT_EQ(world.sets(), 2u);
  EXPECT_EQ(world.replicas_of("vllm:1"), 1);
  EXPECT_EQ(world.revision_of("vllm:1"), "3");
  EXPECT_EQ(world.annotation_of("vllm:1", kRevisionHistory), "1");
}

TEST(Deployment, WhatIsWrittenOutUnsetIsTheSameTemplate) {
  World world(deployment_of(1));
  world.settle();
  world.edit([](Json& json) {
    json["spec"]["template"]["metadata"]["creationTimestamp"] = nullptr;
    json["spec"]["template"]["spec"]["containers"][0]["resources"] = Json::object();
  });
  world.settle();
  EXPECT_EQ(world.sets(), 1u);
}

TEST(Deployment, SaysWhatItScalesAndWhy) {
  World world(deployment_of(3));
  const auto first = world.decide();
  ASSERT_TRUE(first.actions.at(0).done);
  EXPECT_EQ(first.actions[0].done->reason, "ScalingReplicaSet");
  EXPECT_TRUE(first.actions[0].done->message.ends_with(" from 0 to 3")) << first.actions[0].done->message;
  world.settle();
  world.edit([](Json& json) {
    json["metadata"]["annotations"]["kubernetes.io/change-cause"] = "bigger";
    json["metadata"]["annotations"][std::string(cluster::kOriginAnnotation)] = "/a.yaml";  // the Deployment alone
  });
  world.settle();
  EXPECT_EQ(world.annotation_of("vllm:1", "kubernetes.io/change-cause"), "bigger");
  EXPECT_EQ(world.annotation_of("vllm:1", cluster::kOriginAnnotation), "");
}

TEST(Deployment, ScalesWithoutANewSet) {
  World world(deployment_of(3));
  world.settle();
  world.pods_follow();
  world.edit([](Json& json) { json["spec"]["replicas"] = 10; });
  world.settle();
  EXPECT_EQ(world.sets(), 1u);
  EXPECT_EQ(world.replicas_of("vllm:1"), 10);
  world.edit([](Json& json) { json["spec"]["replicas"] = 0; });
  world.settle();
  EXPECT_EQ(world.replicas_of("vllm:1"), 0);
}

TEST(Deployment, PausedDoesNotRoll) {
  World world(deployment_of(2));
  world.settle();
  world.pods_follow();
  world.settle();
  world.edit([](Json& json) {
    json["spec"]["paused"] = true;
    json["spec"]["template"]["spec"]["containers"][0]["image"] = "vllm:2";
  });
  world.settle();
  EXPECT_EQ(world.replicas_of("vllm:2"), -1);
  EXPECT_EQ(world.replicas_of("vllm:1"), 2);
  EXPECT_EQ(world.reason("Progressing"), "DeploymentPaused");
  world.edit([](Json& json) { json["spec"]["paused"] = false; });
  world.round();
  EXPECT_NE(world.reason("Progressing"), "DeploymentPaused");
}

TEST(Deployment, RecreateWaitsUntilTheOldPodsHaveEnded) {
  World world(deployment_of(1));
  world.edit([](Json& json) { json["spec"]["strategy"] = {{"type", "Recreate"}}; });
  world.settle();
  ASSERT_EQ(world.replicas_of("vllm:1"), 1);
  const ObjectPtr old_pod = stored(parse(R"({"apiVersion": "v1", "kind": "Pod",
      "metadata": {"name": "old", "namespace": "default"},
      "spec": {"containers": [{"name": "engine", "image": "vllm:1"}]}, "status": {"phase": "Running"}})"),
                                   "old-uid");
  world.pods_ = {read_pod(old_pod)};
  world.edit([](Json& json) { json["spec"]["template"]["spec"]["containers"][0]["image"] = "vllm:2"; });
  world.settle();
  EXPECT_EQ(world.replicas_of("vllm:1"), 0);
  EXPECT_EQ(world.replicas_of("vllm:2"), -1);
  world.pods_.clear();
  world.settle();
  EXPECT_EQ(world.replicas_of("vllm:2"), 1);
}

TEST(Deployment, SaysWhenTheDeadlineIsMissed) {
  World world(deployment_of(1));
  world.settle();
  EXPECT_EQ(world.reason("Progressing").substr(0, 10), "NewReplica");
  world.pass(std::chrono::seconds(700));
  world.settle();
  EXPECT_EQ(world.reason("Progressing"), "ProgressDeadlineExceeded");
}

TEST(Deployment, KeepsOnlySoMuchHistory) {
  World world(deployment_of(1));
  world.edit([](Json& json) { json["spec"]["revisionHistoryLimit"] = 2; });
  for (int image = 0; image < 6; ++image) {
    world.edit([&](Json& json) {
      json["spec"]["template"]["spec"]["containers"][0]["image"] = "vllm:" + std::to_string(image);
    });
    for (int i = 0; i < 10; ++i) {
      world.settle();
      world.pods_follow();
    }
  }
  EXPECT_EQ(world.sets(), 3u);
}

}  // namespace
}  // namespace tidegate::workload

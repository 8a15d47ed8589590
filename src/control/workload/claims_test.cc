#include "control/workload/claims.h"

#include "control/workload/test_objects.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

using namespace testing;
using Verb = loop::Action::Verb;

ObjectPtr claim(const std::string& name, const char* size = "10Gi") {
  Json document = parse(R"({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": "default"},
    "spec": {"accessModes": ["ReadOnlyMany"], "storageClassName": "oss", "resources": {"requests": {}}}})");
  document["metadata"]["name"] = name;
  document["spec"]["resources"]["requests"]["storage"] = size;
  return stored(std::move(document), "uid-" + name);
}

// As the documentation of ACK has it for a bucket.
ObjectPtr volume(const std::string& name, const char* size = "20Gi") {
  Json document = parse(R"({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"labels": {"alicloud-pvname": "m"}},
    "spec": {"capacity": {}, "accessModes": ["ReadOnlyMany"], "storageClassName": "oss",
      "persistentVolumeReclaimPolicy": "Retain",
      "csi": {"driver": "ossplugin.csi.alibabacloud.com", "volumeHandle": "m",
        "nodePublishSecretRef": {"name": "oss-secret", "namespace": "default"},
        "volumeAttributes": {"bucket": "b", "url": "oss.example.com", "otherOpts": "-o umask=022", "path": "/"}}}})");
  document["metadata"]["name"] = name;
  document["spec"]["capacity"]["storage"] = size;
  return stored(std::move(document), "uid-" + name);
}

// Rounds until nothing is left to do, each action applied as a server would.
struct World {
  std::vector<ObjectPtr> claims;
  std::vector<ObjectPtr> volumes;
  std::vector<cluster::EventNote> events;

  void settle() {
    for (int round = 0; round < 10; ++round) {
      const loop::Decision decision = decide_claims(claims, volumes);
      events = decision.events;
      if (decision.actions.empty()) return;
      for (const auto& action : decision.actions) {
        for (auto* objects : {&claims, &volumes}) {
          for (ObjectPtr& object : *objects) {
            const bool same = object->kind() == action.kind->kind && object->name() == action.key.name;
            if (same) object = *resource::Object::make(Json(*action.document));
          }
        }
      }
    }
    ADD_FAILURE() << "never comes to rest";
  }
};

TEST(Claims, TakeTheSmallestVolumeThatHoldsThem) {
  World world{{claim("models")}, {volume("large", "1Ti"), volume("right", "12Gi"), volume("small", "1Gi")}, {}};
  world.settle();
  EXPECT_EQ(resource::text(world.claims[0]->json(), "spec.volumeName"), "right");
  EXPECT_EQ(resource::text(world.claims[0]->json(), "status.phase"), "Bound");
  EXPECT_EQ(resource::text(world.claims[0]->json(), "status.capacity.storage"), "12Gi");
  EXPECT_EQ(resource::text(world.volumes[0]->json(), "status.phase"), "Available");
  EXPECT_EQ(resource::text(world.volumes[1]->json(), "status.phase"), "Bound");
  EXPECT_EQ(resource::text(world.volumes[1]->json(), "spec.claimRef.name"), "models");
}

TEST(Claims, TwoNeverShareAVolumeAndTheOneLeftSaysWhy) {
  World world{{claim("a"), claim("b")}, {volume("only")}, {}};
  world.settle();
  EXPECT_EQ(resource::text(world.claims[0]->json(), "status.phase"), "Bound");
  EXPECT_EQ(resource::text(world.claims[1]->json(), "status.phase"), "Pending");
  ASSERT_EQ(world.events.size(), 1u);
  EXPECT_EQ(world.events[0].reason, "ProvisioningFailed");
}

TEST(Claims, AVolumeOutlivesItsClaimAndAClaimMissesItsVolume) {
  World world{{claim("models")}, {volume("disk")}, {}};
  world.settle();
  const World bound = world;
  world.claims.clear();
  world.settle();
  EXPECT_EQ(resource::text(world.volumes[0]->json(), "status.phase"), "Released");
  world = bound;
  world.volumes.clear();
  world.settle();
  EXPECT_EQ(resource::text(world.claims[0]->json(), "status.phase"), "Lost");
}

}  // namespace
}  // namespace tidegate::workload

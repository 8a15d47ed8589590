// Claims as a store holds them, and the folders that a machine finds behind them.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/store/store.h"
#include "machine/claims.h"
#include "resource/kind.h"

namespace tidegate::cli {
namespace {

TEST(Claims, AreFoldersNamedOrBound) {
  const SystemClock clock;
  cluster::Store store(clock, Random(1));
  const auto add = [&](const char* text) {
    const resource::Json document = resource::Json::parse(text);
    const auto made =
        store.create(*resource::find_kind("v1", document["kind"].get<std::string>()), document);
    ASSERT_TRUE(made) << describe(made.error());
    ASSERT_TRUE(store.update_status(*resource::find_kind("v1", document["kind"].get<std::string>()), document));
  };
  const machine::Claims named = {{"adapters", "/srv/adapters"}};
  const machine::ClaimLookup lookup = machine::claims_in(store, named, "default");
  EXPECT_EQ(*lookup("adapters"), "/srv/adapters");
  EXPECT_EQ(lookup("models").error().message,
            "persistentvolumeclaim \"models\" not found; create it, or start with --claim models=DIR");

  add(R"({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"},
          "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"], "hostPath": {"path": "/srv/m"}}})");
  add(R"({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models", "namespace": "default"},
          "spec": {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "disk"},
          "status": {"phase": "Bound"}})");
  ASSERT_TRUE(lookup("models")) << describe(lookup("models").error());
  EXPECT_EQ(*lookup("models"), "/srv/m");

  add(R"({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "oss"},
          "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadOnlyMany"],
                   "csi": {"driver": "ossplugin.csi.alibabacloud.com", "volumeHandle": "oss"}}})");
  add(R"({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "bucket", "namespace": "default"},
          "spec": {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "oss"},
          "status": {"phase": "Bound"}})");
  const auto bucket = lookup("bucket");
  ASSERT_FALSE(bucket);
  EXPECT_NE(bucket.error().message.find("ossplugin.csi.alibabacloud.com that this machine does not mount"),
            std::string::npos);
}

}  // namespace
}  // namespace tidegate::cli

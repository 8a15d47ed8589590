// machine/restart.h over a real store.

#include "machine/restart.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/store/store.h"
#include "resource/fields.h"

namespace tidegate::cli {
namespace {

using resource::Json;

const resource::Kind& kind(const char* name) { return *resource::find_kind_by_name(name); }

TEST(Restart, PodsOfOurNodesAreNotReadyAndOthersAreLeftAlone) {
  const ManualClock clock;
  cluster::Store store(clock, Random(1));
  const auto make = [&](const std::string& name, const std::string& node) {
    const Json pod{{"apiVersion", "v1"},
                   {"kind", "Pod"},
                   {"metadata", {{"name", name}, {"namespace", "default"}}},
                   {"spec", {{"nodeName", node}, {"containers", {{{"name", "c"}, {"image", "i:1"}}}}}}};
    auto made = store.create(kind("pods"), pod);
    ASSERT_TRUE(made) << describe(made.error());
    Json document = (*made)->json();
    document["status"] = {{"phase", "Running"},
                          {"conditions", Json::array({{{"type", "PodScheduled"}, {"status", "True"}},
                                                      {{"type", "Ready"}, {"status", "True"}}})},
                          {"containerStatuses", Json::array({{{"name", "c"}, {"ready", true}}})}};
    ASSERT_TRUE(store.update_status(kind("pods"), document));
  };
  for (const auto& [name, provider] :
       {std::pair("home", ""), {"modelled", "local://a"}, {"foreign", "x://b"}}) {
    ASSERT_TRUE(store.create(kind("nodes"), Json{{"apiVersion", "v1"},
                                                 {"kind", "Node"},
                                                 {"metadata", {{"name", name}}},
                                                 {"spec", {{"providerID", provider}}}}));
    make(name, name);
  }
  ASSERT_TRUE(machine::mark_ended(store, "home", clock.wall()));
  const auto ready = [&](const char* name, const char* type = "Ready") {
    return resource::condition_is_true((*store.get(kind("pods"), {"default", name}))->json(), type);
  };
  EXPECT_FALSE(ready("home"));
  EXPECT_TRUE(ready("home", "PodScheduled"));
  EXPECT_FALSE(ready("modelled"));
  EXPECT_TRUE(ready("foreign"));
  const auto home = *store.get(kind("pods"), {"default", "home"});
  EXPECT_FALSE(home->json()["status"]["containerStatuses"][0]["ready"].get<bool>());
  // A second time there is nothing to say.
  ASSERT_TRUE(machine::mark_ended(store, "home", clock.wall()));
  EXPECT_EQ((*store.get(kind("pods"), {"default", "home"}))->metadata().resource_version,
            home->metadata().resource_version);
}

}  // namespace
}  // namespace tidegate::cli

#include "cluster/store/garbage.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cluster/store/store.h"

namespace tidegate::cluster {
namespace {

Json config_map(const std::string& name) {
  return {
      {"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", name}, {"namespace", "default"}}}};
}

class GarbageTest : public testing::Test {
 protected:
  ObjectPtr make(const std::string& name, const std::vector<ObjectPtr>& owners = {}, bool blocks = true) {
    Json document = config_map(name);
    for (const ObjectPtr& owner : owners) {
      document["metadata"]["ownerReferences"].push_back({{"apiVersion", "v1"},
                                                         {"kind", "ConfigMap"},
                                                         {"name", owner->name()},
                                                         {"uid", owner->metadata().uid},
                                                         {"blockOwnerDeletion", blocks}});
    }
    auto made = store.create(maps, std::move(document));
    EXPECT_TRUE(made) << describe(made.error());
    return *made;
  }
  void hold(const std::string& name) {
    ASSERT_TRUE(
        store.patch(maps, key(name), PatchType::kMerge, {{"metadata", {{"finalizers", {"x.io/hold"}}}}}));
  }
  void release(const std::string& name) {
    ASSERT_TRUE(store.patch(maps, key(name), PatchType::kMerge, {{"metadata", {{"finalizers", nullptr}}}}));
  }
  static Key key(const std::string& name) { return {"default", name}; }
  bool there(const std::string& name) { return store.get(maps, key(name)).has_value(); }

  ManualClock clock;
  Store store{clock, Random(1)};
  const Kind& maps = *resource::find_kind_by_name("configmaps");
};

TEST_F(GarbageTest, InTheForegroundDependentsGoFirst) {
  const ObjectPtr owner = make("owner");
  const ObjectPtr middle = make("middle", {owner});
  make("leaf", {middle});
  hold("leaf");
  const auto removed = store.remove(maps, key("owner"), {.propagation = Propagation::kForeground});
  ASSERT_TRUE(removed);
  EXPECT_FALSE(removed->gone);
  EXPECT_TRUE(waits_for_dependents(**store.get(maps, key("owner"))));
  EXPECT_TRUE(waits_for_dependents(**store.get(maps, key("middle"))));
  EXPECT_FALSE((*store.get(maps, key("leaf")))->metadata().deletion_timestamp.empty());
  release("leaf");
  EXPECT_FALSE(there("leaf"));
  EXPECT_FALSE(there("middle"));
  EXPECT_FALSE(there("owner"));
}

TEST_F(GarbageTest, OnlyDependentsThatBlockAreWaitedFor) {
  const ObjectPtr owner = make("owner");
  make("leaf", {owner}, false);
  hold("leaf");
  const auto removed = store.remove(maps, key("owner"), {.propagation = Propagation::kForeground});
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->gone);
  EXPECT_TRUE(there("leaf"));
  release("leaf");
  EXPECT_FALSE(there("leaf"));
}

TEST_F(GarbageTest, OrphansStayWithoutTheReference) {
  const ObjectPtr owner = make("owner");
  make("leaf", {owner});
  ASSERT_TRUE(store.remove(maps, key("owner"), {.propagation = Propagation::kOrphan}));
  EXPECT_FALSE(there("owner"));
  ASSERT_TRUE(there("leaf"));
  EXPECT_TRUE((*store.get(maps, key("leaf")))->metadata().owner_references.empty());
}

TEST_F(GarbageTest, ASecondOwnerKeepsWhatTheFirstLeaves) {
  const ObjectPtr one = make("one");
  const ObjectPtr two = make("two");
  make("leaf", {one, two});
  ASSERT_TRUE(store.remove(maps, key("one")));
  ASSERT_TRUE(there("leaf"));
  ASSERT_EQ((*store.get(maps, key("leaf")))->metadata().owner_references.size(), 1U);
  EXPECT_EQ((*store.get(maps, key("leaf")))->metadata().owner_references[0].uid, two->metadata().uid);
  ASSERT_TRUE(store.remove(maps, key("two")));
  EXPECT_FALSE(there("leaf"));
}

TEST_F(GarbageTest, LongChainsOfOwnersGo) {
  ObjectPtr owner = make("m0");
  for (int i = 1; i < 3000; ++i) owner = make("m" + std::to_string(i), {owner});
  ASSERT_TRUE(store.remove(maps, key("m0")));
  EXPECT_TRUE(store.list(maps)->items.empty());
  owner = make("m0");
  for (int i = 1; i < 3000; ++i) owner = make("m" + std::to_string(i), {owner});
  ASSERT_TRUE(store.remove(maps, key("m0"), {.propagation = Propagation::kForeground}));
  EXPECT_TRUE(store.list(maps)->items.empty());
}

TEST_F(GarbageTest, OwnersThatOwnEachOtherStayUntilAsked) {
  const ObjectPtr one = make("one");
  make("two", {one});
  Json looped = (*store.get(maps, key("one")))->json();
  looped["metadata"]["ownerReferences"] = {{{"apiVersion", "v1"},
                                            {"kind", "ConfigMap"},
                                            {"name", "two"},
                                            {"uid", (*store.get(maps, key("two")))->metadata().uid}}};
  ASSERT_TRUE(store.update(maps, looped));
  ASSERT_TRUE(store.remove(maps, key("one")));
  EXPECT_TRUE(store.list(maps)->items.empty());
}

TEST_F(GarbageTest, PreconditionsAndDryRuns) {
  const ObjectPtr object = make("a");
  EXPECT_EQ(store.remove(maps, key("a"), {.uid = "x"}).error().code, Code::kConflict);
  EXPECT_EQ(store.remove(maps, key("a"), {.revision = 1}).error().code, Code::kConflict);
  const auto would = store.remove(maps, key("a"), {.uid = object->metadata().uid, .dry_run = true});
  ASSERT_TRUE(would);
  EXPECT_TRUE(would->gone);
  EXPECT_TRUE(there("a"));
  EXPECT_TRUE(store.remove(maps, key("a"), {.revision = object->metadata().resource_version}));
  EXPECT_FALSE(there("a"));
}

}  // namespace
}  // namespace tidegate::cluster

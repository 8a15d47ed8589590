#include "cluster/store/store.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "cluster/informer.h"
#include "cluster/signal.h"

namespace tidegate::cluster {
namespace {

const Kind& kind(const char* name) { return *resource::find_kind_by_name(name); }

Json model(const std::string& name, const std::string& model_name = "m") {
  return {{"apiVersion", "inference.networking.x-k8s.io/v1alpha2"},
          {"kind", "InferenceModel"},
          {"metadata", {{"name", name}, {"namespace", "default"}}},
          {"spec", {{"modelName", model_name}, {"poolRef", {{"name", "p"}}}}}};
}

Json config_map(const std::string& name, const std::string& value = "1",
                const std::string& space = "default") {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}, {"namespace", space}}},
          {"data", {{"a", value}}}};
}

Json pod(const std::string& name) {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", name}, {"namespace", "default"}}},
          {"spec", {{"containers", {{{"name", "c"}, {"image", "i:1"}}}}}}};
}

class StoreTest : public testing::Test {
 protected:
  ManualClock clock;
  Store store{clock, Random(1)};
  const Kind& models = kind("inferencemodels");
  const Kind& maps = kind("configmaps");
  const Kind& pods = kind("pods");

  static Code code(const auto& result) { return result ? Code::kInternal : result.error().code; }
};

TEST_F(StoreTest, CreateGivesIdentityAndDefaults) {
  const auto object = store.create(models, model("a"));
  ASSERT_TRUE(object) << describe(object.error());
  const auto& metadata = (*object)->metadata();
  EXPECT_EQ(metadata.uid.size(), 36u);
  EXPECT_EQ(metadata.generation, 1);
  EXPECT_EQ(metadata.creation_timestamp, rfc3339(clock.wall()));
  EXPECT_GT(metadata.resource_version, 0u);
  EXPECT_EQ((*object)->json()["spec"]["poolRef"]["kind"], "InferencePool");
  EXPECT_EQ((*store.get(models, {"default", "a"}))->metadata().uid, metadata.uid);
}

TEST_F(StoreTest, CreateRefusesWhatItShould) {
  ASSERT_TRUE(store.create(models, model("a")));
  const auto again = store.create(models, model("a"));
  EXPECT_EQ(code(again), Code::kConflict);
  EXPECT_EQ(again.error().message, "inferencemodels.inference.networking.x-k8s.io \"a\" already exists");
  Json elsewhere = model("b");
  elsewhere["metadata"]["namespace"] = "nowhere";
  EXPECT_EQ(store.create(models, elsewhere).error().message, "namespaces \"nowhere\" not found");
  Json versioned = model("b");
  versioned["metadata"]["resourceVersion"] = "7";
  EXPECT_EQ(store.create(models, versioned).error().field, "metadata.resourceVersion");
  Json wrong = model("b");
  wrong["spec"]["criticality"] = "x";
  wrong["spec"]["poolRef"] = Json::object();
  const auto refused = store.create(models, wrong);
  EXPECT_EQ(code(refused), Code::kInvalid);
  EXPECT_EQ(
      describe(refused.error()),
      "spec.criticality is \"x\"; use Critical, Standard or Sheddable; spec.poolRef.name is missing; it is "
      "required");
  EXPECT_EQ(code(store.create(models, pod("b"))), Code::kInvalid);
  EXPECT_EQ(code(store.create(models, Json(7))), Code::kInvalid);
  Json large = config_map("large");
  large["data"]["a"] = std::string(1600 * 1024, 'x');
  EXPECT_EQ(code(store.create(maps, large)), Code::kTooLarge);
}

TEST_F(StoreTest, GeneratedNamesAreFresh) {
  Json document = config_map("x");
  document["metadata"].erase("name");
  document["metadata"]["generateName"] = "job-";
  const auto a = store.create(maps, document);
  const auto b = store.create(maps, document);
  ASSERT_TRUE(a && b);
  EXPECT_TRUE((*a)->name().starts_with("job-"));
  EXPECT_EQ((*a)->name().size(), 9u);
  EXPECT_NE((*a)->name(), (*b)->name());
}

TEST_F(StoreTest, ScalesWhatHasAScale) {
  const Kind& sets = kind("replicasets");
  const Json labels{{"app", "a"}};
  ASSERT_TRUE(store.create(
      sets, {{"apiVersion", "apps/v1"},
             {"kind", "ReplicaSet"},
             {"metadata", {{"name", "a"}, {"namespace", "default"}}},
             {"spec",
              {{"replicas", 2},
               {"selector", {{"matchLabels", labels}}},
               {"template", {{"metadata", {{"labels", labels}}}, {"spec", pod("x")["spec"]}}}}}}));
  const Reference set{"apps/v1", "ReplicaSet", {"default", "a"}};
  ASSERT_TRUE(store.set_scale(set, 5));
  const auto scale = store.scale(set);
  ASSERT_TRUE(scale) << describe(scale.error());
  EXPECT_EQ(scale->replicas, 5);
  EXPECT_EQ(scale->current, 0);
  EXPECT_EQ(scale->selector, "app=a");
  EXPECT_EQ((*store.get(sets, {"default", "a"}))->metadata().generation, 2);
  EXPECT_EQ(store.set_scale(set, -1).error().code, Code::kInvalid);
  EXPECT_EQ(store.scale({"apps/v1", "ReplicaSet", {"default", "b"}}).error().code, Code::kNotFound);
  EXPECT_EQ(store.scale({"apps/v1", "Boat", {"default", "a"}}).error().message,
            "no matches for kind \"Boat\" in version \"apps/v1\"");
  EXPECT_EQ(store.scale({"v1", "ConfigMap", {"default", "a"}}).error().code, Code::kNotFound);
}

TEST_F(StoreTest, UpdatesAreOptimistic) {
  const auto first = *store.create(models, model("a"));
  Json change = first->json();
  change["spec"]["criticality"] = "Critical";
  const auto second = store.update(models, change);
  ASSERT_TRUE(second) << describe(second.error());
  EXPECT_EQ((*second)->metadata().generation, 2);
  EXPECT_GT((*second)->metadata().resource_version, first->metadata().resource_version);
  EXPECT_EQ((*second)->metadata().uid, first->metadata().uid);
  EXPECT_EQ(code(store.update(models, change)), Code::kConflict);  // carries the first revision
  change["metadata"].erase("resourceVersion");
  EXPECT_TRUE(store.update(models, change));  // says nothing about a revision
  EXPECT_EQ(code(store.update(models, model("b"))), Code::kNotFound);
  change["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000";
  EXPECT_EQ(code(store.update(models, change)), Code::kConflict);
}

TEST_F(StoreTest, GenerationCountsSpecChangesOnly) {
  const auto first = *store.create(models, model("a"));
  Json change = first->json();
  change["metadata"]["labels"] = {{"x", "y"}};
  const auto labelled = *store.update(models, change);
  EXPECT_EQ(labelled->metadata().generation, 1);
  Json status = labelled->json();
  status["status"] = {{"conditions", Json::array()}};
  status["spec"]["criticality"] = "Critical";
  const auto with_status = *store.update_status(models, status);
  EXPECT_EQ(with_status->metadata().generation, 1);
  EXPECT_FALSE(with_status->json()["spec"].contains("criticality"));
  // A plain update cannot touch the status, and an equal document is no change.
  Json plain = with_status->json();
  plain["status"] = {{"x", 1}};
  const auto same = *store.update(models, plain);
  EXPECT_EQ(same->metadata().resource_version, with_status->metadata().resource_version);
  EXPECT_EQ(same->json()["status"], with_status->json()["status"]);
}

TEST_F(StoreTest, WhatIsImmutableStays) {
  ASSERT_TRUE(store.create(models, model("a", "one")));
  const auto changed = store.update(models, model("a", "two"));
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().field, "spec.modelName");
}

TEST_F(StoreTest, Patches) {
  const Kind& configs = kind("asmmeshconfig");
  const auto on = store.patch(configs, {{}, "default"}, PatchType::kMerge,
                              {{"spec", {{"gatewayAPIInferenceExtension", {{"enabled", true}}}}}});
  ASSERT_TRUE(on) << describe(on.error());
  EXPECT_EQ((*on)->json()["spec"]["gatewayAPIInferenceExtension"]["enabled"], true);
  EXPECT_EQ((*on)->metadata().generation, 2);
  EXPECT_EQ(code(store.patch(configs, {{}, "default"}, PatchType::kMerge, {{"metadata", {{"name", "x"}}}})),
            Code::kInvalid);
  EXPECT_EQ(code(store.patch(configs, {{}, "default"}, PatchType::kMerge,
                             {{"metadata", {{"resourceVersion", "1"}}}})),
            Code::kConflict);
  EXPECT_EQ(code(store.patch(configs, {{}, "x"}, PatchType::kMerge, Json::object())), Code::kNotFound);
  EXPECT_EQ(code(store.patch(configs, {{}, "default"}, PatchType::kMerge, {{"spec", nullptr}, {"zebra", 1}})),
            Code::kInvalid);
}

TEST_F(StoreTest, ListsAreSortedAndScoped) {
  ASSERT_TRUE(store.create(kind("ns"),
                           {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "aa"}}}}));
  ASSERT_TRUE(store.create(maps, config_map("b")));
  ASSERT_TRUE(store.create(maps, config_map("a")));
  ASSERT_TRUE(store.create(maps, config_map("z", "1", "aa")));
  const auto all = *store.list(maps);
  ASSERT_EQ(all.items.size(), 3u);
  EXPECT_EQ(all.items[0]->name(), "z");
  EXPECT_EQ(all.items[1]->name(), "a");
  EXPECT_EQ(store.list(maps, "default")->items.size(), 2u);
  EXPECT_GE(all.revision, all.items[2]->metadata().resource_version);
}

TEST_F(StoreTest, PagesShowOneRevision) {
  for (const char* name : {"a", "c", "e", "g"}) ASSERT_TRUE(store.create(maps, config_map(name)));
  const auto first = store.list(maps, ListOptions{.namespace_ = "default", .limit = 2});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->items.size(), 2u);
  EXPECT_EQ(first->remaining, 2u);
  // Between the pages one object goes, one comes, one changes.
  ASSERT_TRUE(store.remove(maps, {"default", "e"}));
  ASSERT_TRUE(store.create(maps, config_map("f")));
  ASSERT_TRUE(store.update(maps, config_map("g", "2")));
  const auto second =
      store.list(maps, ListOptions{.namespace_ = "default", .limit = 2, .continue_ = first->continue_});
  ASSERT_TRUE(second) << describe(second.error());
  ASSERT_EQ(second->items.size(), 2u);
  EXPECT_EQ(second->items[0]->name(), "e");
  EXPECT_EQ(second->items[1]->name(), "g");
  EXPECT_EQ(second->items[1]->json()["data"]["a"], "1");
  EXPECT_EQ(second->revision, first->revision);
  EXPECT_TRUE(second->continue_.empty());
  EXPECT_EQ(code(store.list(maps, ListOptions{.limit = 2, .continue_ = "x"})), Code::kInvalid);
  Store small(clock, Random(1), {.history_max = 1});
  for (const char* name : {"a", "b"}) ASSERT_TRUE(small.create(maps, config_map(name)));
  const std::string token = small.list(maps, ListOptions{.limit = 1})->continue_;
  EXPECT_TRUE(small.list(maps, ListOptions{.limit = 1, .continue_ = token}));
  for (const char* name : {"c", "d"}) ASSERT_TRUE(small.create(maps, config_map(name)));
  EXPECT_EQ(code(small.list(maps, ListOptions{.limit = 1, .continue_ = token})), Code::kGone);
}

TEST_F(StoreTest, WatchesOfANamespaceBookmarksAndCalls) {
  ASSERT_TRUE(store.create(kind("ns"),
                           {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "aa"}}}}));
  const std::uint64_t start = store.list(maps)->revision;
  int calls = 0;
  auto watch =
      *store.watch(maps, start, {.namespace_ = "aa", .bookmarks = true, .on_ready = [&] { ++calls; }});
  EXPECT_FALSE(watch->next(Duration::zero())->has_value());
  ASSERT_TRUE(store.create(maps, config_map("a")));
  EXPECT_EQ(calls, 1);
  const auto bookmark = *watch->next(Duration::zero());
  ASSERT_TRUE(bookmark);
  EXPECT_EQ(bookmark->type, EventType::kBookmark);
  EXPECT_EQ(bookmark->revision, store.list(maps)->revision);
  EXPECT_FALSE(watch->next(Duration::zero())->has_value());
  ASSERT_TRUE(store.create(maps, config_map("b", "1", "aa")));
  EXPECT_EQ(calls, 2);
  const auto event = *watch->next(Duration::zero());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->object->name(), "b");
  ASSERT_TRUE(store.update(maps, config_map("b", "2", "aa")));
  EXPECT_EQ((*watch->next(Duration::zero()))->before->json()["data"]["a"], "1");
  EXPECT_EQ(calls, 2);
}

TEST_F(StoreTest, DryRunsCheckAndStoreNothing) {
  const std::uint64_t revision = store.list(maps)->revision;
  const auto would = store.create(models, model("a"), {.dry_run = true});
  ASSERT_TRUE(would) << describe(would.error());
  EXPECT_EQ((*would)->json()["spec"]["poolRef"]["kind"], "InferencePool");
  EXPECT_EQ((*would)->metadata().resource_version, 0u);
  Json elsewhere = model("b");
  elsewhere["metadata"]["namespace"] = "nowhere";
  EXPECT_EQ(code(store.create(models, elsewhere, {.dry_run = true})), Code::kNotFound);
  EXPECT_EQ(store.list(maps)->revision, revision);
  ASSERT_TRUE(store.create(maps, config_map("a")));
  EXPECT_EQ(code(store.create(maps, config_map("a"), {.dry_run = true})), Code::kConflict);
  const auto changed = store.update(maps, config_map("a", "2"), {.dry_run = true});
  ASSERT_TRUE(changed);
  EXPECT_EQ((*changed)->json()["data"]["a"], "2");
  EXPECT_EQ((*store.get(maps, {"default", "a"}))->json()["data"]["a"], "1");
}

TEST_F(StoreTest, StatusIsPatchedAloneAndManagedFieldsAreKept) {
  Json document = model("a");
  document["metadata"]["managedFields"] = {{{"manager", "x"}}};
  ASSERT_TRUE(store.create(models, document));
  const auto patched = store.patch_status(
      models, {"default", "a"}, PatchType::kMerge,
      {{"spec", {{"criticality", "Critical"}}}, {"status", {{"conditions", Json::array()}}}});
  ASSERT_TRUE(patched) << describe(patched.error());
  EXPECT_FALSE((*patched)->json()["spec"].contains("criticality"));
  EXPECT_TRUE((*patched)->json()["status"].contains("conditions"));
  const auto updated = store.update(models, model("a"));
  ASSERT_TRUE(updated);
  EXPECT_EQ((*updated)->json()["metadata"]["managedFields"][0]["manager"], "x");
}

TEST_F(StoreTest, WatchDeliversEveryLaterChangeOnceInOrder) {
  ASSERT_TRUE(store.create(maps, config_map("a")));
  auto watch = *store.watch(maps, store.list(maps)->revision);
  ASSERT_TRUE(store.create(maps, config_map("b")));
  ASSERT_TRUE(store.create(models, model("other-kind")));
  ASSERT_TRUE(store.update(maps, config_map("a", "2")));
  ASSERT_TRUE(store.remove(maps, {"default", "b"}));
  const std::vector<std::pair<EventType, std::string>> expected = {
      {EventType::kAdded, "b"}, {EventType::kModified, "a"}, {EventType::kDeleted, "b"}};
  std::uint64_t last = 0;
  for (const auto& [type, name] : expected) {
    const auto event = *watch->next(Duration::zero());
    ASSERT_TRUE(event);
    EXPECT_EQ(event->type, type);
    EXPECT_EQ(event->object->name(), name);
    EXPECT_GT(event->revision, last);
    EXPECT_EQ(event->object->metadata().resource_version, event->revision);
    last = event->revision;
  }
  EXPECT_FALSE(watch->next(Duration::zero())->has_value());
  watch->cancel();
  EXPECT_EQ(code(watch->next(Duration::zero())), Code::kCancelled);
}

TEST_F(StoreTest, AWatchThatFallsBehindIsTold) {
  Store small(clock, Random(1), {.history_max = 3});
  auto watch = *small.watch(maps, small.list(maps)->revision);
  const std::uint64_t start = small.list(maps)->revision;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(small.create(maps, config_map("m" + std::to_string(i))));
  EXPECT_EQ(code(watch->next(Duration::zero())), Code::kGone);
  EXPECT_EQ(code(small.watch(maps, start)), Code::kGone);
  EXPECT_EQ(code(small.watch(maps, 1'000'000)), Code::kGone);
  EXPECT_TRUE(small.watch(maps, start + 1));
}

TEST_F(StoreTest, FinalizersHoldAnObject) {
  Json document = config_map("a");
  document["metadata"]["finalizers"] = {"x.io/keep"};
  ASSERT_TRUE(store.create(maps, document));
  ASSERT_TRUE(store.remove(maps, {"default", "a"}));
  const auto marked = *store.get(maps, {"default", "a"});
  EXPECT_FALSE(marked->metadata().deletion_timestamp.empty());
  Json more = marked->json();
  more["metadata"]["finalizers"].push_back("x.io/other");
  EXPECT_EQ(store.update(maps, more).error().field, "metadata.finalizers");
  Json released = marked->json();
  released["metadata"]["finalizers"] = Json::array();
  ASSERT_TRUE(store.update(maps, released));
  EXPECT_EQ(code(store.get(maps, {"default", "a"})), Code::kNotFound);
}

TEST_F(StoreTest, BoundPodsGoWhenTheirMachineSaysSo) {
  const Key key{"default", "p"};
  ASSERT_TRUE(store.create(pods, pod("p")));
  ASSERT_TRUE(store.bind(key, "node-1"));
  const auto again = store.bind(key, "node-2");
  EXPECT_EQ(code(again), Code::kConflict);
  EXPECT_EQ((*store.get(pods, key))->json()["spec"]["nodeName"], "node-1");
  ASSERT_TRUE(store.remove(pods, key));
  const auto dying = *store.get(pods, key);
  EXPECT_EQ(dying->metadata().deletion_timestamp, rfc3339(clock.wall() + std::chrono::seconds(30)));
  const auto revision = dying->metadata().resource_version;
  ASSERT_TRUE(store.remove(pods, key));  // asking twice changes nothing
  EXPECT_EQ((*store.get(pods, key))->metadata().resource_version, revision);
  ASSERT_TRUE(store.update_status(pods, dying->json()));
  ASSERT_TRUE(store.remove(pods, key, {.grace_s = 0}));
  EXPECT_EQ(code(store.get(pods, key)), Code::kNotFound);
  EXPECT_EQ(code(store.remove(pods, key)), Code::kNotFound);
}

TEST_F(StoreTest, UnboundPodsGoAtOnce) {
  ASSERT_TRUE(store.create(pods, pod("p")));
  ASSERT_TRUE(store.remove(pods, {"default", "p"}));
  EXPECT_EQ(code(store.get(pods, {"default", "p"})), Code::kNotFound);
}

Json owned(Json document, const resource::Object& owner) {
  document["metadata"]["ownerReferences"] = {{{"apiVersion", owner.api_version()},
                                              {"kind", owner.kind()},
                                              {"name", owner.name()},
                                              {"uid", owner.metadata().uid},
                                              {"controller", true}}};
  return document;
}

TEST_F(StoreTest, WhatAnObjectOwnsGoesWithIt) {
  const auto top = *store.create(maps, config_map("top"));
  const auto middle = *store.create(maps, owned(config_map("middle"), *top));
  ASSERT_TRUE(store.create(pods, owned(pod("leaf"), *middle)));
  ASSERT_TRUE(store.create(pods, pod("free")));
  ASSERT_TRUE(store.remove(maps, {"default", "top"}));
  EXPECT_TRUE(store.list(maps)->items.empty());
  ASSERT_EQ(store.list(pods)->items.size(), 1u);
  // A dependent that comes after its owner has gone does not stay.
  ASSERT_TRUE(store.create(pods, owned(pod("late"), *middle)));
  EXPECT_EQ(code(store.get(pods, {"default", "late"})), Code::kNotFound);
}

TEST_F(StoreTest, NamespacesGoWithTheirContentAndTakeNothingNewMeanwhile) {
  const Kind& spaces = kind("ns");
  EXPECT_EQ(code(store.remove(spaces, {{}, "default"})), Code::kForbidden);
  ASSERT_TRUE(
      store.create(spaces, {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "x"}}}}));
  ASSERT_TRUE(store.create(maps, config_map("a", "1", "x")));
  Json held = pod("p");
  held["metadata"]["namespace"] = "x";
  ASSERT_TRUE(store.create(pods, held));
  ASSERT_TRUE(store.bind({"x", "p"}, "node"));
  ASSERT_TRUE(store.remove(spaces, {{}, "x"}));
  EXPECT_TRUE(store.list(maps, "x")->items.empty());
  EXPECT_EQ((*store.get(spaces, {{}, "x"}))->json()["status"]["phase"], "Terminating");
  EXPECT_EQ(code(store.create(maps, config_map("b", "1", "x"))), Code::kForbidden);
  ASSERT_TRUE(store.remove(pods, {"x", "p"}, {.grace_s = 0}));
  EXPECT_EQ(code(store.get(spaces, {{}, "x"})), Code::kNotFound);
}

TEST_F(StoreTest, CanMakeNamespacesOnTheWay) {
  Store lenient(clock, Random(1), {.make_namespaces = true});
  EXPECT_TRUE(lenient.create(maps, config_map("a", "1", "new")));
  EXPECT_TRUE(lenient.get(kind("ns"), {{}, "new"}));
}

// Several writers change a few objects and several watchers follow. Each watcher must see each change once
// and in order, and what a watcher builds from the changes must be what the store holds.
TEST_F(StoreTest, ConcurrentWritersAndWatchers) {
  constexpr int kWriters = 4;
  constexpr int kWatchers = 4;
  constexpr int kChanges = 300;
  const std::uint64_t start = store.list(maps)->revision;
  std::vector<std::vector<std::uint64_t>> seen(kWatchers);
  std::vector<std::map<Key, std::string>> built(kWatchers);
  std::vector<std::jthread> watchers;
  for (int w = 0; w < kWatchers; ++w) {
    watchers.emplace_back([&, w] {
      auto watch = *store.watch(maps, start);
      while (true) {
        const auto event = watch->next(std::chrono::seconds(20));
        ASSERT_TRUE(event) << event.error().message;
        ASSERT_TRUE(event->has_value()) << "nothing came for 20 s";
        seen[w].push_back((*event)->revision);
        const Key key = key_of(*(*event)->object);
        if ((*event)->type == EventType::kDeleted) {
          built[w].erase(key);
        } else {
          built[w][key] = (*event)->object->json()["data"]["a"];
        }
        if (key.name == "end") return;
      }
    });
  }
  std::atomic<int> conflicts{0};
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        Random random(static_cast<std::uint64_t>(w) + 7);
        for (int i = 0; i < kChanges; ++i) {
          const std::string name = "m" + std::to_string(random.below(5));
          const std::string value = std::to_string(w) + "-" + std::to_string(i);
          switch (random.below(3)) {
            case 0:
              (void)store.create(maps, config_map(name, value));
              break;
            case 1: {
              const auto current = store.get(maps, {"default", name});
              if (!current) break;
              Json document = (*current)->json();
              document["data"]["a"] = value;
              const auto updated = store.update(maps, document);
              if (!updated && updated.error().code == Code::kConflict) ++conflicts;
              break;
            }
            default:
              (void)store.remove(maps, {"default", name});
          }
        }
      });
    }
  }
  ASSERT_TRUE(store.create(maps, config_map("end", "end")));
  watchers.clear();
  std::map<Key, std::string> held;
  const List all = *store.list(maps);
  for (const ObjectPtr& object : all.items) held[key_of(*object)] = object->json()["data"]["a"];
  for (int w = 0; w < kWatchers; ++w) {
    EXPECT_EQ(seen[w], seen[0]);
    EXPECT_EQ(built[w], held);
    for (std::size_t i = 1; i < seen[w].size(); ++i) ASSERT_LT(seen[w][i - 1], seen[w][i]);
  }
  // One revision per change: nothing between two of this kind's changes was lost.
  EXPECT_EQ(seen[0].back() - start, seen[0].size());
}

TEST_F(StoreTest, InformerFollowsAndSurvivesFallingBehind) {
  Store small(clock, Random(1), {.history_max = 2});
  std::vector<std::string> said;
  Informer informer(small, maps, [&](const Change& change) {
    said.push_back((change.before == nullptr  ? "+"
                    : change.after == nullptr ? "-"
                                              : "~") +
                   change.object().name());
  });
  ASSERT_TRUE(small.create(maps, config_map("a")));
  EXPECT_FALSE(informer.synced());
  ASSERT_TRUE(informer.step(Duration::zero()));
  EXPECT_TRUE(informer.synced());
  ASSERT_TRUE(small.update(maps, config_map("a", "2")));
  ASSERT_TRUE(informer.step(Duration::zero()));
  EXPECT_EQ(said, (std::vector<std::string>{"+a", "~a"}));
  said.clear();
  // More than the history holds: the informer lists again and tells the difference.
  for (const char* name : {"b", "c", "d"}) ASSERT_TRUE(small.create(maps, config_map(name)));
  ASSERT_TRUE(small.remove(maps, {"default", "a"}));
  EXPECT_EQ(code(informer.step(Duration::zero())), Code::kGone);
  ASSERT_TRUE(informer.step(Duration::zero()));
  EXPECT_EQ(said, (std::vector<std::string>{"-a", "+b", "+c", "+d"}));
  EXPECT_EQ(informer.list().size(), 3u);
  EXPECT_EQ(informer.get({"default", "a"}), nullptr);
}

TEST_F(StoreTest, InformerRunsOnAThreadAndStops) {
  Signal signal;
  Informer informer(store, maps, [&](const Change&) { signal.notify(); });
  std::jthread thread([&](const std::stop_token& stop) { informer.run(stop); });
  ASSERT_TRUE(store.create(maps, config_map("a")));
  ASSERT_TRUE(signal.wait(std::chrono::seconds(20)));
  EXPECT_NE(informer.get({"default", "a"}), nullptr);
}

TEST(RetryDelay, GrowsToTenSeconds) {
  EXPECT_EQ(retry_delay(1), std::chrono::milliseconds(100));
  EXPECT_EQ(retry_delay(2), std::chrono::milliseconds(200));
  EXPECT_EQ(retry_delay(50), std::chrono::seconds(10));
}

}  // namespace
}  // namespace tidegate::cluster

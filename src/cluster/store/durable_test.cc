// A Store over a file: what a restart finds, what writers and readers see of a commit, what a full disk does.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "cluster/store/store.h"

namespace tidegate::cluster {
namespace {

namespace fs = std::filesystem;

const Kind& kind(const char* name) { return *resource::find_kind_by_name(name); }

Json config_map(const std::string& name, const std::string& value = "1") {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}, {"namespace", "default"}}},
          {"data", {{"a", value}}}};
}

Json owned(const std::string& name, const resource::Object& owner) {
  Json document = config_map(name);
  document["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", owner.api_version()},
                                                          {"kind", owner.kind()},
                                                          {"name", owner.name()},
                                                          {"uid", owner.metadata().uid}}});
  return document;
}

class DurableTest : public testing::Test {
 protected:
  DurableTest() {
    std::string pattern = (fs::temp_directory_path() / "tidegate-store-XXXXXX").string();
    folder = mkdtemp(pattern.data());
    open();
  }
  ~DurableTest() override {
    store.reset();
    fs::remove_all(folder);
  }
  void open() {
    store.reset();
    auto opened = Store::open(folder / "tidegate.db", clock, Random(++seed));
    ASSERT_TRUE(opened) << describe(opened.error());
    store = *std::move(opened);
  }

  ManualClock clock;
  std::uint64_t seed = 0;
  fs::path folder;
  std::unique_ptr<Store> store;
  const Kind& maps = kind("configmaps");
};

TEST_F(DurableTest, ARestartFindsEverythingAsItWas) {
  const auto a = *store->create(maps, config_map("a"));
  const auto b = *store->create(maps, config_map("b"));
  ASSERT_TRUE(store->remove(maps, {"default", "b"}));
  const std::uint64_t last = store->list(maps)->revision;
  open();
  const auto listed = store->list(maps);
  ASSERT_EQ(listed->items.size(), 1u);
  EXPECT_EQ(listed->items[0]->json().dump(), a->json().dump());
  EXPECT_EQ(listed->items[0]->metadata().resource_version, a->metadata().resource_version);
  EXPECT_EQ(listed->revision, last);
  // The removal was the last change; its revision is not given again.
  EXPECT_GT((*store->create(maps, config_map("c")))->metadata().resource_version, last);
  EXPECT_EQ(store->create(maps, config_map("a")).error().code, Code::kConflict);
}

TEST_F(DurableTest, OlderWatchesListAgain) {
  const std::uint64_t before = store->list(maps)->revision;
  ASSERT_TRUE(store->create(maps, config_map("a")));
  open();
  EXPECT_EQ(store->watch(maps, before).error().code, Code::kGone);
  EXPECT_EQ(store->watch(kind("pods"), before).error().code, Code::kGone);
  auto watch = store->watch(maps, store->list(maps)->revision);
  ASSERT_TRUE(watch);
  ASSERT_TRUE(store->create(maps, config_map("b")));
  EXPECT_EQ((**(*watch)->next(std::chrono::seconds(10))).object->name(), "b");
}

TEST_F(DurableTest, WritersOfOneObjectAllGetTheirTurn) {
  ASSERT_TRUE(store->create(maps, config_map("a", "0")));
  constexpr int kWriters = 8;
  constexpr int kEach = 25;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&] {
      for (int done = 0; done < kEach;) {
        const auto present = *store->get(maps, {"default", "a"});
        Json next = present->json();
        next["data"]["a"] = std::to_string(std::stoi(next["data"]["a"].get<std::string>()) + 1);
        const auto written = store->update(maps, std::move(next));
        if (written) ++done;
        EXPECT_TRUE(written || written.error().code == Code::kConflict);
      }
    });
  }
  threads.clear();
  EXPECT_EQ((*store->get(maps, {"default", "a"}))->json()["data"]["a"], std::to_string(kWriters * kEach));
  open();
  EXPECT_EQ((*store->get(maps, {"default", "a"}))->json()["data"]["a"], std::to_string(kWriters * kEach));
}

TEST_F(DurableTest, DeletionsGoOnAfterARestart) {
  const auto owner = *store->create(maps, config_map("owner"));
  ASSERT_TRUE(store->create(maps, owned("dependent", *owner)));
  Json held = config_map("held");
  held["metadata"]["finalizers"] = {"example.com/hold"};
  ASSERT_TRUE(store->create(maps, held));
  ASSERT_FALSE(store->remove(maps, {"default", "held"})->gone);
  store.reset();
  // As a crash would leave it: the owner has gone and the dependent has not.
  {
    auto database = *Database::open(folder / "tidegate.db");
    std::vector<Row> rows = {{"ConfigMap", {"default", "owner"}, 0, {}, 0, true}};
    ASSERT_TRUE(database->commit(rows, database->revision() + 1));
  }
  open();
  const auto listed = store->list(maps);
  ASSERT_EQ(listed->items.size(), 1u);
  EXPECT_EQ(listed->items[0]->name(), "held");
}

// A limit on the size of files stands for a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(DurableTest, AFullDiskRefusesWritesAndNothingElse) {
  const auto a = *store->create(maps, config_map("a"));
  auto watch = *store->watch(maps, a->metadata().resource_version);
  std::uint64_t last = 0;
  {
    const FullDisk full(64);
    for (int i = 0; i < 3; ++i) {
      const auto refused = store->create(maps, config_map("b", std::string(10'000, 'x')));
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Code::kUnavailable) << describe(refused.error());
    }
    EXPECT_EQ(store->remove(maps, {"default", "a"}).error().code, Code::kUnavailable);
    EXPECT_TRUE(store->get(maps, {"default", "a"}));
    EXPECT_EQ(store->get(maps, {"default", "b"}).error().code, Code::kNotFound);
    EXPECT_FALSE(*watch->next(Duration::zero()));
    last = store->list(maps)->revision;
  }
  const auto b = store->create(maps, config_map("b"));
  ASSERT_TRUE(b) << describe(b.error());
  EXPECT_GT((*b)->metadata().resource_version, last);
  EXPECT_EQ((**watch->next(std::chrono::seconds(10))).object->name(), "b");
  watch.reset();  // it would keep the file
  open();
  EXPECT_EQ(store->list(maps)->items.size(), 2u);
}

// What a full disk has interrupted is done once there is room again.
TEST_F(DurableTest, AnInterruptedDeletionIsFinishedWithTheNextWrite) {
  const auto owner = *store->create(maps, config_map("owner"));
  Json dependent = owned("dependent", *owner);
  ASSERT_TRUE(store->create(maps, dependent));
  ASSERT_TRUE(store->remove(maps, {"default", "owner"}, {.propagation = Propagation::kOrphan}));
  EXPECT_TRUE(store->get(maps, {"default", "dependent"}));
  Json held = config_map("held");
  held["metadata"]["finalizers"] = {"example.com/hold"};
  const auto second = *store->create(maps, held);
  ASSERT_TRUE(store->create(maps, owned("other", *second)));
  ASSERT_FALSE(store->remove(maps, {"default", "held"})->gone);
  {
    const FullDisk full(64);
    Json released = (*store->get(maps, {"default", "held"}))->json();
    released["metadata"].erase("finalizers");
    EXPECT_FALSE(store->update(maps, released));
  }
  Json released = (*store->get(maps, {"default", "held"}))->json();
  released["metadata"].erase("finalizers");
  EXPECT_TRUE(store->update(maps, released));
  EXPECT_EQ(store->get(maps, {"default", "other"}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace tidegate::cluster

// FileSource against the real store: what is in the files is what is in the cluster.

#include "cluster/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cluster/apply.h"
#include "cluster/signal.h"
#include "cluster/store/store.h"

namespace tidegate::cluster {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

int milliseconds_of(Duration duration) { return static_cast<int>(duration / milliseconds(1)); }

std::string map(const std::string& name, const std::string& value) {
  return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {a: \"" + value +
         "\"}\n---\n";
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tidegate_files_XXXXXX").string();
    folder = mkdtemp(name.data());
    start();
  }
  void TearDown() override { fs::remove_all(folder); }

  void start() { source = std::make_unique<FileSource>(store, clock, std::vector<fs::path>{folder}); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder / name) << text; }
  std::string value(const std::string& name) {
    const auto object = store.get(maps, {"default", name});
    return object ? (*object)->json()["data"]["a"].get<std::string>() : "absent";
  }
  void edit_through_api(const std::string& name, const std::string& text) {
    ASSERT_TRUE(store.patch(maps, {"default", name}, PatchType::kMerge, {{"data", {{"a", text}}}}));
  }

  fs::path folder;
  ManualClock clock;
  Store store{clock, Random(1)};
  const Kind& maps = *resource::find_kind_by_name("configmaps");
  std::unique_ptr<FileSource> source;
};
TEST_F(Files, AppliesWhatIsThereAndOnlyWhatChanged) {
  write("a.yaml", map("one", "1") + map("two", "1"));
  write("notes.txt", "not a manifest");
  write(".hidden.yaml", map("hidden", "1"));
  FileReport report = source->sync_once();
  EXPECT_EQ(report.created, 2);
  EXPECT_TRUE(report.errors.empty());
  report = source->sync_once();
  EXPECT_EQ(report.created + report.configured + report.unchanged, 0);
  edit_through_api("two", "by hand");
  write("a.yaml", map("one", "2") + map("two", "1"));
  report = source->sync_once();
  EXPECT_EQ(report.configured, 1);
  EXPECT_EQ(value("one"), "2");
  EXPECT_EQ(value("two"), "by hand");
  EXPECT_EQ(value("hidden"), "absent");
}

TEST_F(Files, AMisspeltFieldIsToldAndTheLastGoodStateStays) {
  write("a.yaml", map("one", "1"));
  (void)source->sync_once();
  write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {key: '2'}\nimutable: true\n" +
                      std::string("---\n") + map("two", "2"));
  const FileReport report = source->sync_once();
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_NE(report.errors[0].find("imutable is not a field here; did you mean immutable?"), std::string::npos)
      << report.errors[0];
  EXPECT_EQ(value("one"), "1");
  EXPECT_EQ(value("two"), "2");
}

TEST_F(Files, EditsThroughTheApiSurviveARestart) {
  write("a.yaml", map("one", "1"));
  (void)source->sync_once();
  edit_through_api("one", "by hand");
  start();
  EXPECT_EQ(source->sync_once().unchanged, 1);
  EXPECT_EQ(value("one"), "by hand");
  write("a.yaml", map("one", "3"));
  (void)source->sync_once();
  EXPECT_EQ(value("one"), "3");
}

TEST_F(Files, FieldsThatOthersSetStayAndFieldsThatLeftTheFileGo) {
  write(
      "a.yaml",
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, labels: {mine: x}}\ndata: {a: '1', b: '2'}\n");
  (void)source->sync_once();
  ASSERT_TRUE(store.patch(maps, {"default", "one"}, PatchType::kMerge,
                          {{"metadata", {{"labels", {{"theirs", "y"}}}}}, {"data", {{"c", "3"}}}}));
  start();  // what was applied before is read from the object
  write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: '4'}\n");
  (void)source->sync_once();
  const auto object = *store.get(maps, {"default", "one"});
  EXPECT_EQ(object->json()["data"], Json({{"a", "4"}, {"c", "3"}}));
  EXPECT_EQ(object->metadata().labels, (std::map<std::string, std::string>{{"theirs", "y"}}));
}

TEST_F(Files, AnObjectThatLeavesItsFileIsRemovedAfterAMoment) {
  write("a.yaml", map("one", "1") + map("two", "1"));
  (void)source->sync_once();
  write("a.yaml", map("one", "1"));
  FileReport report = source->sync_once();
  EXPECT_EQ(report.removed, 0);
  ASSERT_TRUE(report.look_again);
  EXPECT_EQ(value("two"), "1");
  clock.advance(milliseconds(150));
  EXPECT_EQ(source->sync_once().removed, 1);
  EXPECT_EQ(value("two"), "absent");
  EXPECT_EQ(value("one"), "1");
}

TEST_F(Files, EditorsMayEmptyRenameAndRewrite) {
  write("a.yaml", map("one", "1"));
  (void)source->sync_once();
  fs::rename(folder / "a.yaml", folder / "a.yaml~");
  (void)source->sync_once();
  write("a.yaml", "");
  clock.advance(milliseconds(100));
  (void)source->sync_once();
  write("a.yaml", map("one", "2"));
  clock.advance(milliseconds(100));
  EXPECT_EQ(source->sync_once().removed, 0);
  EXPECT_EQ(value("one"), "2");
  clock.advance(milliseconds(1000));
  EXPECT_EQ(source->sync_once().removed, 0);
  // The file itself goes for good.
  fs::remove(folder / "a.yaml");
  (void)source->sync_once();
  clock.advance(milliseconds(150));
  EXPECT_EQ(source->sync_once().removed, 1);
}

TEST_F(Files, AHalfWrittenFileChangesNothing) {
  write("a.yaml", map("one", "1") + map("two", "1"));
  (void)source->sync_once();
  write("a.yaml", map("one", "2") + "apiVersion: v1\nkind: [Config");
  FileReport report = source->sync_once();
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0].substr(0, (folder / "a.yaml").string().size() + 3),
            (folder / "a.yaml").string() + ":7:");
  clock.advance(milliseconds(1000));
  report = source->sync_once();
  EXPECT_TRUE(report.errors.empty());  // told once
  EXPECT_EQ(report.removed, 0);
  EXPECT_EQ(value("one"), "1");
  EXPECT_EQ(value("two"), "1");
}

TEST_F(Files, ARefusedDocumentKeepsItsObjectAndHoldsUpNobody) {
  write("a.yaml", map("one", "1") + map("two", "1"));
  (void)source->sync_once();
  write("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: 7}\n---\n" +
                      map("two", "2") + "kind: Nonsense\napiVersion: v1\n");
  FileReport report = source->sync_once();
  const std::string file = (folder / "a.yaml").string();
  EXPECT_EQ(report.errors,
            (std::vector<std::string>{
                file + ":4: ConfigMap one: data.a is 7 (a number); use a string, with quotes around it",
                file + ":11: Nonsense: kind is \"Nonsense\" of v1, which is not known here"}));
  clock.advance(milliseconds(1000));
  (void)source->sync_once();
  EXPECT_EQ(value("one"), "1");
  EXPECT_EQ(value("two"), "2");
}

TEST_F(Files, OneObjectInTwoFilesIsTold) {
  write("a.yaml", map("one", "1"));
  write("b.yaml", map("one", "2"));
  const FileReport report = source->sync_once();
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_NE(report.errors[0].find("is in " + (folder / "a.yaml").string() + " too"), std::string::npos);
  EXPECT_EQ(value("one"), "1");
}

TEST_F(Files, AnObjectMayMoveToAnotherFile) {
  for (const char* moved_value : {"1", "2"}) {
    write("a.yaml", map("one", "1"));
    (void)source->sync_once();
    const auto uid = (*store.get(maps, {"default", "one"}))->metadata().uid;
    fs::remove(folder / "a.yaml");
    write("b.yaml", map("one", moved_value));
    for (int i = 0; i < 4; ++i) {
      (void)source->sync_once();
      clock.advance(milliseconds(150));
    }
    ASSERT_EQ(value("one"), moved_value);
    EXPECT_EQ((*store.get(maps, {"default", "one"}))->metadata().uid, uid);
    fs::remove(folder / "b.yaml");
    (void)source->sync_once();
    clock.advance(milliseconds(150));
    (void)source->sync_once();
    ASSERT_EQ(value("one"), "absent");
  }
}

TEST_F(Files, TheSecondFileTakesOverWhenTheFirstGoes) {
  write("a.yaml", map("one", "1"));
  write("b.yaml", map("one", "2"));
  (void)source->sync_once();
  const auto uid = (*store.get(maps, {"default", "one"}))->metadata().uid;
  fs::remove(folder / "a.yaml");
  for (int i = 0; i < 3; ++i) {
    (void)source->sync_once();
    clock.advance(milliseconds(150));
  }
  EXPECT_EQ(value("one"), "2");
  EXPECT_EQ((*store.get(maps, {"default", "one"}))->metadata().uid, uid);
}

TEST_F(Files, ADocumentThatCannotBeNamedKeepsWhatTheFileHeldBefore) {
  write("a.yaml", map("one", "1"));
  (void)source->sync_once();
  for (const std::string broken : {"apiVersion: v1\nkind: ConfigMapp\nmetadata: {name: one}\n",
                                   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [one]}\n"}) {
    write("a.yaml", broken);
    EXPECT_FALSE(source->sync_once().errors.empty());
    clock.advance(milliseconds(1000));
    (void)source->sync_once();
    EXPECT_EQ(value("one"), "1");
    // Nor does a restart conclude anything from it.
    start();
    (void)source->sync_once();
    clock.advance(milliseconds(1000));
    (void)source->sync_once();
    EXPECT_EQ(value("one"), "1");
  }
  write("a.yaml", map("two", "1"));
  (void)source->sync_once();
  clock.advance(milliseconds(150));
  (void)source->sync_once();
  EXPECT_EQ(value("two"), "1");
}

TEST_F(Files, OnlyItsOwnObjectsAreRemoved) {
  ASSERT_TRUE(store.create(maps, {{"apiVersion", "v1"},
                                  {"kind", "ConfigMap"},
                                  {"metadata", {{"name", "foreign"}, {"namespace", "default"}}},
                                  {"data", {{"a", "1"}}}}));
  write("a.yaml", map("one", "1"));
  (void)source->sync_once();
  // Made anew by hand, it is somebody else's.
  ASSERT_TRUE(store.remove(maps, {"default", "one"}));
  ASSERT_TRUE(store.create(maps, {{"apiVersion", "v1"},
                                  {"kind", "ConfigMap"},
                                  {"metadata", {{"name", "one"}, {"namespace", "default"}}},
                                  {"data", {{"a", "by hand"}}}}));
  write("a.yaml", "");
  (void)source->sync_once();
  clock.advance(milliseconds(150));
  (void)source->sync_once();
  EXPECT_EQ(value("foreign"), "1");
  EXPECT_EQ(value("one"), "by hand");
}

TEST_F(Files, WhatLeftAFileWhileNobodyLookedIsRemovedAtTheStart) {
  write("a.yaml", map("one", "1") + map("two", "1"));
  write("b.yaml", map("three", "1"));
  (void)source->sync_once();
  write("a.yaml", map("one", "1"));
  fs::remove(folder / "b.yaml");
  start();
  (void)source->sync_once();
  clock.advance(milliseconds(150));
  EXPECT_EQ(source->sync_once().removed, 2);
  EXPECT_EQ(value("one"), "1");
  EXPECT_EQ(value("two"), "absent");
  EXPECT_EQ(value("three"), "absent");
}

TEST_F(Files, NamespacesComeFirstAndLateOnesAreWaitedFor) {
  const std::string inside =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in, namespace: late}\ndata: {a: '1'}\n";
  write("a.yaml", inside);
  FileReport report = source->sync_once();
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_NE(report.errors[0].find("namespaces \"late\" not found"), std::string::npos);
  EXPECT_TRUE(report.look_again);
  write("b.yaml", inside + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: late}\n");
  (void)source->sync_once();
  report = source->sync_once();
  EXPECT_TRUE(store.get(maps, {"late", "in"}));
}

TEST_F(Files, AMissingPathIsTold) {
  FileSource missing(store, clock, {folder / "nothing.yaml"});
  const FileReport report = missing.sync_once();
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0], (folder / "nothing.yaml").string() + ": there is no such file or directory");
}

// The only test with real time: an edit must be seen within 300 ms.
TEST_F(Files, RunSeesAnEditAtOnce) {
  const SystemClock real;
  write("a.yaml", map("one", "1"));
  Signal applied;
  FileSource live(store, real, {folder / "a.yaml"},
                  {.poll = std::chrono::hours(1), .on_report = [&](const FileReport&) { applied.notify(); }});
  std::jthread thread([&](const std::stop_token& stop) { live.run(stop); });
  ASSERT_TRUE(applied.wait(std::chrono::seconds(20)));
  write("new.tmp", map("one", "2"));
  const TimePoint edited = real.now();
  fs::rename(folder / "new.tmp", folder / "a.yaml");
  ASSERT_TRUE(applied.wait(std::chrono::seconds(20)));
  EXPECT_EQ(value("one"), "2");
  RecordProperty("seen_after_ms", milliseconds_of(real.now() - edited));
}

TEST(ThreeWay, SetsWhatIsThereAndRemovesWhatLeft) {
  const Json last = {{"a", 1}, {"b", {{"x", 1}, {"y", 2}}}, {"c", {1, 2}}};
  const Json next = {{"b", {{"y", 3}}}, {"c", {3}}, {"d", {{"z", 1}}}};
  EXPECT_EQ(three_way_patch(last, next),
            Json({{"a", nullptr}, {"b", {{"x", nullptr}, {"y", 3}}}, {"c", {3}}, {"d", {{"z", 1}}}}));
}

}  // namespace
}  // namespace tidegate::cluster

// The control loop over a real store: control/loop must not know one, so what it does with one is tested
// here.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "cluster/store/store.h"
#include "control/loop/controller.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::loop {
namespace {

using cluster::Key;
using resource::Json;

const resource::Kind& config_map() { return *resource::find_kind("v1", "ConfigMap"); }
const resource::Kind& service() { return *resource::find_kind("v1", "Service"); }

Json document(const char* kind, const std::string& name) {
  Json json = {
      {"apiVersion", "v1"}, {"kind", kind}, {"metadata", {{"name", name}, {"namespace", "default"}}}};
  if (std::string_view(kind) == "Service") json["spec"] = {{"ports", Json::array({{{"port", 80}}})}};
  return json;
}

// A controller that gives each Service a ConfigMap of its name, and counts how often it was asked.
class Loop : public testing::Test {
 protected:
  Controller mirror() {
    Controller controller;
    controller.name = "mirror";
    controller.sources = {{&service(), own_key}, {&config_map(), owner_key("Service")}};
    controller.decide = [this](const Key& key, const Caches& caches, WallTime) {
      ++asked_;
      Decision decision;
      const auto object = caches.get(service(), key);
      if (object == nullptr) return decision;
      if (again_ > Duration::zero()) decision.again_in = again_;
      if (!caches.owned(config_map(), *object).empty()) return decision;
      Json wanted = document("ConfigMap", broken_ ? "Not a name" : key.name);
      wanted["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "v1"},
                                                            {"kind", "Service"},
                                                            {"name", key.name},
                                                            {"uid", object->metadata().uid},
                                                            {"controller", true}}});
      decision.actions.push_back(Action::create(config_map(), std::move(wanted)));
      return decision;
    };
    controller.after_failure = [this](const Key&, const Error& error, const Caches&, WallTime) {
      const std::lock_guard held(mutex_);
      failures_.push_back(error.code);
      return std::vector<Action>{};
    };
    return controller;
  }

  void run(Controller controller) {
    runtime_.add(std::move(controller));
    runtime_.start();
  }

  bool eventually(const std::function<bool()>& done) {
    for (int i = 0; i < 1000; ++i) {
      if (done()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  bool mirrored(const std::string& name) {
    const auto there = store_.get(config_map(), {"default", name});
    return there && !(*there)->metadata().owner_references.empty();
  }

  const SystemClock clock_;
  cluster::Store store_{clock_, Random(1)};
  std::atomic<int> asked_{0};
  std::atomic<bool> broken_{false};  // what it makes is refused
  Duration again_{};
  std::mutex mutex_;
  std::vector<Code> failures_;
  Runtime runtime_{store_, clock_};
};

TEST_F(Loop, WhatWasThereAndWhatComesIsDealtWith) {
  ASSERT_TRUE(store_.create(service(), document("Service", "early")));
  run(mirror());
  EXPECT_TRUE(eventually([&] { return mirrored("early"); }));
  ASSERT_TRUE(store_.create(service(), document("Service", "late")));
  EXPECT_TRUE(eventually([&] { return mirrored("late"); }));
  // What is taken away is put back: the change of an owned object wakes its owner.
  ASSERT_TRUE(store_.remove(config_map(), {"default", "late"}, {}));
  EXPECT_TRUE(eventually([&] { return mirrored("late"); }));
}

TEST_F(Loop, NothingIsMadeTwiceWhileTheCachesLag) {
  run(mirror());
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(store_.create(service(), document("Service", "s" + std::to_string(i))));
  EXPECT_TRUE(eventually([&] { return store_.list(config_map(), "default")->items.size() == 50; }));
  const std::lock_guard held(mutex_);
  EXPECT_TRUE(failures_.empty()) << "a create met what it had made itself";
}

TEST_F(Loop, WhatFailsIsToldAndTriedAgainUntilItWorks) {
  broken_ = true;
  ASSERT_TRUE(store_.create(service(), document("Service", "one")));
  run(mirror());
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard held(mutex_);
    return failures_.size() > 1 && failures_.front() == Code::kInvalid;
  }));
  EXPECT_FALSE(mirrored("one"));
  broken_ = false;
  EXPECT_TRUE(eventually([&] { return mirrored("one"); }));
}

TEST_F(Loop, AConflictIsTriedAgainUntilTheNameIsFree) {
  ASSERT_TRUE(store_.create(config_map(), document("ConfigMap", "taken")));
  ASSERT_TRUE(store_.create(service(), document("Service", "taken")));
  run(mirror());
  EXPECT_TRUE(eventually([&] { return asked_ > 2; }));
  EXPECT_FALSE(mirrored("taken"));
  ASSERT_TRUE(store_.remove(config_map(), {"default", "taken"}, {}));
  EXPECT_TRUE(eventually([&] { return mirrored("taken"); }));
}

TEST_F(Loop, AKeyComesBackWhenItAskedTo) {
  again_ = std::chrono::milliseconds(20);
  ASSERT_TRUE(store_.create(service(), document("Service", "one")));
  run(mirror());
  EXPECT_TRUE(eventually([&] { return asked_ > 5; }));
  runtime_.stop();
  const int at_end = asked_;
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ(asked_, at_end) << "nothing is asked after stop()";
}

TEST(Writes, AreVisibleOnceTheCachesShowThem) {
  Writes writes;
  resource::ObjectPtr shown;
  const Writes::Find find = [&](const resource::Kind&, const Key&) { return shown; };
  const auto at = [](int revision) {
    Json json = document("Service", "a");
    json["metadata"]["uid"] = "u";
    json["metadata"]["resourceVersion"] = std::to_string(revision);
    return *resource::Object::make(std::move(json));
  };
  EXPECT_TRUE(writes.visible(find));
  writes.wrote(service(), {"default", "a"}, 7);
  EXPECT_FALSE(writes.visible(find));
  shown = at(6);
  EXPECT_FALSE(writes.visible(find));
  shown = at(7);
  EXPECT_TRUE(writes.visible(find));
  writes.removed(service(), {"default", "a"}, "u");
  EXPECT_FALSE(writes.visible(find));
  shown = nullptr;
  EXPECT_TRUE(writes.visible(find));
}

}  // namespace
}  // namespace tidegate::loop

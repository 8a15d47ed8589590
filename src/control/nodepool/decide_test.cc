#include "control/nodepool/decide.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "control/nodepool/status.h"
#include "control/placement/round.h"
#include "control/placement/test_cluster.h"

namespace tidegate::nodepool {
namespace {

using namespace placement::testing;
using placement::PodPtr;
using placement::PodView;
using resource::PoolProvider;
using std::chrono::minutes;
using std::chrono::seconds;

Pool pool(const std::string& name, std::int64_t max, double price,
          const std::function<void(resource::NodePool&)>& change = {}) {
  Pool pool;
  pool.name = name;
  pool.spec.max = max;
  pool.spec.price_per_hour = price;
  pool.spec.labels = {{"pool", name}, {std::string(resource::kNodePoolLabel), name}};
  pool.spec.capacity = {{"cpu", Quantity{8000}},
                        {"memory", Quantity{16'000'000}},
                        {"nvidia.com/gpu", Quantity{1000}},
                        {"pods", Quantity{110'000}}};
  pool.spec.local.boot_delay = seconds(30);
  if (change) change(pool.spec);
  return pool;
}

// A cluster that does what it is told, without delay: the twin of the controller, kubelets and owners.
struct Play {
  State state;
  WallTime now = kNow;
  std::vector<std::string> said;
  bool nodes_get_ready = true;

  void pend(const std::string& name, int gpus, const std::function<void(PodView&)>& change = {}) {
    state.pods.push_back(placement::testing::pod(name, gpus, [&](PodView& p) {
      p.replicated = true;
      p.told_reason = "Unschedulable";
      if (change) change(p);
    }));
  }

  void put(const PodPtr& pod) {
    state.pods.push_back(pod);
    state.board.put(pod);
  }

  void place_pods() {
    for (const auto& outcome : place_all(state.board, state.pods, {state.policies, state.budgets}, now)) {
      if (!outcome.placement.node) continue;
      std::replace(state.pods.begin(), state.pods.end(), outcome.pod,
                   placed(*outcome.pod, outcome.placement));
    }
  }

  void end(const std::string& name) {
    std::erase_if(state.pods, [&](const PodPtr& pod) {
      if (pod->name == name) state.board.drop(pod->node, pod->uid);
      return pod->name == name;
    });
  }

  void act(const Step& step) {
    const Pool& of = *std::find_if(state.pools.begin(), state.pools.end(),
                                   [&](const Pool& each) { return each.name == step.pool; });
    const auto change = [&](const std::function<void(placement::NodeView&)>& how) {
      placement::NodeView node = *state.board.find(step.machine)->node;
      how(node);
      state.board.put(std::make_shared<const placement::NodeView>(node));
    };
    switch (step.verb) {
      case Step::Verb::kAsk:
        said.push_back(step.call + " " + step.machine);
        break;
      case Step::Verb::kLabel:
      case Step::Verb::kResize:
      case Step::Verb::kGiveBack:
        break;
      case Step::Verb::kRegister:
        state.board.put(template_node(of, step.machine));
        if (!nodes_get_ready) {
          change([](placement::NodeView& node) {
            node.ready = false;
            node.taints.push_back({"node.kubernetes.io/not-ready", "", "NoSchedule"});
          });
        }
        break;
      case Step::Verb::kCordon:
        change([](placement::NodeView& node) { node.unschedulable = true; });
        break;
      case Step::Verb::kEvict:
        end(step.pod->name);
        break;
      case Step::Verb::kUnregister:
        state.board.drop_node(step.machine);
        break;
    }
  }

  void round() {
    place_pods();
    const Plan plan = decide(state, now);
    for (const Step& step : plan.steps) act(step);
    for (const Note& note : plan.notes) {
      const std::string text = note.reason + ": " + note.message;
      if (said.empty() || said.back() != text) said.push_back(text);
    }
    place_pods();
  }

  void pass(Duration time, Duration step = seconds(1)) {
    for (const WallTime until = now + time; now < until; now += step) round();
  }

  bool heard(const std::string& text) const {
    return std::any_of(said.begin(), said.end(),
                       [&](const auto& line) { return line.find(text) != line.npos; });
  }
  std::string all() const {
    std::string text;
    for (const std::string& line : said) text += line + "\n";
    return text;
  }
  std::string node_of(const std::string& name) const {
    for (const PodPtr& pod : state.pods) {
      if (pod->name == name) return pod->node;
    }
    return "gone";
  }
  const Pool& at(std::size_t i) const { return state.pools[i]; }
};

Play tide() {
  Play play;
  play.state.pools = {pool("cloud", 3, 10), pool("edge", 1, 0, [](resource::NodePool& p) {
                        p.provider = PoolProvider::kStatic;
                        p.min = 1;
                      })};
  auto cloud = unit("cloud");
  cloud.waits_for_scaling = true;
  play.state.policies = {policy({unit("edge"), cloud})};
  return play;
}

// Creation times are whole seconds, so equal ones are common, and then pods come in the order of their names.
TEST(NodePools, APodThatHasAskedDoesNotAskAgainForALaterOne) {
  Play play = tide();
  play.pass(seconds(3));
  play.pend("zero", 1);
  play.pass(seconds(2));
  std::map<std::string, int> asked;
  const auto look = [&] {
    play.place_pods();
    for (const Note& note : decide(play.state, play.now).notes) {
      if (note.reason == "TriggeredScaleUp") ++asked[note.pod->name];
    }
    play.now += seconds(1);
  };
  play.pend("two", 1);
  look();
  play.pend("one", 1);
  std::swap(play.state.pods.back(), play.state.pods[play.state.pods.size() - 2]);
  for (int i = 0; i < 10; ++i) look();
  EXPECT_EQ(asked["two"], 1);
  EXPECT_EQ(asked["one"], 1);
  EXPECT_EQ(play.at(0).active(), 2);
}

TEST(NodePools, TheTideComesAndGoes) {
  Play play = tide();
  play.pass(seconds(3));
  EXPECT_EQ(play.at(1).count(Phase::kReady), 1) << play.all();
  play.pend("one", 1);
  play.pass(seconds(2));
  EXPECT_EQ(play.node_of("one"), "edge-1");
  play.pend("two", 1);
  play.pend("three", 1);
  play.pass(seconds(2));
  EXPECT_TRUE(play.heard("TriggeredScaleUp: pod triggered scale-up: [{cloud 0->1 (max: 3)}]")) << play.all();
  EXPECT_TRUE(play.heard("TriggeredScaleUp: pod triggered scale-up: [{cloud 1->2 (max: 3)}]")) << play.all();
  EXPECT_EQ(play.at(0).cost_per_hour(), 20);
  EXPECT_EQ(play.node_of("two"), "") << "the machine boots for 30 s";
  play.pass(seconds(31));
  EXPECT_EQ(play.node_of("two"), "cloud-1");
  EXPECT_EQ(play.node_of("three"), "cloud-2");
  // The ebb: the cloud's pods end, its machines follow after unneededTime.
  play.end("two");
  play.end("three");
  play.pass(minutes(9), seconds(10));
  EXPECT_EQ(play.at(0).active(), 2);
  play.pass(minutes(3), seconds(10));
  EXPECT_EQ(play.at(0).machines.size(), 0u) << play.all();
  EXPECT_EQ(play.at(1).active(), 1);
  EXPECT_TRUE(play.heard("ScaleDownEmpty: Scale-down: empty node cloud-1 removed"));
  EXPECT_EQ(play.state.board.size(), 1u);
}

TEST(NodePools, PodsShareAComingMachineAndDoNotCallTwice) {
  Play play;
  play.state.pools = {
      pool("big", 5, 1, [](resource::NodePool& p) { p.capacity["nvidia.com/gpu"] = Quantity{4000}; })};
  for (const char* name : {"a", "b", "c", "d", "e"}) play.pend(name, 1);
  play.pass(seconds(20));
  EXPECT_EQ(play.at(0).active(), 2) << play.all();
}

// A machine says that it is ready some moments before its taint is taken off; until then no pod may go there.
TEST(NodePools, AMachineWhoseTaintIsStillThereCountsAsComing) {
  Play play;
  play.nodes_get_ready = false;
  play.state.pools = {pool("cloud", 5, 1)};
  play.pend("a", 1);
  for (int i = 0; i < 20; ++i) {
    play.round();
    play.now += seconds(5);
    for (const auto& [name, place] : play.state.board.places()) {
      placement::NodeView node = *place.node;
      node.ready = true;
      play.state.board.put(std::make_shared<const placement::NodeView>(node));
    }
  }
  EXPECT_EQ(play.at(0).active(), 1) << play.all();
}

TEST(NodePools, ThePolicysOrderGoesBeforeThePrice) {
  Play play;
  play.state.pools = {pool("cheap", 1, 1), pool("dear", 1, 9), pool("other", 1, 0.1)};
  play.state.policies = {policy({unit("dear"), unit("cheap")})};
  for (const char* name : {"a", "b", "c"}) play.pend(name, 1);
  play.round();
  ASSERT_EQ(play.said.size(), 3u) << play.all();
  EXPECT_NE(play.said[0].find("dear 0->1"), std::string::npos);
  EXPECT_NE(play.said[1].find("cheap 0->1"), std::string::npos);
  EXPECT_NE(play.said[2].find("other 0->1"), std::string::npos);
  Play free;
  free.state.pools = {pool("b", 1, 2), pool("a", 1, 3)};
  free.pend("x", 1);
  free.round();
  EXPECT_TRUE(free.heard("[{b 0->1"));
}

TEST(NodePools, AFailureBacksOffToTheNextPool) {
  Play play;
  play.state.pools = {pool("first", 2, 1, [](resource::NodePool& p) { p.local.fail_first = 2; }),
                      pool("second", 2, 2)};
  play.pend("x", 1);
  play.pass(seconds(32));
  EXPECT_TRUE(
      play.heard("FailedToScaleUpGroup: Scale-up failed for group first, machine first-1: out of stock"))
      << play.all();
  EXPECT_TRUE(play.heard("[{second 0->1")) << play.all();
  EXPECT_TRUE(play.at(0).backed_off(play.now));
  EXPECT_EQ(play.at(0).active(), 0);
}

TEST(NodePools, AMachineThatNeverGetsReadyIsGivenUp) {
  Play play;
  play.nodes_get_ready = false;
  play.state.pools = {pool("slow", 1, 1)};
  play.pend("x", 1);
  play.pass(minutes(16), seconds(10));
  EXPECT_TRUE(play.heard("not ready within its provisionTimeout")) << play.all();
  EXPECT_EQ(play.state.board.size(), 0u);
  EXPECT_TRUE(play.at(0).backed_off(play.now));
}

TEST(NodePools, SaysWhyNoPoolHelps) {
  Play play;
  play.state.pools = {pool("full", 0, 1), pool("tainted", 1, 1, [](resource::NodePool& p) {
                        p.taints = {{"team", "a", "NoSchedule"}};
                      })};
  play.pend("x", 1);
  play.pend("large", 2);
  play.round();
  EXPECT_TRUE(play.heard(
      "NotTriggerScaleUp: pod didn't trigger scale-up: 1 max node group size reached, 1 node(s) had "
      "untolerated taint {team: a}"))
      << play.all();
  EXPECT_TRUE(play.heard("pod default/large requests 2 nvidia.com/gpu and a machine of pool full has 1"))
      << play.all();
  EXPECT_EQ(play.at(0).never_fits,
            "pod default/large requests 2 nvidia.com/gpu and a machine of pool full has 1");
}

TEST(NodePools, CostIsLimited) {
  Play play;
  play.state.pools = {pool("p", 9, 10, [](resource::NodePool& p) { p.max_cost_per_hour = 25; })};
  for (const char* name : {"a", "b", "c"}) play.pend(name, 1);
  play.round();
  EXPECT_EQ(play.at(0).active(), 2);
  EXPECT_TRUE(play.heard("1 max cost per hour reached")) << play.all();
}

TEST(NodePools, GatedNominatedAndExpendablePodsStartNothing) {
  Play play;
  play.state.pools = {pool("p", 9, 1)};
  play.pend("gated", 1, [](PodView& p) { p.gated = true; });
  play.pend("nominated", 1, [](PodView& p) { p.nominated = "n"; });
  play.pend("expendable", 1, [](PodView& p) { p.priority = -11; });
  play.pend("fresh", 1, [](PodView& p) { p.told_reason.clear(); });
  play.round();
  EXPECT_EQ(play.at(0).active(), 0) << play.all();
}

// Two machines, each with one small pod that would fit beside the other.
class Ebb : public ::testing::Test {
 protected:
  void SetUp() override {
    play_.state.pools = {pool("p", 3, 1, [](resource::NodePool& p) {
      p.capacity = {{"cpu", Quantity{8000}}, {"memory", Quantity{16'000'000}}, {"pods", Quantity{110'000}}};
      p.min = 2;
    })};
    play_.pass(seconds(35));
    play_.state.pools[0].spec.min = 0;
    ASSERT_EQ(play_.at(0).count(Phase::kReady), 2) << play_.all();
  }
  void put(const char* name, const char* node, const std::function<void(PodView&)>& change = {}) {
    play_.put(bound(name, node, 0, [&](PodView& p) {
      p.replicated = true;
      if (change) change(p);
    }));
  }
  std::int64_t left_after_an_hour() {
    play_.pass(minutes(60), seconds(30));
    return play_.at(0).active();
  }
  std::string why(std::size_t machine) const { return play_.at(0).machines.at(machine).reason; }
  Play play_;
};

TEST_F(Ebb, LittleUsedMachinesAreDrained) {
  put("a", "p-1");
  put("b", "p-2", [](PodView& p) { p.requests.set("cpu", 2000); });
  EXPECT_EQ(left_after_an_hour(), 1);
  EXPECT_TRUE(play_.heard("ScaleDown: deleting pod for node scale down")) << play_.all();
  EXPECT_EQ(play_.node_of("a"), "gone");
  EXPECT_EQ(play_.node_of("b"), "p-2") << "the emptier one goes";
}

TEST_F(Ebb, BusyMachinesStay) {
  put("a", "p-1", [](PodView& p) { p.requests.set("cpu", 5000); });
  put("b", "p-2", [](PodView& p) { p.requests.set("cpu", 5000); });
  EXPECT_EQ(left_after_an_hour(), 2);
  EXPECT_EQ(why(0), "utilization 62 %");
}

TEST_F(Ebb, BlockersAreNamed) {
  put("a", "p-1", [](PodView& p) { p.annotations[std::string(kSafeToEvict)] = "false"; });
  put("b", "p-2", [](PodView& p) { p.local_storage = true; });
  EXPECT_EQ(left_after_an_hour(), 2);
  EXPECT_EQ(why(0), "pod default/a is annotated cluster-autoscaler.kubernetes.io/safe-to-evict: false");
  EXPECT_EQ(why(1), "pod default/b keeps data in a local volume");
}

TEST_F(Ebb, BudgetsAndBarePodsHold) {
  put("a", "p-1");
  put("b", "p-2", [](PodView& p) { p.replicated = false; });
  placement::Budget budget{"default", {}, 0};
  play_.state.budgets = {budget};
  EXPECT_EQ(left_after_an_hour(), 2);
  EXPECT_EQ(why(0), "pod default/a is kept by a PodDisruptionBudget");
  EXPECT_EQ(why(1), "pod default/b has no controller that would make it anew");
}

TEST_F(Ebb, PoolsNodesAndPodsMayForbidIt) {
  put("a", "p-1", [](PodView& p) { p.annotations["karpenter.sh/do-not-disrupt"] = "true"; });
  const placement::NodeView& other = *play_.state.board.find("p-2")->node;
  placement::NodeView kept = other;
  kept.object = *resource::Object::make(resource::Json{
      {"apiVersion", "v1"},
      {"kind", "Node"},
      {"metadata", {{"name", "p-2"}, {"annotations", {{std::string(kScaleDownDisabled), "true"}}}}}});
  play_.state.board.put(std::make_shared<const placement::NodeView>(kept));
  EXPECT_EQ(left_after_an_hour(), 2);
  EXPECT_EQ(why(0), "pod default/a is annotated karpenter.sh/do-not-disrupt: true");
  EXPECT_EQ(why(1), "annotated cluster-autoscaler.kubernetes.io/scale-down-disabled");
  play_.state.pools[0].spec.min = 2;
  play_.round();
  EXPECT_EQ(why(1), "min node group size reached");
  play_.state.pools[0].spec.scale_down.enabled = false;
  play_.round();
  EXPECT_EQ(why(1), "scaleDown is not enabled");
}

TEST_F(Ebb, WaitsForUnneededTimeAndForDelayAfterAdd) {
  auto& rules = play_.state.pools[0].spec.scale_down;
  rules.unneeded_time = minutes(1);
  rules.delay_after_add = minutes(4);
  play_.pass(minutes(3), seconds(5));
  EXPECT_EQ(play_.at(0).active(), 2) << "a machine has just been added";
  play_.pass(minutes(2), seconds(5));
  EXPECT_EQ(play_.at(0).active(), 0) << play_.all();
}

TEST_F(Ebb, ALowerMaxTakesMachinesAtOnce) {
  put("a", "p-1", [](PodView& p) { p.requests.set("cpu", 5000); });
  play_.state.pools[0].spec.max = 1;
  play_.pass(seconds(5));
  EXPECT_EQ(play_.at(0).active(), 1);
}

TEST_F(Ebb, ASilentMachineGoesAfterUnreadyTime) {
  auto& rules = play_.state.pools[0].spec.scale_down;
  rules.unneeded_time = minutes(1);
  rules.unready_time = minutes(30);
  rules.delay_after_add = Duration::zero();
  placement::NodeView silent = *play_.state.board.find("p-1")->node;
  silent.ready = false;
  play_.state.board.put(std::make_shared<const placement::NodeView>(silent));
  play_.pass(minutes(20), seconds(10));
  ASSERT_EQ(play_.at(0).machines.size(), 1u) << "the empty one is gone, the silent one is waited for";
  EXPECT_EQ(play_.at(0).machines[0].name, "p-1");
  play_.pass(minutes(11), seconds(10));
  EXPECT_EQ(play_.at(0).active(), 0) << play_.all();
}

TEST_F(Ebb, ADrainThatDoesNotEndIsEnded) {
  auto& rules = play_.state.pools[0].spec.scale_down;
  rules.unneeded_time = minutes(1);
  rules.delay_after_add = Duration::zero();
  rules.drain_timeout = minutes(5);
  put("a", "p-1");
  put("b", "p-2", [](PodView& p) { p.requests.set("cpu", 5000); });
  const auto drains = [&] { return play_.at(0).count(Phase::kDraining) == 1; };
  for (int i = 0; i < 120 && !drains(); ++i) play_.pass(seconds(1));
  ASSERT_TRUE(drains()) << play_.all();
  play_.state.budgets = {placement::Budget{"default", {}, 0}};  // it is cordoned, and nobody may be evicted
  play_.pass(minutes(4), seconds(5));
  EXPECT_NE(play_.state.board.find("p-1"), nullptr);
  play_.pass(minutes(2), seconds(5));
  EXPECT_EQ(play_.state.board.find("p-1"), nullptr) << "it goes whatever runs on it";
}

TEST_F(Ebb, WhatHasNoRoomElsewhereStays) {
  const auto half = [](PodView& p) { p.requests.set("memory", 7'900'000); };
  put("a", "p-1", half);
  put("b", "p-2", half);
  put("filler", "p-2", [](PodView& p) { p.requests.set("memory", 1'000'000); });
  EXPECT_EQ(left_after_an_hour(), 2);
  EXPECT_EQ(why(0), "pod default/a has no room elsewhere");
}

TEST_F(Ebb, APodThatComesWhileCordoningIsNotLost) {
  play_.pass(minutes(9), seconds(30));
  Plan plan;
  while (plan.steps.empty()) {
    play_.now += seconds(5);
    plan = decide(play_.state, play_.now);
  }
  ASSERT_EQ(plan.steps[0].verb, Step::Verb::kCordon);
  // Bound in the same moment, before the cordon was seen.
  put("late", plan.steps[0].machine.c_str());
  Plan next = decide(play_.state, play_.now);
  for (const Step& step : next.steps) {
    const bool removes = step.verb == Step::Verb::kUnregister && step.machine == plan.steps[0].machine;
    EXPECT_FALSE(removes);
  }
}

TEST(NodePools, ExecAsksUntilAnswered) {
  Play play;
  play.state.pools = {pool("real", 1, 1, [](resource::NodePool& p) {
    p.provider = PoolProvider::kExec;
    p.exec.command = {"/bin/true"};
  })};
  play.pend("x", 1);
  play.pass(seconds(2));
  EXPECT_TRUE(play.heard("create real-1")) << play.all();
  play.state.exec["create/real-1"] = {true, false, "no quota"};
  play.pass(seconds(2));
  EXPECT_TRUE(play.heard("FailedToScaleUpGroup: Scale-up failed for group real, machine real-1: no quota"));
  EXPECT_TRUE(play.heard("delete real-1")) << "what was begun is ended";
  EXPECT_EQ(play.at(0).active(), 0);
}

TEST(NodePools, AdoptsWhatBearsItsLabel) {
  Play play;
  play.state.pools = {pool("edge", 2, 0)};
  play.state.board.put(node("gpu-host-7", 1, {{std::string(resource::kNodePoolLabel), "edge"}}));
  play.round();
  ASSERT_EQ(play.at(0).machines.size(), 1u);
  EXPECT_EQ(play.at(0).machines[0].name, "gpu-host-7");
}

TEST(NodePools, StatusKeepsEverything) {
  nlohmann::ordered_json document = nlohmann::ordered_json::parse(R"({"apiVersion": "tidegate.dev/v1alpha1",
    "kind": "NodePool", "metadata": {"name": "p", "uid": "u"},
    "spec": {"provider": "local", "max": 3, "pricePerHour": "12.5", "capacity": {"cpu": 8, "memory": "32Gi"}}})");
  Pool before = *read_pool(*resource::Object::make(document));
  launch(before, {}, kNow);
  before.machines[0].unneeded_since = kNow + seconds(1);
  before.machines[0].asked_by = "default/pod";
  before.backoff_until = kNow + minutes(5);
  before.backoff_reason = "out of stock";
  before.failures = 2;
  const auto written = write_pool(before, kNow);
  EXPECT_EQ(written["status"]["costPerHour"], "12500m");
  EXPECT_EQ(written["status"]["conditions"][0]["reason"], "Backoff");
  const Pool after = *read_pool(*resource::Object::make(written));
  ASSERT_EQ(after.machines.size(), 1u);
  EXPECT_EQ(after.machines[0].name, "p-1");
  EXPECT_EQ(after.machines[0].phase, Phase::kBooting);
  EXPECT_EQ(after.machines[0].unneeded_since, before.machines[0].unneeded_since);
  EXPECT_EQ(after.machines[0].asked_by, "default/pod");
  EXPECT_EQ(after.backoff_until, before.backoff_until);
  EXPECT_EQ(after.failures, 2);
  EXPECT_EQ(after.launched, 1);
  EXPECT_EQ(after.last_added, kNow);
}

TEST(NodePools, TheNodeIsTheTemplate) {
  Pool of = *read_pool(*resource::Object::make(nlohmann::ordered_json::parse(
      R"({"apiVersion": "tidegate.dev/v1alpha1", "kind": "NodePool", "metadata": {"name": "p", "uid": "u"},
          "spec": {"provider": "local", "max": 3, "capacity": {"cpu": 8, "memory": "32Gi", "nvidia.com/gpu": 2},
                   "taints": [{"key": "gpu", "value": "v100", "effect": "NoSchedule"}]}})")));
  const auto document = node_document(of, "p-1", kNow);
  EXPECT_EQ(document["spec"]["providerID"], "local://p/p-1");
  EXPECT_EQ(document["metadata"]["ownerReferences"][0]["uid"], "u");
  const auto node = *placement::view_node(*resource::Object::make(document));
  const auto expected = template_node(of, "p-1");
  EXPECT_EQ(node->labels, expected->labels);
  EXPECT_EQ(node->allocatable.of("nvidia.com/gpu"), 2000);
  EXPECT_EQ(node->allocatable.of("memory"), expected->allocatable.of("memory"));
  EXPECT_FALSE(node->ready);
}

// Many pods come and go at random: whatever happens, the bounds hold and at last everything is given back.
TEST(NodePools, RandomLifeKeepsTheBounds) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    Play play;
    play.state.pools = {
        pool("a", 3, 3,
             [](resource::NodePool& p) {
               p.local.fail_every = 3;
               p.local.fail_first = 1;
             }),
        pool("b", 4, 1, [](resource::NodePool& p) { p.capacity["nvidia.com/gpu"] = Quantity{2000}; })};
    std::vector<std::string> alive;
    for (int i = 0; i < 60; ++i) {
      if (random.below(2) && alive.size() < 12) {
        alive.push_back("pod" + std::to_string(i));
        play.pend(alive.back(), static_cast<int>(1 + random.below(2)));
      } else if (!alive.empty()) {
        const std::size_t which = random.below(alive.size());
        play.end(alive[which]);
        alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(which));
      }
      play.pass(seconds(random.below(90)), seconds(15));
      for (const Pool& each : play.state.pools) {
        ASSERT_LE(each.active(), each.spec.max) << "seed " << seed;
      }
      for (const auto& [name, place] : play.state.board.places()) {
        ASSERT_EQ(place.node->allocatable.short_of(place.used, {}), nullptr) << "seed " << seed;
        ASSERT_LE(place.used.of("nvidia.com/gpu"), place.node->allocatable.of("nvidia.com/gpu"))
            << "seed " << seed;
      }
    }
    for (const std::string& name : alive) play.end(name);
    play.pass(minutes(45), seconds(30));
    EXPECT_EQ(play.state.board.size(), 0u) << "seed " << seed << "\n" << play.all();
  }
}

}  // namespace
}  // namespace tidegate::nodepool

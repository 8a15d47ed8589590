#include <gtest/gtest.h>

#include "control/nodepool/decide.h"
#include "control/placement/round.h"
#include "control/placement/test_cluster.h"

namespace tidegate::nodepool {
namespace {

using namespace placement::testing;
using externalgrpc::InstanceState;
using resource::PoolProvider;
using std::chrono::minutes;
using std::chrono::seconds;

Pool pool(const std::string& name, double price, PoolProvider provider) {
  Pool pool;
  pool.name = name;
  pool.spec.provider = provider;
  pool.spec.max = 3;
  pool.spec.price_per_hour = price;
  pool.spec.labels = {{std::string(resource::kNodePoolLabel), name}};
  pool.spec.capacity = {{"cpu", Quantity{8000}},
                        {"memory", Quantity{16'000'000}},
                        {"nvidia.com/gpu", Quantity{1000}},
                        {"pods", Quantity{110'000}}};
  return pool;
}

// A provider that does what it is told at the next turn, and a cluster beside it.
struct Play {
  State state;
  WallTime now = kNow;
  std::vector<std::string> said;
  int asked = 0;     // IncreaseSize
  int returned = 0;  // DeleteNodes
  std::string refuses;

  Play() { state.pools = {pool("cloud", 1, PoolProvider::kExternalGrpc)}; }

  externalgrpc::View& view() { return state.external["cloud"]; }
  Pool& cloud() { return state.pools[0]; }

  void hear() {
    view().seen = now;
    view().failed.reset();
    view().error.clear();
    view().group.max = 3;
  }
  void away(const std::string& why) {
    view().failed = now;
    view().error = why;
  }
  void pend(const std::string& name) {
    state.pods.push_back(placement::testing::pod(name, 1, [](placement::PodView& p) {
      p.replicated = true;
      p.told_reason = "Unschedulable";
    }));
  }
  void node(const std::string& name, const std::string& id, bool ready = true) {
    auto view = std::make_shared<placement::NodeView>(*template_node(cloud(), name));
    view->provider_id = id;
    view->ready = ready;
    state.board.put(placement::NodePtr(view));
  }

  void act(const Step& step) {
    auto& group = view().group;
    if (step.verb == Step::Verb::kResize && step.by > 0) {
      asked += static_cast<int>(step.by);
      if (refuses.empty()) {
        group.target += step.by;
      } else {
        view().grow_failed = now;
        view().grow_error = refuses;
      }
    } else if (step.verb == Step::Verb::kResize) {
      group.target += step.by;
      said.push_back("decrease " + std::to_string(step.by));
    } else if (step.verb == Step::Verb::kGiveBack) {
      ++returned;
      view().removals[step.instance] = {now, refuses};
      if (!refuses.empty()) return;
      --group.target;
      std::erase_if(group.instances, [&](const auto& instance) { return instance.id == step.instance; });
    } else if (step.verb == Step::Verb::kUnregister) {
      state.board.drop_node(step.machine);
    } else if (step.verb == Step::Verb::kCordon) {
      auto node = std::make_shared<placement::NodeView>(*state.board.find(step.machine)->node);
      node->unschedulable = true;
      state.board.put(placement::NodePtr(node));
    }
  }

  void round() {
    const Plan plan = decide(state, now);
    for (const Step& step : plan.steps) act(step);
    for (const Note& note : plan.notes) said.push_back(note.reason + ": " + note.message);
    now += seconds(1);
  }
  // Rounds in which the provider is heard.
  void pass(Duration time) {
    for (const WallTime until = now + time; now < until;) {
      hear();
      round();
    }
  }
  bool heard(const std::string& text) const {
    return std::any_of(said.begin(), said.end(),
                       [&](const auto& line) { return line.find(text) != line.npos; });
  }
};

TEST(External, NothingGrowsBeforeTheProviderIsHeard) {
  Play play;
  play.state.pools.push_back(pool("dear", 9, PoolProvider::kLocal));
  play.pend("a");
  play.round();
  EXPECT_TRUE(play.state.pools[0].machines.empty());
  EXPECT_TRUE(play.state.pools[1].machines.empty());
  play.hear();
  play.round();
  EXPECT_EQ(play.cloud().machines.size(), 1u);
}

TEST(External, ANumberBecomesAnInstanceBecomesANode) {
  Play play;
  play.pend("a");
  play.pend("b");
  play.pass(seconds(3));
  EXPECT_EQ(play.asked, 2);
  EXPECT_EQ(play.view().group.target, 2);
  play.pass(seconds(3));
  EXPECT_EQ(play.asked, 2) << "what is on its way is not asked for again";
  play.view().group.instances = {{"x://1", InstanceState::kCreating, {}},
                                 {"x://2", InstanceState::kCreating, {}}};
  play.pass(seconds(2));
  EXPECT_EQ(play.cloud().machines[0].instance, "x://1");
  play.node("host-7", "x://2");
  play.pass(seconds(2));
  EXPECT_EQ(play.cloud().machines[1].name, "host-7");
  EXPECT_EQ(play.cloud().machines[1].phase, Phase::kReady);
  EXPECT_EQ(play.cloud().machines[0].phase, Phase::kBooting);
  EXPECT_EQ(play.asked, 2);
}

TEST(External, ARefusalIsOneFailureAndTheNextPoolIsAsked) {
  Play play;
  play.state.pools.push_back(pool("dear", 9, PoolProvider::kLocal));
  play.refuses = "NodeGroupIncreaseSize: no stock (RESOURCE_EXHAUSTED)";
  play.pend("a");
  play.pend("b");
  play.pass(seconds(4));
  EXPECT_TRUE(play.cloud().machines.empty());
  EXPECT_EQ(play.cloud().failures, 1);
  EXPECT_TRUE(play.cloud().backed_off(play.now));
  EXPECT_TRUE(play.heard("no stock"));
  EXPECT_EQ(play.state.pools[1].machines.size(), 2u);
}

TEST(External, AProviderThatGoesAwayStopsGrowthAndComesBack) {
  Play play;
  play.state.pools.push_back(pool("dear", 9, PoolProvider::kLocal));
  play.pass(seconds(1));
  play.away("Refresh: connection refused (UNAVAILABLE)");
  play.pend("a");
  play.round();
  EXPECT_EQ(play.cloud().provider_error, "Refresh: connection refused (UNAVAILABLE)");
  EXPECT_TRUE(play.heard("ProviderFailed: Refresh"));
  EXPECT_TRUE(play.cloud().machines.empty());
  EXPECT_EQ(play.state.pools[1].machines.size(), 1u);
  play.pass(seconds(1));
  EXPECT_TRUE(play.heard("ProviderAnswers"));
  EXPECT_EQ(why_no_growth(play.cloud(), play.now), "");
}

TEST(External, ACallWhoseOutcomeIsUnknownIsTakenBackLater) {
  Play play;
  play.pend("a");
  play.pass(seconds(1));
  play.away("NodeGroupIncreaseSize: too late (DEADLINE_EXCEEDED)");
  play.round();
  EXPECT_TRUE(play.cloud().machines.empty());
  play.state.pods.clear();
  play.view().group.target = 1;  // it had worked
  play.pass(seconds(2));
  EXPECT_TRUE(play.heard("decrease -1"));
  EXPECT_EQ(play.view().group.target, 0);
}

TEST(External, WhatHasComeUnaskedIsAdoptedAndGoesWhenIdle) {
  Play play;
  play.view().group.target = 1;
  play.view().group.instances = {{"x://1", InstanceState::kRunning, {}}};
  play.node("host-1", "x://1");
  play.pass(seconds(2));
  ASSERT_EQ(play.cloud().machines.size(), 1u);
  EXPECT_EQ(play.cloud().machines[0].name, "host-1");
  EXPECT_EQ(play.asked, 0);
  play.pass(minutes(21));
  EXPECT_EQ(play.returned, 1);
  EXPECT_TRUE(play.cloud().machines.empty());
  EXPECT_EQ(play.state.board.find("host-1"), nullptr);
}

TEST(External, AReturnThatFailsIsTriedAgainAndTheNodeStaysMeanwhile) {
  Play play;
  play.view().group.target = 1;
  play.view().group.instances = {{"x://1", InstanceState::kRunning, {}}};
  play.node("host-1", "x://1");
  play.refuses = "NodeGroupDeleteNodes: busy (ABORTED)";
  play.pass(minutes(21));
  ASSERT_EQ(play.cloud().machines.size(), 1u);
  EXPECT_EQ(play.cloud().machines[0].phase, Phase::kLeaving);
  EXPECT_EQ(play.cloud().machines[0].reason, play.refuses);
  EXPECT_NE(play.state.board.find("host-1"), nullptr);
  const int before = play.returned;
  play.pass(seconds(30));
  EXPECT_GE(play.returned, before + 2);
  EXPECT_LE(play.returned, before + 4) << "with a pause between";
  play.refuses.clear();
  play.pass(seconds(20));
  EXPECT_TRUE(play.cloud().machines.empty());
}

TEST(External, AnInstanceWithAnErrorIsGivenBack) {
  Play play;
  play.pend("a");
  play.pass(seconds(3));
  play.view().group.instances = {{"x://1", InstanceState::kCreating, "QUOTA: no more of these"}};
  play.pass(seconds(3));
  EXPECT_EQ(play.returned, 1);
  EXPECT_EQ(play.cloud().backoff_reason, "QUOTA: no more of these");
  EXPECT_TRUE(play.cloud().machines.empty());
  EXPECT_EQ(play.view().group.target, 0);
}

TEST(External, ANodeWhoseIdIsAnotherIsKnownByItsGroup) {
  Play play;
  play.pend("a");
  play.pass(seconds(3));
  play.node("host-1", "other://id");
  play.view().group.members = {"host-1"};
  play.pass(seconds(2));
  ASSERT_EQ(play.cloud().machines.size(), 1u);
  EXPECT_EQ(play.cloud().machines[0].name, "host-1");
  EXPECT_EQ(play.cloud().machines[0].phase, Phase::kReady);
}

TEST(External, DevicesMakeANodeReady) {
  Play play;
  play.pend("a");
  play.view().group.gpu_label = "accelerator";
  play.cloud().spec.labels["accelerator"] = "v100";
  play.pass(seconds(3));
  play.view().group.instances = {{"x://1", InstanceState::kRunning, {}}};
  play.cloud().spec.capacity.erase("nvidia.com/gpu");
  play.node("host-1", "x://1");
  play.cloud().spec.capacity["nvidia.com/gpu"] = Quantity{1000};
  play.pass(seconds(2));
  EXPECT_EQ(play.cloud().machines[0].phase, Phase::kBooting);
  EXPECT_EQ(play.cloud().machines.size(), 1u) << "no second machine while the device plugin starts";
  play.node("host-1", "x://1");
  play.pass(seconds(2));
  EXPECT_EQ(play.cloud().machines[0].phase, Phase::kReady);
}

TEST(External, ANodeThatHasJoinedWithoutThePoolsLabelsIsStillComing) {
  Play play;
  play.state.pods.push_back(placement::testing::pod("a", 1, [](placement::PodView& p) {
    p.told_reason = "Unschedulable";
    p.node_selector = {{std::string(resource::kNodePoolLabel), "cloud"}};
  }));
  play.pass(seconds(3));
  play.view().group.instances = {{"x://1", InstanceState::kRunning, {}}};
  play.cloud().spec.labels.clear();
  play.node("host-1", "x://1");
  play.cloud().spec.labels = {{std::string(resource::kNodePoolLabel), "cloud"}};
  play.pass(seconds(3));
  EXPECT_EQ(play.cloud().machines.size(), 1u);
  EXPECT_EQ(play.cloud().machines[0].phase, Phase::kBooting);
  play.node("host-1", "x://1");
  play.pass(seconds(2));
  EXPECT_EQ(play.cloud().machines[0].phase, Phase::kReady);
  EXPECT_EQ(play.asked, 1);
}

TEST(External, TwoPoolsOfOneNodeGroupAreNotBothBelieved) {
  Play play;
  play.state.pools.push_back(pool("cloud-too", 1, PoolProvider::kExternalGrpc));
  for (Pool& each : play.state.pools) each.spec.external_grpc.node_group = "gpu";
  play.view().group.target = 1;
  play.view().group.instances = {{"x://1", InstanceState::kRunning, {}}};
  play.hear();
  play.state.external["cloud-too"] = play.view();
  play.round();
  EXPECT_EQ(play.cloud().machines.size(), 1u);
  EXPECT_TRUE(play.state.pools[1].machines.empty());
  EXPECT_NE(play.state.pools[1].provider_error.find("pool cloud has the node group gpu already"),
            std::string::npos);
}

TEST(External, TheTemplateSaysWhatAMachineHas) {
  Play play;
  play.cloud().spec.capacity.clear();
  play.cloud().spec.price_per_hour = 0;
  play.pend("a");
  play.pass(seconds(1));
  EXPECT_NE(play.cloud().provider_error.find("no template"), std::string::npos);
  EXPECT_TRUE(play.cloud().machines.empty());
  play.view().group.node = externalgrpc::Template{
      {{"zone", "b"}}, {}, {{"cpu", "8"}, {"memory", "16Gi"}, {"nvidia.com/gpu", "1"}}};
  play.view().group.price = 2.5;
  play.pass(seconds(1));
  EXPECT_EQ(play.cloud().machines.size(), 1u);
  EXPECT_EQ(play.cloud().cost_per_hour(), 2.5);
  EXPECT_EQ(template_node(play.cloud(), "n")->labels.at("zone"), "b");
}

}  // namespace
}  // namespace tidegate::nodepool

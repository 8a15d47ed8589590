#include "control/placement/place.h"

#include <gtest/gtest.h>

#include "control/placement/round.h"
#include "control/placement/test_cluster.h"

namespace tidegate::placement {
namespace {

using namespace testing;
using resource::NextUnit;
using std::chrono::minutes;

// The node, or why there is none.
std::string answer(const Board& board, const PodPtr& pod, const std::vector<PolicyView>& policies = {},
                   WallTime now = kNow) {
  const Placement placement = place(board, *pod, {policies, {}}, now);
  return placement.node ? *placement.node : placement.message;
}

constexpr const char* kNoVictims = " No preemption victims found for incoming pod.";

resource::PodTerm near_app(const std::string& app, const std::string& key) {
  resource::PodTerm term;
  term.selector.emplace();
  term.selector->match_labels = {{"app", app}};
  term.topology_key = key;
  return term;
}

TEST(Place, SpeaksAsKubeSchedulerDoes) {
  const auto control = node("control", 0);
  const auto edge = node("edge", 1);
  const Board full = board({control, edge}, {bound("one", "edge", 1)});
  EXPECT_EQ(answer(full, pod("two", 1)),
            std::string("0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/2 nodes are "
                        "available: 2") +
                kNoVictims);
  EXPECT_EQ(answer(board({}), pod("p", 1)), "no nodes available to schedule pods");
  const Board mixed = board({node("a", 0, {}, [](NodeView& n) { n.unschedulable = true; }),
                             node("b", 0, {}, [](NodeView& n) { n.taints = {{"gpu", "v100", "NoSchedule"}}; }),
                             node("c", 0, {{"zone", "x"}}), node("d", 0)});
  const auto picky = pod("p", 1, [](PodView& p) {
    p.node_selector = {{"zone", "x"}};
    p.requests.set("cpu", 9000);
  });
  EXPECT_EQ(answer(mixed, picky),
            "0/4 nodes are available: 1 Insufficient cpu, 1 Insufficient nvidia.com/gpu, 1 node(s) didn't match "
            "Pod's node affinity/selector, 1 node(s) had untolerated taint {gpu: v100}, 1 node(s) were "
            "unschedulable. preemption: 0/4 nodes are available: 1 No preemption victims found for incoming pod, "
            "3 Preemption is not helpful for scheduling.");
}

TEST(Place, FillsGpusTightlyAndKeepsOthersOff) {
  const Board some = board({node("a", 4), node("b", 4), node("c", 0)}, {bound("one", "b", 1)});
  EXPECT_EQ(answer(some, pod("two", 1)), "b");
  EXPECT_EQ(answer(some, pod("plain", 0)), "c");
}

TEST(Place, MindsTolerationsAndPreferences) {
  const auto tainted = [](const std::string& effect) {
    return [effect](NodeView& n) { n.taints = {{"dedicated", "llm", effect}}; };
  };
  const Board hard = board({node("a", 0, {}, tainted("NoExecute"))});
  EXPECT_NE(answer(hard, pod("p", 0)), "a");
  const auto tolerant = pod("p", 0, [](PodView& p) { p.tolerations = {{"", "Exists", "", "", {}}}; });
  EXPECT_EQ(answer(hard, tolerant), "a");
  EXPECT_EQ(answer(board({node("a", 0, {}, tainted("PreferNoSchedule")), node("b", 0)}), pod("p", 0)), "b");
  const auto zoned = pod("p", 0, [](PodView& p) {
    p.affinity.node_preferred = {{5, {{{"zone", resource::NodeRequirement::Op::kIn, {"z"}}}, {}}}};
  });
  EXPECT_EQ(answer(board({node("a", 0), node("b", 0, {{"zone", "z"}})}), zoned), "b");
}

TEST(Place, PodAffinityBootstrapsAndThenHolds) {
  const auto friendly = pod("p", 0, [](PodView& p) { p.affinity.pod_required = {near_app("qwen", "zone")}; });
  const auto zone_a = node("a", 0, {{"zone", "a"}});
  const auto zone_b = node("b", 0, {{"zone", "b"}});
  EXPECT_EQ(answer(board({zone_a, zone_b}), friendly), "a");
  EXPECT_EQ(answer(board({zone_a, zone_b}, {bound("q", "b", 0)}), friendly), "b");
  const auto lonely = pod("p", 0, [](PodView& p) { p.affinity.anti_required = {near_app("qwen", "zone")}; });
  EXPECT_EQ(answer(board({zone_a, zone_b}, {bound("q", "a", 0)}), lonely), "b");
  const Board repelled = board({zone_a}, {bound("q", "a", 0, [](PodView& p) {
                                 p.affinity.anti_required = {near_app("qwen", "zone")};
                               })});
  EXPECT_TRUE(answer(repelled, pod("p", 0)).starts_with(
      "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules."));
}

TEST(Place, SpreadsWithinTheSkew) {
  const auto even = pod("p", 0, [](PodView& p) {
    resource::SpreadConstraint constraint;
    constraint.topology_key = "zone";
    constraint.selector.emplace();
    constraint.selector->match_labels = {{"app", "qwen"}};
    p.spread = {constraint};
  });
  const auto zone_a = node("a", 0, {{"zone", "a"}});
  const auto zone_b = node("b", 0, {{"zone", "b"}}, [](NodeView& n) { n.allocatable.set("cpu", 100); });
  EXPECT_EQ(answer(board({zone_a, zone_b}), even), "a");
  EXPECT_TRUE(answer(board({zone_a, zone_b}, {bound("q", "a", 0)}), even)
                  .starts_with("0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match pod topology "
                               "spread constraints."));
}

TEST(Place, PreemptsTheLeastAndKeepsTheRoom) {
  const auto low = [](const std::string& name, const std::string& on, int priority) {
    return bound(name, on, 1, [&](PodView& p) { p.priority = priority; });
  };
  Board full = board({node("a", 1), node("b", 2)}, {low("x", "a", 5), low("y", "b", 3), low("z", "b", 4)});
  const auto vip = pod("vip", 1, [](PodView& p) { p.priority = 10; });
  Placement made = place(full, *vip, {}, kNow);
  EXPECT_EQ(made.nominated, "b");
  ASSERT_EQ(made.victims.size(), 1u);
  EXPECT_EQ(made.victims[0]->name, "y");
  // Once the victim has left, the room is the VIP's and nobody else's.
  full.drop("b", "y");
  const auto waiting = pod("vip", 1, [](PodView& p) {
    p.priority = 10;
    p.nominated = "b";
  });
  full.put(waiting);
  EXPECT_NE(answer(full, pod("other", 1)), "b");
  EXPECT_EQ(answer(full, waiting), "b");
  const auto never = pod("n", 1, [](PodView& p) {
    p.priority = 10;
    p.never_preempts = true;
  });
  EXPECT_TRUE(answer(full, never).ends_with("preemption: not eligible due to preemptionPolicy=Never."));
}

TEST(Place, PreemptionMindsBudgets) {
  const Board full = board({node("a", 1), node("b", 1)}, {bound("x", "a", 1), bound("y", "b", 1, [](PodView& p) {
                                                            p.labels = {{"app", "other"}};
                                                          })});
  Budget budget{"default", {}, 0};
  budget.selector.match_labels = {{"app", "qwen"}};
  const std::vector<Budget> budgets = {budget};
  const auto vip = pod("vip", 1, [](PodView& p) { p.priority = 1; });
  EXPECT_EQ(place(full, *vip, {{}, budgets}, kNow).nominated, "b");
}

// The tide: an on-premises node with one GPU and two in the cloud.
class Tide : public ::testing::Test {
 protected:
  Board tide(const std::vector<PodPtr>& pods = {}) {
    return board({node("cloud-1", 1, {{"pool", "cloud"}}), node("control", 0), node("edge", 1, {{"pool", "edge"}})},
                 pods);
  }
  std::vector<resource::PolicyUnit> units_ = {unit("edge"), unit("cloud")};
};

TEST_F(Tide, FillsUnitsInOrder) {
  const std::vector<PolicyView> policies = {policy(units_)};
  EXPECT_EQ(answer(tide(), pod("one", 1), policies), "edge");
  EXPECT_EQ(answer(tide({bound("one", "edge", 1)}), pod("two", 1), policies), "cloud-1");
  const auto cpu_only = pod("small", 0);
  EXPECT_EQ(answer(tide(), cpu_only, policies), "edge");
}

TEST_F(Tide, PreferGoesOutsideAndRequiredDoesNot) {
  const Board outside = board({node("other", 1)});
  EXPECT_EQ(answer(outside, pod("p", 1), {policy(units_)}), "other");
  EXPECT_TRUE(answer(outside, pod("p", 1), {policy(units_, [](auto& spec) { spec.required = true; })})
                  .starts_with("0/1 nodes are available: 1 node(s) were in no unit of ResourcePolicy tide."));
}

TEST_F(Tide, AnElasticUnitKeepsThePodPendingForTheNodePools) {
  units_[1].waits_for_scaling = true;
  const Board no_cloud = board({node("control", 0), node("edge", 1, {{"pool", "edge"}})}, {bound("one", "edge", 1)});
  const std::vector<PolicyView> policies = {policy(units_)};
  const Placement placement = place(no_cloud, *pod("two", 1), {policies, {}}, kNow);
  EXPECT_FALSE(placement.node);
  EXPECT_TRUE(placement.waits_for_scaling);
  EXPECT_EQ(placement.unit, 1);
  EXPECT_TRUE(placement.message.starts_with("0/2 nodes are available: 2 Insufficient nvidia.com/gpu."))
      << placement.message;
}

TEST_F(Tide, MaxCountsPodsAndResources) {
  units_[0].max = 1;
  const Board big = board({node("edge", 8, {{"pool", "edge"}}), node("cloud", 8, {{"pool", "cloud"}})},
                          {bound("one", "edge", 1)});
  EXPECT_EQ(answer(big, pod("two", 1), {policy(units_)}), "cloud");
  units_[0].max.reset();
  units_[0].max_resources = {{"nvidia.com/gpu", Quantity{2000}}};
  EXPECT_EQ(answer(big, pod("two", 1), {policy(units_)}), "edge");
  EXPECT_EQ(answer(big, pod("two", 2), {policy(units_)}), "cloud");
}

TEST_F(Tide, MaxLeavesOutWhatItIsToldTo) {
  units_[0].max = 1;
  const auto big = [](const std::function<void(PodView&)>& change) {
    return board({node("edge", 8, {{"pool", "edge"}}), node("cloud", 8, {{"pool", "cloud"}})},
                 {bound("one", "edge", 1, change)});
  };
  const auto leaving = big([](PodView& p) { p.terminating = true; });
  EXPECT_EQ(answer(leaving, pod("two", 1), {policy(units_)}), "edge");
  EXPECT_EQ(answer(leaving, pod("two", 1), {policy(units_, [](auto& s) { s.ignore_terminating_pod = false; })}),
            "cloud");
  const auto previous = big([](PodView& p) { p.created = kNow - std::chrono::hours(2); });
  EXPECT_EQ(answer(previous, pod("two", 1), {policy(units_)}), "cloud");
  EXPECT_EQ(answer(previous, pod("two", 1), {policy(units_, [](auto& s) { s.ignore_previous_pod = true; })}),
            "edge");
  // Only pods that bear the unit's labels count.
  auto labelled = units_;
  labelled[0].pod_labels = {{"tier", "edge"}};
  EXPECT_EQ(answer(big({}), pod("two", 1), {policy(labelled)}), "edge");
  EXPECT_EQ(answer(big([](PodView& p) { p.labels["tier"] = "edge"; }), pod("two", 1), {policy(labelled)}), "cloud");
  // Groups are counted on their own; a pod without the key is in none.
  const auto grouped = policy(units_, [](auto& s) { s.match_label_keys = {"hash"}; });
  const auto of = [](const std::string& hash) { return [hash](PodView& p) { p.labels["hash"] = hash; }; };
  EXPECT_EQ(answer(big(of("old")), pod("two", 1, of("new")), {grouped}), "edge");
  EXPECT_EQ(answer(big(of("old")), pod("two", 1, of("old")), {grouped}), "cloud");
  EXPECT_EQ(answer(big(of("old")), pod("two", 1), {grouped}),
            "0/2 nodes are available: pod lacks the label hash of matchLabelKeys in ResourcePolicy tide.");
}

TEST_F(Tide, GatesBetweenUnits) {
  const auto with = [&](NextUnit next) { return policy(units_, [&](auto& spec) { spec.next_unit = next; }); };
  const Board full_edge = tide({bound("one", "edge", 1)});
  const auto two = pod("two", 1);
  EXPECT_EQ(answer(full_edge, two, {with(NextUnit::kLackResourceOrExceedMax)}), "cloud-1");
  EXPECT_EQ(answer(full_edge, two, {with(NextUnit::kExceedMax)}), "cloud-1") << "without max it may go on";
  EXPECT_EQ(answer(full_edge, two, {with(NextUnit::kTimeoutOrExceedMax)}), "cloud-1");
  EXPECT_TRUE(answer(full_edge, two, {with(NextUnit::kTimeout)}).starts_with("0/3 nodes are available"));
  units_[0].max = 5;
  EXPECT_TRUE(answer(full_edge, two, {with(NextUnit::kExceedMax)}).starts_with("0/3")) << "below max it stays";
  const Placement held = [&] {
    const std::vector<PolicyView> policies = {with(NextUnit::kTimeoutOrExceedMax)};
    return place(full_edge, *two, {policies, {}}, kNow + minutes(5));
  }();
  EXPECT_EQ(held.again_in, minutes(10));
  EXPECT_EQ(answer(full_edge, two, {with(NextUnit::kTimeoutOrExceedMax)}, kNow + minutes(15)), "cloud-1");
  units_[0].max = 1;
  EXPECT_EQ(answer(full_edge, two, {with(NextUnit::kExceedMax)}), "cloud-1") << "at max it goes on";
  const Board rolling = tide({bound("one", "edge", 1, [](PodView& p) { p.terminating = true; })});
  EXPECT_TRUE(answer(rolling, two, {with(NextUnit::kLackResourceAndNoTerminating)}).starts_with("0/3"));
  EXPECT_EQ(answer(full_edge, two, {with(NextUnit::kLackResourceAndNoTerminating)}), "cloud-1");
}

TEST_F(Tide, PreemptsBeforeTheNextUnitIfAsked) {
  const Board full_edge = tide({bound("one", "edge", 1)});
  const auto vip = pod("vip", 1, [](PodView& p) { p.priority = 9; });
  EXPECT_EQ(answer(full_edge, vip, {policy(units_)}), "cloud-1");
  const std::vector<PolicyView> eager = {policy(units_, [](auto& s) { s.preempt_before_next_unit = true; })};
  const Placement placement = place(full_edge, *vip, {eager, {}}, kNow);
  EXPECT_EQ(placement.nominated, "edge");
  ASSERT_EQ(placement.victims.size(), 1u);
}

TEST_F(Tide, TwoPoliciesOnOnePodAreRefused) {
  auto second = policy(units_);
  second.name = "other";
  EXPECT_EQ(answer(tide(), pod("p", 1), {policy(units_), second}),
            "0/3 nodes are available: pod is matched by more than one ResourcePolicy (tide, other), change their "
            "selectors so that one is left.");
}

TEST_F(Tide, ARoundTakesTheImportantAndTheOldFirst) {
  const auto young = pod("young", 1);
  const auto old = pod("old", 1, [](PodView& p) { p.created = kNow - minutes(1); });
  const auto vip = pod("vip", 1, [](PodView& p) { p.priority = 1; });
  const std::vector<PolicyView> policies = {policy(units_)};
  Board here = tide();
  const std::vector<PodPtr> pods = {young, old, vip};
  const auto outcomes = place_all(here, pods, {policies, {}}, kNow);
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[0].pod->name, "vip");
  EXPECT_EQ(*outcomes[0].placement.node, "edge");
  EXPECT_EQ(outcomes[1].pod->name, "old");
  EXPECT_EQ(*outcomes[1].placement.node, "cloud-1");
  EXPECT_FALSE(outcomes[2].placement.node);
}

}  // namespace
}  // namespace tidegate::placement

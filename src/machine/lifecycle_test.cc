#include "machine/lifecycle.h"

#include <gtest/gtest.h>

#include <functional>

namespace tidegate::machine {
namespace {

using Phase = ContainerState::Phase;
using Verb = Order::Verb;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

ContainerPlan container(const char* name, bool init = false, bool sidecar = false) {
  ContainerPlan plan;
  plan.spec.name = name;
  plan.spec.image = "vllm";
  plan.init = init;
  plan.sidecar = sidecar;
  return plan;
}

ProbePlan probe(Duration period = seconds(10), int failures = 3, Duration delay = {}) {
  ProbePlan plan;
  plan.kind = ProbeKind::kHttp;
  plan.port = 8000;
  plan.period = period;
  plan.failures_max = failures;
  plan.initial_delay = delay;
  return plan;
}

PodPlan pod(std::vector<ContainerPlan> containers, RestartPolicy restart = RestartPolicy::kAlways) {
  PodPlan plan;
  plan.key = {"default", "p"};
  plan.uid = "u";
  plan.restart = restart;
  plan.containers = std::move(containers);
  return plan;
}

// A pod whose processes start at once and answer probes as the test says.
class World {
 public:
  explicit World(PodPlan plan, RunAs run_as = RunAs::kEngine)
      : life(plan, std::vector<ImageChoice>(plan.containers.size(), ImageChoice{run_as, "why"})) {}

  // Carries out what is due at this moment, and what follows from it.
  void settle() {
    for (int i = 0; i < 20; ++i) {
      const auto orders = life.due(now);
      if (orders.empty()) return;
      for (const Order& order : orders) {
        log.push_back(order);
        if (order.verb == Verb::kStart) life.started(order.container, now);
        if (order.verb == Verb::kKill) life.exited(order.container, 0, 9, now);
        if (order.verb == Verb::kTerminate && obeys) life.exited(order.container, 0, 15, now);
        if (order.verb == Verb::kProbe) {
          const bool good = healthy(order.role);
          life.probed(order.container, order.role, order.run, good, good ? "" : "connection refused", now);
        }
      }
    }
    FAIL() << "never settles";
  }
  // Time passes, wake by wake.
  void pass(Duration time) {
    const TimePoint end = now.at + time;
    int guard = 0;
    while (life.next_wake() <= end && ++guard < 100'000) {
      go_to(std::max(life.next_wake(), now.at + milliseconds(1)));
      settle();
    }
    ASSERT_LT(guard, 100'000);
    go_to(end);
    settle();
  }
  void go_to(TimePoint at) {
    now.wall += at - now.at;
    now.at = at;
  }
  int count(Verb verb, std::size_t container = 0) const {
    return static_cast<int>(std::count_if(log.begin(), log.end(), [&](const Order& order) {
      return order.verb == verb && order.container == container;
    }));
  }
  const ContainerState& state(std::size_t index = 0) const { return life.containers()[index]; }

  Lifecycle life;
  Now now{TimePoint{} + minutes(60), WallTime{} + minutes(60)};
  std::vector<Order> log;
  bool obeys = true;
  std::function<bool(ProbeRole)> healthy = [](ProbeRole) { return true; };
};

TEST(Lifecycle, WithoutProbesRunningIsReady) {
  World world(pod({container("a"), container("b")}));
  EXPECT_EQ(world.life.phase(), PodPhase::kPending);
  world.settle();
  EXPECT_EQ(world.life.phase(), PodPhase::kRunning);
  EXPECT_TRUE(world.life.ready());
}

TEST(Lifecycle, InitContainersRunInOrderAndSidecarsStay) {
  World world(pod({container("sidecar", true, true), container("prepare", true), container("main")}));
  world.settle();
  EXPECT_EQ(world.state(0).phase, Phase::kRunning);
  EXPECT_EQ(world.state(1).phase, Phase::kRunning);
  EXPECT_EQ(world.state(2).phase, Phase::kWaiting);
  EXPECT_FALSE(world.life.initialized());
  world.life.exited(1, 0, 0, world.now);
  world.settle();
  EXPECT_EQ(world.state(2).phase, Phase::kRunning);
  EXPECT_TRUE(world.life.ready());
}

TEST(Lifecycle, AFailedInitContainerIsTriedAgainUnlessTheePolicyForbids) {
  World again(pod({container("prepare", true), container("main")}));
  again.settle();
  again.life.exited(0, 1, 0, again.now);
  again.settle();
  EXPECT_EQ(again.count(Verb::kStart), 2);

  World never(pod({container("prepare", true), container("main")}, RestartPolicy::kNever));
  never.settle();
  never.life.exited(0, 1, 0, never.now);
  never.settle();
  EXPECT_EQ(never.life.phase(), PodPhase::kFailed);
  EXPECT_EQ(never.count(Verb::kStart, 1), 0);
}

TEST(Lifecycle, RestartsBackOffAndForget) {
  EXPECT_EQ(crash_back_off(1), Duration::zero());
  EXPECT_EQ(crash_back_off(2), seconds(10));
  EXPECT_EQ(crash_back_off(3), seconds(20));
  EXPECT_EQ(crash_back_off(30), minutes(5));

  World world(pod({container("a")}));
  world.settle();
  world.life.exited(0, 1, 0, world.now);
  world.settle();
  EXPECT_EQ(world.state().restarts, 1) << "the first restart is immediate";
  world.life.exited(0, 1, 0, world.now);
  world.settle();
  EXPECT_EQ(world.state().phase, Phase::kWaiting);
  EXPECT_EQ(world.state().reason, "CrashLoopBackOff");
  EXPECT_NE(world.state().message.find("back-off 10s restarting failed container=a"), std::string::npos);
  EXPECT_EQ(world.life.phase(), PodPhase::kRunning);
  world.pass(seconds(9));
  EXPECT_EQ(world.state().restarts, 1);
  world.pass(seconds(1));
  EXPECT_EQ(world.state().restarts, 2);
  world.pass(minutes(11));
  world.life.exited(0, 1, 0, world.now);
  world.settle();
  EXPECT_EQ(world.state().restarts, 3) << "ten quiet minutes forget the crashes before";
}

TEST(Lifecycle, PoliciesDecideWhatEnds) {
  World success(pod({container("a")}, RestartPolicy::kOnFailure));
  success.settle();
  success.life.exited(0, 0, 0, success.now);
  success.settle();
  EXPECT_EQ(success.life.phase(), PodPhase::kSucceeded);
  World failure(pod({container("a")}, RestartPolicy::kNever));
  failure.settle();
  failure.life.exited(0, 3, 0, failure.now);
  failure.settle();
  EXPECT_EQ(failure.life.phase(), PodPhase::kFailed);
  EXPECT_EQ(failure.state().last->code, 3);
}

TEST(Lifecycle, ReadinessIsFoundEarlyAndLostOnTheRecord) {
  ContainerPlan plan = container("a");
  plan.readiness = probe(seconds(10), 2, minutes(5));
  World world(pod({plan}));
  bool up = false;
  world.healthy = [&](ProbeRole) { return up; };
  world.settle();
  world.pass(seconds(5));
  EXPECT_FALSE(world.life.ready());
  up = true;
  world.pass(seconds(1));
  EXPECT_TRUE(world.life.ready()) << "not only after initialDelaySeconds";
  up = false;
  world.pass(minutes(4));
  EXPECT_TRUE(world.life.ready()) << "before the initial delay nothing is probed on the record";
  world.pass(minutes(1) + seconds(15));
  EXPECT_FALSE(world.life.ready());
  EXPECT_EQ(world.count(Verb::kTerminate), 0) << "readiness never kills";
}

TEST(Lifecycle, EarlyFailuresDoNotCount) {
  ContainerPlan plan = container("a");
  plan.startup = probe(seconds(10), 3);
  World world(pod({plan}));
  world.healthy = [](ProbeRole) { return false; };
  world.settle();
  world.pass(seconds(19));
  EXPECT_EQ(world.count(Verb::kTerminate), 0);
  EXPECT_GT(world.count(Verb::kProbe), 20);
  world.pass(seconds(2));  // the third on the record
  EXPECT_EQ(world.count(Verb::kTerminate), 1);
  EXPECT_NE(world.state().last->message.find("failed startup probe"), std::string::npos);
}

TEST(Lifecycle, LivenessKillsAndHoldsBackUntilStartup) {
  ContainerPlan plan = container("a");
  plan.startup = probe(seconds(1), 100);
  plan.liveness = probe(seconds(1), 2);
  World world(pod({plan}));
  bool started = false;
  world.healthy = [&](ProbeRole role) { return role == ProbeRole::kStartup ? started : false; };
  world.settle();
  world.pass(seconds(30));
  EXPECT_EQ(world.state().restarts, 0);
  started = true;
  world.pass(seconds(5));
  EXPECT_GE(world.state().restarts, 1);
  EXPECT_NE(world.state().previous->message.find("failed liveness probe"), std::string::npos);
}

TEST(Lifecycle, DeletionStopsThenKills) {
  World world(pod({container("a")}));
  world.settle();
  world.obeys = false;
  world.life.delete_requested(seconds(30), world.now);
  world.settle();
  EXPECT_EQ(world.count(Verb::kTerminate), 1);
  world.pass(seconds(29));
  EXPECT_EQ(world.count(Verb::kKill), 0);
  EXPECT_FALSE(world.life.gone());
  world.life.delete_requested(seconds(0), world.now);  // --now
  world.settle();
  EXPECT_EQ(world.count(Verb::kKill), 1);
  EXPECT_TRUE(world.life.gone());
  world.pass(minutes(10));
  EXPECT_EQ(world.count(Verb::kStart), 1) << "nothing starts again";
}

TEST(Lifecycle, SidecarsOutliveTheMainContainers) {
  World world(pod({container("sidecar", true, true), container("main")}));
  world.settle();
  world.obeys = false;
  world.life.delete_requested(seconds(30), world.now);
  world.settle();
  EXPECT_EQ(world.count(Verb::kTerminate, 1), 1);
  EXPECT_EQ(world.count(Verb::kTerminate, 0), 0);
  world.life.exited(1, 0, 15, world.now);
  world.settle();
  EXPECT_EQ(world.count(Verb::kTerminate, 0), 1);
}

TEST(PodPlan, WhoIsAskedForReadinessStopsAfterItsPodIsWithdrawn) {
  resource::Pod pod;
  pod.spec.containers.resize(3);
  pod.spec.containers[0].readiness.emplace();
  pod.spec.containers[1].readiness.emplace();
  pod.spec.containers[1].pre_stop.emplace();
  pod.spec.containers[1].pre_stop->type = resource::Action::Type::kSleep;
  pod.spec.containers[1].pre_stop->sleep_s = 3;
  const PodPlan plan = plan_pod(pod);
  EXPECT_EQ(plan.containers[0].pre_stop_wait, milliseconds(200));
  EXPECT_EQ(plan.containers[1].pre_stop_wait, seconds(3));
  EXPECT_FALSE(plan.containers[2].has_pre_stop());
}

TEST(Lifecycle, PreStopComesBeforeTheSignal) {
  ContainerPlan plan = container("a");
  plan.pre_stop_wait = seconds(5);
  World world(pod({plan}));
  world.settle();
  world.life.delete_requested(seconds(30), world.now);
  world.settle();
  EXPECT_EQ(world.count(Verb::kPreStop), 1);
  EXPECT_EQ(world.count(Verb::kTerminate), 0);
  world.life.pre_stop_done(0, world.state().run);
  world.settle();
  EXPECT_EQ(world.count(Verb::kTerminate), 1);
}

TEST(Lifecycle, UnknownImagesWaitWithAWordAndSkippedOnesDoNotHoldUp) {
  World unknown(pod({container("a")}), RunAs::kUnknown);
  unknown.settle();
  EXPECT_EQ(unknown.state().reason, "ErrImagePull");
  EXPECT_EQ(unknown.life.phase(), PodPhase::kPending);
  EXPECT_EQ(unknown.life.next_wake(), TimePoint::max());

  World skipped(pod({container("init", true), container("a")}), RunAs::kSkip);
  skipped.settle();
  EXPECT_TRUE(skipped.life.ready());
  skipped.life.delete_requested(seconds(30), skipped.now);
  skipped.settle();
  EXPECT_TRUE(skipped.life.gone());
}

TEST(Lifecycle, AStartThatCannotBeIsTriedAgainWithBackOff) {
  World world(pod({container("a")}));
  auto orders = world.life.due(world.now);
  ASSERT_EQ(orders.size(), 1u);
  world.life.start_failed(0, "CreateContainerConfigError", "configmap \"x\" not found", world.now);
  EXPECT_TRUE(world.life.due(world.now).empty());
  EXPECT_EQ(world.state().reason, "CreateContainerConfigError");
  world.pass(seconds(11));
  EXPECT_EQ(world.life.phase(), PodPhase::kRunning);
  EXPECT_EQ(world.state().restarts, 0);
}

TEST(Lifecycle, LateNewsOfAnEarlierRunIsIgnored) {
  ContainerPlan plan = container("a");
  plan.readiness = probe();
  World world(pod({plan}));
  world.healthy = [](ProbeRole) { return false; };
  world.settle();
  world.life.exited(0, 1, 0, world.now);
  world.settle();
  world.life.probed(0, ProbeRole::kReadiness, 1, true, "", world.now);
  EXPECT_FALSE(world.life.ready());
}

}  // namespace
}  // namespace tidegate::machine

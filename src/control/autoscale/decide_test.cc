#include "control/autoscale/decide.h"

#include <gtest/gtest.h>

#include "control/autoscale/test_state.h"

namespace tidegate::autoscale {
namespace {

using resource::MetricSpec;
using resource::MetricTarget;
using testing::at;
using testing::condition;
using testing::events;
using testing::kNow;
using testing::message;
using testing::World;

MetricSpec external(std::int64_t target, bool average) {
  MetricSpec metric;
  metric.type = MetricSpec::Type::kExternal;
  metric.name = "queue";
  (average ? metric.target.average_value : metric.target.value) = Quantity{target * 1000};
  return metric;
}

MetricSpec cpu(std::int64_t percent) {
  MetricSpec metric;
  metric.type = MetricSpec::Type::kResource;
  metric.name = "cpu";
  metric.target.type = MetricTarget::Type::kUtilization;
  metric.target.utilization = percent;
  return metric;
}

TEST(Decide, TellsARescaleInKubernetesWords) {
  World world;
  world.hpa.metrics[0].name = "DCGM_CUSTOM_PROCESS_SM_UTIL";
  const Outcome outcome = world.pods(1, "r:79").round(kNow);
  EXPECT_EQ(outcome.replicas, 2);
  EXPECT_EQ(events(outcome),
            "SuccessfulRescale: New size: 2; reason: pods metric DCGM_CUSTOM_PROCESS_SM_UTIL above target");
  EXPECT_EQ(condition(outcome, "AbleToScale"), "True SucceededRescale");
  EXPECT_EQ(message(outcome, "AbleToScale"), "the HPA controller was able to update the target scale to 2");
  EXPECT_EQ(condition(outcome, "ScalingActive"), "True ValidMetricFound");
  EXPECT_EQ(message(outcome, "ScalingActive"),
            "the HPA was able to successfully calculate a replica count from pods metric "
            "DCGM_CUSTOM_PROCESS_SM_UTIL");
  EXPECT_EQ(condition(outcome, "ScalingLimited"), "False DesiredWithinRange");
  ASSERT_EQ(outcome.metrics.size(), 1u);
  EXPECT_EQ(outcome.metrics[0].average_value, 79'000);
  EXPECT_EQ(outcome.current_replicas, 1);
  EXPECT_EQ(outcome.desired_replicas, 2);
}

TEST(Decide, ScalesInWhenTheWindowHasPassed) {
  World world;
  world.pods(3, "r:100 r:100 r:100").round(at(0));
  EXPECT_EQ(world.pods(3, "r:0 r:0 r:0").round(at(15)).replicas, std::nullopt);
  EXPECT_EQ(condition(world.pods(3, "r:0 r:0 r:0").round(at(30)), "AbleToScale"), "True ScaleDownStabilized");
  const Outcome outcome = world.pods(3, "r:0 r:0 r:0").round(at(330));
  EXPECT_EQ(outcome.replicas, 1);
  EXPECT_EQ(events(outcome), "SuccessfulRescale: New size: 1; reason: All metrics below target");
  EXPECT_EQ(condition(outcome, "ScalingLimited"), "True TooFewReplicas");
}

TEST(Decide, BoundsComeBeforeMetrics) {
  World world;
  Outcome outcome = world.pods(5, "r:100 r:100 r:100 r:100 r:100").round(kNow);
  EXPECT_EQ(outcome.replicas, 3);
  EXPECT_EQ(events(outcome),
            "SuccessfulRescale: New size: 3; reason: Current number of replicas above Spec.MaxReplicas");
  World low;
  low.hpa.min_replicas = 2;
  outcome = low.pods(1, "r:0").round(kNow);
  EXPECT_EQ(outcome.replicas, 2);
  EXPECT_EQ(events(outcome),
            "SuccessfulRescale: New size: 2; reason: Current number of replicas below Spec.MinReplicas");
  World off;
  outcome = off.pods(0, "").round(kNow);
  EXPECT_EQ(outcome.replicas, std::nullopt);
  EXPECT_EQ(condition(outcome, "ScalingActive"), "False ScalingDisabled");
  World limited;
  outcome = limited.pods(2, "r:100 r:100").round(kNow);
  EXPECT_EQ(outcome.replicas, 3);
  EXPECT_EQ(condition(outcome, "ScalingLimited"), "True TooManyReplicas");
}

TEST(Decide, SaysWhatItCouldNotRead) {
  struct Row {
    MetricSpec metric;
    const char* error;
    const char* reason;
    const char* text;  // condition, after "the HPA was unable to compute the replica count: "
    const char* summary;
  };
  World named;
  MetricSpec object;
  object.type = MetricSpec::Type::kObject;
  object.name = "requests";
  object.object = {"v1", "Service", "s"};
  object.target.value = Quantity{1000};
  MetricSpec container = cpu(50);
  container.type = MetricSpec::Type::kContainerResource;
  container.container = "main";
  MetricSpec selected = external(5, true);
  selected.selector.emplace();
  selected.selector->match_labels["pool"] = "p";
  const Row rows[] = {
      {named.hpa.metrics[0], "no metrics returned from custom metrics API", "FailedGetPodsMetric",
       "unable to get metric util: no metrics returned from custom metrics API",
       "unable to get metric util: no metrics returned from custom metrics API"},
      {cpu(50), "no metrics returned from resource metrics API", "FailedGetResourceMetric",
       "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from "
       "resource metrics API",
       "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from "
       "resource metrics API"},
      {container, "no metrics returned from resource metrics API", "FailedGetContainerResourceMetric",
       "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from "
       "resource metrics API",
       "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from "
       "resource metrics API"},
      {object, "not found", "FailedGetObjectMetric",
       "unable to get metric requests: Service on default s/not found",
       "unable to get metric requests: Service on default s/not found"},
      {external(5, false), "no metrics returned from external metrics API", "FailedGetExternalMetric",
       "unable to get external metric default/queue/nil: no metrics returned from external metrics API",
       "failed to get external metric queue: unable to get external metric default/queue/nil: no metrics "
       "returned from external metrics API"},
      {selected, "down", "FailedGetExternalMetric",
       "unable to get external metric default/queue/&LabelSelector{MatchLabels:map[string]string{pool: "
       "p,},MatchExpressions:[]LabelSelectorRequirement{},}: down",
       "failed to get queue external metric: unable to get external metric "
       "default/queue/&LabelSelector{MatchLabels:map[string]string{pool: "
       "p,},MatchExpressions:[]LabelSelectorRequirement{},}: down"},
  };
  for (const Row& row : rows) {
    World world;
    world.hpa.metrics = {row.metric};
    world.pods(2, "r:0 r:0");
    world.state.readings[0] = {};
    world.state.readings[0].error = row.error;
    const Outcome outcome = world.round(kNow);
    EXPECT_EQ(outcome.replicas, std::nullopt);
    EXPECT_TRUE(outcome.keeps_status);
    EXPECT_EQ(condition(outcome, "ScalingActive"), std::string("False ") + row.reason);
    EXPECT_EQ(message(outcome, "ScalingActive"),
              std::string("the HPA was unable to compute the replica count: ") + row.text);
    EXPECT_EQ(events(outcome),
              std::string(row.reason) + ": " + row.text +
                  "; FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: " +
                  row.summary);
  }
}

TEST(Decide, TheMostOfSeveralMetricsAndNoScaleInWhenOneFails) {
  struct Row {
    const char* why;
    std::int64_t queue;  // External, averageValue 2; below 0: an error
    const char* pods;
    std::optional<std::int64_t> expected;
    const char* active;
  };
  const Row rows[] = {
      {"the queue asks for more", 6, "r:50", 3, "True ValidMetricFound"},
      {"the pods ask for more", 2, "r:100", 2, "True ValidMetricFound"},
      {"one fails, the other grows", -1, "r:100", 2, "True ValidMetricFound"},
      {"one fails, the other keeps", -1, "r:50", std::nullopt, "True ValidMetricFound"},
  };
  for (const Row& row : rows) {
    World world;
    world.hpa.metrics.push_back(external(2, true));
    world.pods(1, row.pods);
    world.state.readings.emplace_back();
    if (row.queue < 0) {
      world.state.readings[1].error = "down";
    } else {
      world.state.readings[1].values = {row.queue * 1000};
    }
    const Outcome outcome = world.round(kNow);
    EXPECT_EQ(outcome.replicas, row.expected) << row.why;
    EXPECT_EQ(condition(outcome, "ScalingActive"), row.active) << row.why;
  }
  World world;
  world.hpa.metrics.push_back(external(2, true));
  world.settings.downscale_stabilization = Duration::zero();
  world.pods(3, "r:0 r:0 r:0");
  world.state.readings.emplace_back();
  world.state.readings[1].error = "down";
  const Outcome outcome = world.round(kNow);
  EXPECT_EQ(outcome.replicas, std::nullopt) << "one metric fails: nothing shrinks";
  EXPECT_EQ(condition(outcome, "ScalingActive"), "False FailedGetExternalMetric");
}

TEST(Decide, ZeroAndBack) {
  World world;
  world.hpa.metrics = {external(2, true)};
  world.hpa.min_replicas = 0;
  world.settings.downscale_stabilization = std::chrono::seconds(30);
  world.pods(1, "r:0");
  world.state.readings[0].values = {0};
  EXPECT_EQ(world.round(at(0)).replicas, std::nullopt)
      << "stabilised: one replica was the first recommendation";
  EXPECT_EQ(world.round(at(31)).replicas, 0);
  world.pods(0, "");
  world.state.readings[0].values = {0};
  EXPECT_EQ(world.round(at(46)).replicas, std::nullopt);
  world.state.readings[0].values = {5000};
  EXPECT_EQ(world.round(at(61)).replicas, 3);
}

TEST(Decide, RefusesWhatItCannotAttribute) {
  World world;
  world.pods(1, "r:100");
  world.state.rivals = {"default/a", "default/h"};
  Outcome outcome = world.round(kNow);
  EXPECT_EQ(outcome.replicas, std::nullopt);
  EXPECT_EQ(condition(outcome, "ScalingActive"), "False AmbiguousSelector");
  EXPECT_EQ(message(outcome, "ScalingActive"),
            "pods by selector app=d are controlled by multiple HPAs: [default/a default/h]");

  World bare;
  bare.pods(1, "r:100");
  bare.state.scale->selector.clear();
  outcome = bare.round(kNow);
  EXPECT_EQ(condition(outcome, "ScalingActive"), "False InvalidSelector");
  EXPECT_EQ(message(outcome, "ScalingActive"), "the HPA target's scale is missing a selector");

  World lost;
  lost.state.scale = fail(Code::kNotFound, "deployments.apps \"d\" not found");
  outcome = lost.round(kNow);
  EXPECT_EQ(condition(outcome, "AbleToScale"), "False FailedGetScale");
  EXPECT_EQ(events(outcome), "FailedGetScale: deployments.apps \"d\" not found");
}

TEST(Decide, PoliciesSeeEarlierRounds) {
  World world;
  world.hpa.max_replicas = 20;
  world.hpa.behavior =
      resource::Behavior{resource::default_scale_up_rules(), resource::default_scale_down_rules()};
  world.hpa.behavior->up.policies = {{false, 2, 60}};
  EXPECT_EQ(world.pods(1, "r:1000").round(at(0)).replicas, 3);
  EXPECT_EQ(world.pods(3, "r:1000 r:1000 r:1000").round(at(15)).replicas, std::nullopt);
  const Outcome outcome = world.pods(3, "r:1000 r:1000 r:1000").round(at(61));
  EXPECT_EQ(outcome.replicas, 5);
  EXPECT_EQ(condition(outcome, "ScalingLimited"), "True ScaleUpLimit");
}

}  // namespace
}  // namespace tidegate::autoscale

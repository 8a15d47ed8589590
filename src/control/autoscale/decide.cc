#include "control/autoscale/decide.h"

#include <algorithm>

#include "control/autoscale/behavior.h"
#include "control/autoscale/calculator.h"

namespace tidegate::autoscale {
namespace {

using resource::HorizontalPodAutoscaler;
using resource::MetricSpec;

// What one metric came to, or why not: `reason` is the condition's, `inner` what condition and event say,
// `error` what the summary says.
struct Evaluated {
  std::optional<Proposal> proposal;
  std::string name;  // "pods metric X", for the reason of a rescale
  std::string reason;
  std::string inner;
  std::string error;
};

Tolerance tolerance_of(const HorizontalPodAutoscaler& hpa, const Settings& settings) {
  Tolerance tolerance{settings.tolerance, settings.tolerance};
  if (!hpa.behavior) return tolerance;
  const auto own = [](const resource::ScalingRules& rules, double otherwise) {
    return rules.tolerance ? static_cast<double>(rules.tolerance->milli) / 1000 : otherwise;
  };
  tolerance.up = own(hpa.behavior->up, tolerance.up);
  tolerance.down = own(hpa.behavior->down, tolerance.down);
  return tolerance;
}

Evaluated failed(std::string reason, std::string inner, std::string error) {
  Evaluated result;
  result.reason = std::move(reason);
  result.inner = std::move(inner);
  result.error = std::move(error);
  return result;
}

Evaluated found(Proposal proposal, std::string name) {
  Evaluated result;
  result.proposal = std::move(proposal);
  result.name = std::move(name);
  return result;
}

Evaluated evaluate_pods(const MetricSpec& metric, const Measured& measured, const Settings& settings,
                        WallTime now) {
  const auto proposal =
      measured.reading.error
          ? fail(Code::kUnavailable, "unable to get metric " + metric.name + ": " + *measured.reading.error)
          : by_average_value(measured, metric.target.average_value->milli, "", settings, now);
  if (proposal) return found(*proposal, "pods metric " + metric.name);
  return failed("FailedGetPodsMetric", proposal.error().message, proposal.error().message);
}

Evaluated evaluate_resource(const MetricSpec& metric, const Measured& measured, const Settings& settings,
                            WallTime now) {
  const bool whole = metric.type == MetricSpec::Type::kResource;
  const bool by_usage = metric.target.average_value.has_value();
  Result<Proposal> proposal;
  if (measured.reading.error) {
    proposal = fail(Code::kUnavailable,
                    "unable to get metrics for resource " + metric.name + ": " + *measured.reading.error);
  } else if (by_usage) {
    proposal = by_average_value(measured, metric.target.average_value->milli, metric.name, settings, now);
  } else {
    proposal = by_utilization(measured, metric.target.utilization.value_or(80), metric.name, metric.container,
                              settings, now);
  }
  if (!proposal) {
    const std::string text = "failed to get " + metric.name + (by_usage ? " usage: " : " utilization: ") +
                             proposal.error().message;
    return failed(whole ? "FailedGetResourceMetric" : "FailedGetContainerResourceMetric", text, text);
  }
  if (by_usage) return found(*proposal, metric.name + " resource");
  return found(*proposal,
               metric.name + (whole ? "" : " container") + " resource utilization (percentage of request)");
}

Evaluated evaluate_object(const MetricSpec& metric, const Measured& measured, const std::string& namespace_) {
  const bool per_replica = !metric.target.value.has_value();
  const auto proposal = measured.reading.error
                            ? fail(Code::kUnavailable, "unable to get metric " + metric.name + ": " +
                                                           metric.object.kind + " on " + namespace_ + " " +
                                                           metric.object.name + "/" + *measured.reading.error)
                        : per_replica ? by_value_per_replica(measured, metric.target.average_value->milli)
                                      : by_value(measured, metric.target.value->milli);
  if (!proposal) {
    const std::string& inner = proposal.error().message;
    return failed("FailedGetObjectMetric", inner,
                  per_replica ? "failed to get " + metric.name + " object metric: " + inner : inner);
  }
  if (per_replica)
    return found(*proposal, "external metric " + metric.name + "(" + selector_text(metric.selector) + ")");
  return found(*proposal, metric.object.kind + " metric " + metric.name);
}

Evaluated evaluate_external(const MetricSpec& metric, const Measured& measured,
                            const std::string& namespace_) {
  const bool per_replica = metric.target.average_value.has_value();
  const auto proposal =
      measured.reading.error
          ? fail(Code::kUnavailable, "unable to get external metric " + namespace_ + "/" + metric.name + "/" +
                                         selector_text(metric.selector) + ": " + *measured.reading.error)
      : per_replica ? by_value_per_replica(measured, metric.target.average_value->milli)
                    : by_value(measured, metric.target.value->milli);
  if (!proposal) {
    const std::string& inner = proposal.error().message;
    return failed("FailedGetExternalMetric", inner,
                  per_replica ? "failed to get " + metric.name + " external metric: " + inner
                              : "failed to get external metric " + metric.name + ": " + inner);
  }
  return found(*proposal, "external metric " + metric.name + "(" + selector_text(metric.selector) + ")");
}

Evaluated evaluate(const MetricSpec& metric, const Reading& reading, const State& state,
                   const Settings& settings, WallTime now) {
  const HorizontalPodAutoscaler& hpa = *state.hpa;
  const Measured measured{state.pods, reading, state.scale->replicas, state.scale->status_replicas,
                          tolerance_of(hpa, settings)};
  switch (metric.type) {
    case MetricSpec::Type::kPods:
      return evaluate_pods(metric, measured, settings, now);
    case MetricSpec::Type::kResource:
    case MetricSpec::Type::kContainerResource:
      return evaluate_resource(metric, measured, settings, now);
    case MetricSpec::Type::kObject:
      return evaluate_object(metric, measured, hpa.metadata.namespace_);
    case MetricSpec::Type::kExternal:
      return evaluate_external(metric, measured, hpa.metadata.namespace_);
  }
  return {};
}

struct Recommended {
  std::int64_t replicas = 0;
  std::string cause;  // "pods metric X above target"
};

// The most that any metric asks for. Empty if nothing may be concluded: every metric failed, or one did and
// the others would shrink.
std::optional<Recommended> by_metrics(const State& state, const Settings& settings, WallTime now,
                                      Outcome& outcome) {
  std::optional<Recommended> best;
  std::optional<Evaluated> first_failure;
  std::size_t failures = 0;
  const std::vector<MetricSpec>& metrics = state.hpa->metrics;
  outcome.metrics.resize(metrics.size());
  static const Reading kNothing{.pods = {}, .values = {}, .error = "no metrics returned"};
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    Evaluated one =
        evaluate(metrics[i], i < state.readings.size() ? state.readings[i] : kNothing, state, settings, now);
    if (!one.proposal) {
      outcome.events.push_back({true, one.reason, one.inner});
      if (failures++ == 0) first_failure = std::move(one);
      continue;
    }
    outcome.metrics[i] = one.proposal->status;
    if (!best || one.proposal->replicas > best->replicas)
      best = Recommended{one.proposal->replicas, one.name};
  }
  const bool blind = !best || (failures > 0 && best->replicas < state.scale->replicas);
  std::string summary;
  if (first_failure) {
    summary = "invalid metrics (" + std::to_string(failures) + " invalid out of " +
              std::to_string(metrics.size()) + "), first error is: " + first_failure->error;
  }
  if (blind) {
    if (first_failure) {
      outcome.set("ScalingActive", false, first_failure->reason,
                  "the HPA was unable to compute the replica count: " + first_failure->inner);
      outcome.events.push_back({true, "FailedComputeMetricsReplicas", summary});
    }
    return std::nullopt;
  }
  outcome.set("ScalingActive", true, "ValidMetricFound",
              "the HPA was able to successfully calculate a replica count from " + best->cause);
  best->cause += " above target";
  return best;
}

// Metrics are only shown: demand decides.
std::optional<Recommended> by_rule(const DemandRule& rule, const State& state, const Settings& settings,
                                   WallTime now, Outcome& outcome) {
  Outcome shown;
  by_metrics(state, settings, now, shown);
  outcome.metrics = std::move(shown.metrics);
  const auto& behavior = state.hpa->behavior;
  const Duration window = behavior && behavior->down.window_s
                              ? Duration(std::chrono::seconds(*behavior->down.window_s))
                              : settings.downscale_stabilization;
  static const DemandReading kUnread{.capacity = {}, .error = "no gateway has been read yet"};
  DemandRule own = rule;
  if (state.hpa->min_replicas != 0) own.idle_after.reset();
  const auto verdict = by_demand(own, state.demand ? *state.demand : kUnread, state.scale->replicas, window,
                                 now, outcome.memory);
  if (!verdict) {
    outcome.set(
        "ScalingActive", false, "FailedGetDemand",
        "the HPA was unable to compute the replica count: unable to get demand: " + verdict.error().message);
    outcome.events.push_back({true, "FailedGetDemand", "unable to get demand: " + verdict.error().message});
    return std::nullopt;
  }
  outcome.set("ScalingActive", true, "ValidMetricFound",
              "the HPA was able to successfully calculate a replica count from " + verdict->text);
  return Recommended{verdict->replicas, verdict->text + " above capacity"};
}

// Demand is its own window; policies still hold where the user wrote some.
std::int64_t bound_demand(const Step& step, const HorizontalPodAutoscaler& hpa, const Settings& settings,
                          WallTime now, Outcome& outcome) {
  resource::Behavior behavior;
  if (hpa.behavior) behavior = *hpa.behavior;
  behavior.down.window_s = 0;
  // Without a behavior there are no policies either: demand grows in one step. With one, the API has filled
  // in both directions, and that holds.
  return normalize(step, behavior, settings, now, outcome);
}

bool refuse(const State& state, Outcome& outcome) {
  if (!state.scale) {
    outcome.events.push_back({true, "FailedGetScale", state.scale.error().message});
    outcome.set(
        "AbleToScale", false, "FailedGetScale",
        "the HPA controller was unable to get the target's current scale: " + state.scale.error().message);
    outcome.keeps_status = true;
    return true;
  }
  outcome.current_replicas = state.scale->replicas;
  outcome.set("AbleToScale", true, "SucceededGetScale",
              "the HPA controller was able to get the target's current scale");
  return false;
}

// Without a selector, or with pods that another HPA counts too, no metric means anything.
bool refuse_selector(const State& state, Outcome& outcome) {
  std::string reason, event, message;
  if (state.scale->selector.empty()) {
    reason = "InvalidSelector";
    event = "SelectorRequired";
    message = "the HPA target's scale is missing a selector";
  } else if (!state.scale->selector_error.empty()) {
    reason = event = "InvalidSelector";
    message = "couldn't convert selector into a corresponding internal selector object: " +
              state.scale->selector_error;
  } else if (state.rivals.size() > 1) {
    reason = event = "AmbiguousSelector";
    std::string names;
    for (const std::string& rival : state.rivals) names += (names.empty() ? "" : " ") + rival;
    message =
        "pods by selector " + state.scale->selector + " are controlled by multiple HPAs: [" + names + "]";
  } else {
    return false;
  }
  outcome.events.push_back({true, event, message});
  outcome.events.push_back({true, "FailedComputeMetricsReplicas", message});
  outcome.set("ScalingActive", false, reason, message);
  outcome.keeps_status = true;
  return true;
}

void rescale(const State& state, std::int64_t to, const std::string& cause, WallTime now, Outcome& outcome) {
  outcome.replicas = to;
  outcome.desired_replicas = to;
  outcome.set("AbleToScale", true, "SucceededRescale",
              "the HPA controller was able to update the target scale to " + std::to_string(to));
  outcome.events.push_back(
      {false, "SuccessfulRescale", "New size: " + std::to_string(to) + "; reason: " + cause});
  remember_change(state.hpa->behavior, state.scale->replicas, to, now, outcome.memory);
}

}  // namespace

Outcome decide(const State& state, const Rule& rule, const Memory& memory, const Settings& settings,
               WallTime now) {
  Outcome outcome;
  outcome.memory = memory;
  if (refuse(state, outcome)) return outcome;
  const HorizontalPodAutoscaler& hpa = *state.hpa;
  const std::int64_t current = state.scale->replicas;
  if (outcome.memory.recommendations.empty()) outcome.memory.recommendations.push_back({current, now});
  outcome.desired_replicas = current;

  if (current == 0 && hpa.min_replicas != 0) {
    outcome.desired_replicas = 0;
    outcome.set("ScalingActive", false, "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero");
    return outcome;
  }
  if (current > hpa.max_replicas) {
    rescale(state, hpa.max_replicas, "Current number of replicas above Spec.MaxReplicas", now, outcome);
    return outcome;
  }
  if (current < hpa.min_replicas) {
    rescale(state, hpa.min_replicas, "Current number of replicas below Spec.MinReplicas", now, outcome);
    return outcome;
  }
  if (refuse_selector(state, outcome)) return outcome;
  const auto recommended = rule.demand ? by_rule(*rule.demand, state, settings, now, outcome)
                                       : by_metrics(state, settings, now, outcome);
  if (!recommended) {
    outcome.keeps_status = true;
    return outcome;
  }
  std::string cause;
  if (recommended->replicas > current) cause = recommended->cause;
  if (recommended->replicas < current) cause = "All metrics below target";
  const Step step{current, recommended->replicas, hpa.min_replicas, hpa.max_replicas};
  const std::int64_t to = rule.demand ? bound_demand(step, hpa, settings, now, outcome)
                                      : normalize(step, hpa.behavior, settings, now, outcome);
  if (to != current) rescale(state, to, cause, now, outcome);
  return outcome;
}

std::string selector_text(const std::optional<resource::LabelSelector>& selector) {
  if (!selector) return "nil";
  std::string text = "&LabelSelector{MatchLabels:map[string]string{";
  for (const auto& [key, value] : selector->match_labels) text += key + ": " + value + ",";
  text += "},MatchExpressions:[]LabelSelectorRequirement{";
  for (const resource::Requirement& requirement : selector->match_expressions) {
    static constexpr const char* kNames[] = {"In", "NotIn", "Exists", "DoesNotExist"};
    text += "LabelSelectorRequirement{Key:" + requirement.key +
            ",Operator:" + kNames[static_cast<int>(requirement.op)] + ",Values:[";
    for (std::size_t i = 0; i < requirement.values.size(); ++i) {
      text += (i > 0 ? " " : "") + requirement.values[i];
    }
    text += "],},";
  }
  return text + "},}";
}

}  // namespace tidegate::autoscale

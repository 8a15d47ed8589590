#include "simulate/scaler.h"

#include <cstdio>

#include "base/check.h"

namespace tidegate::simulate {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace

std::string Scaler::title() const {
  switch (kind) {
    case Kind::kUtilization:
      return "HPA, SM utilisation " + number(target);
    case Kind::kRequests:
      return "HPA, requests per pod " + number(target);
    case Kind::kDemand:
      return capacity ? "demand, capacity " + number(*capacity) : "demand, capacity learned";
  }
  return "";
}

resource::HorizontalPodAutoscaler Scaler::hpa() const {
  resource::HorizontalPodAutoscaler hpa;
  hpa.metadata.name = "engine";
  hpa.metadata.namespace_ = "default";
  hpa.target = {"apps/v1", "Deployment", "engine"};
  hpa.min_replicas = min;
  hpa.max_replicas = max;
  if (kind == Kind::kDemand) return hpa;
  resource::MetricSpec metric;
  metric.name = kind == Kind::kUtilization ? kSmUtilization : kRequestsPerPod;
  metric.target.average_value = Quantity{static_cast<std::int64_t>(target * 1000)};
  hpa.metrics = {metric};
  return hpa;
}

autoscale::Rule Scaler::rule() const {
  std::map<std::string, std::string> annotations;
  if (kind == Kind::kDemand) {
    annotations[std::string(autoscale::kRuleAnnotation)] = "demand";
    if (capacity) annotations[std::string(autoscale::kCapacityAnnotation)] = number(*capacity);
  }
  auto rule = autoscale::read_rule(annotations, {});
  TG_CHECK(rule.has_value());
  if (period) rule->period = *period;
  return *rule;
}

}  // namespace tidegate::simulate

// Columns of workloads and of what scales and guards them.

#include <nlohmann/json.hpp>

#include "cluster/table/cells.h"
#include "resource/fields.h"

namespace tidegate::table {
namespace {

using resource::find;
using resource::text;

std::string of_containers(const Json& workload, std::string_view field) {
  std::vector<std::string> texts;
  for (const Json& container : items(workload, "spec.template.spec.containers"))
    texts.push_back(text(container, field));
  return joined(texts);
}

Json deployment_cells(const Json& deployment, WallTime now) {
  const std::string wanted = std::to_string(number(deployment, "spec.replicas", 1));
  return Json::array(
      {name(deployment), std::to_string(number(deployment, "status.readyReplicas")) + "/" + wanted,
       number(deployment, "status.updatedReplicas"), number(deployment, "status.availableReplicas"),
       age(deployment, now), of_containers(deployment, "name"), of_containers(deployment, "image"),
       selector_text(find(deployment, "spec.selector"))});
}

Json replica_set_cells(const Json& set, WallTime now) {
  return Json::array({name(set), number(set, "spec.replicas", 1), number(set, "status.replicas"),
                      number(set, "status.readyReplicas"), age(set, now), of_containers(set, "name"),
                      of_containers(set, "image"), selector_text(find(set, "spec.selector"))});
}

// One metric as "current/target"; `current` is null while nothing was measured.
std::string metric_text(const Json& metric, const Json* current) {
  const std::string type = text(metric, "type");
  std::string field(1, type.empty() ? ' ' : static_cast<char>(type[0] - 'A' + 'a'));
  field += type.substr(type.empty() ? 0 : 1);  // Resource: resource, ContainerResource: containerResource
  const Json* target = find(metric, field + ".target");
  if (target == nullptr) return "<unknown type>";
  const auto measured = [&](const char* which, const char* unit) {
    const std::string path = field + ".current." + which;
    const bool known = current != nullptr && find(*current, path) != nullptr;
    return known ? text_or(*current, path) + unit : std::string(kUnknown);
  };
  const bool of_resource = type == "Resource" || type == "ContainerResource";
  const std::string head = of_resource ? text(metric, field + ".name") + ": " : std::string();
  if (find(*target, "averageValue") != nullptr) {
    const char* tail = type == "Object" || type == "External" ? " (avg)" : "";
    return head + measured("averageValue", "") + "/" + text_or(*target, "averageValue") + tail;
  }
  if (of_resource) {
    const Json* percent = find(*target, "averageUtilization");
    return head + measured("averageUtilization", "%") + "/" +
           (percent == nullptr ? "<auto>" : percent->dump() + "%");
  }
  return measured("value", "") + "/" + text_or(*target, "value");
}

std::string targets(const Json& scaler) {
  // autoscaling/v1 knows one metric, by percentage of cpu.
  if (const Json* percent = find(scaler, "spec.targetCPUUtilizationPercentage")) {
    const Json* current = find(scaler, "status.currentCPUUtilizationPercentage");
    return "cpu: " + (current == nullptr ? kUnknown : current->dump() + "%") + "/" + percent->dump() + "%";
  }
  const Json& metrics = items(scaler, "spec.metrics");
  const Json& measured = items(scaler, "status.currentMetrics");
  if (metrics.empty()) return kNone;
  constexpr std::size_t kShown = 2;
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < metrics.size() && i < kShown; ++i) {
    texts.push_back(metric_text(metrics[i], i < measured.size() ? &measured[i] : nullptr));
  }
  std::string all = joined(texts, ", ");
  if (metrics.size() > kShown) all += " + " + std::to_string(metrics.size() - kShown) + " more...";
  return all;
}

Json scaler_cells(const Json& scaler, WallTime now) {
  return Json::array(
      {name(scaler),
       text(scaler, "spec.scaleTargetRef.kind") + "/" + text(scaler, "spec.scaleTargetRef.name"),
       targets(scaler), text_or(scaler, "spec.minReplicas", kUnset), number(scaler, "spec.maxReplicas"),
       number(scaler, "status.currentReplicas"), age(scaler, now)});
}

Json budget_cells(const Json& budget, WallTime now) {
  return Json::array({name(budget), text_or(budget, "spec.minAvailable", "N/A"),
                      text_or(budget, "spec.maxUnavailable", "N/A"),
                      number(budget, "status.disruptionsAllowed"), age(budget, now)});
}

Json lease_cells(const Json& lease, WallTime now) {
  return Json::array({name(lease), text(lease, "spec.holderIdentity"), age(lease, now)});
}

// The first few of a list, and how many more there are.
std::string some_of(const std::vector<std::string>& texts) {
  constexpr std::size_t kShown = 3;
  if (texts.empty()) return kUnset;
  if (texts.size() <= kShown) return joined(texts);
  return joined({texts.begin(), texts.begin() + kShown}) + " + " + std::to_string(texts.size() - kShown) +
         " more...";
}

Json slice_cells(const Json& slice, WallTime now) {
  std::vector<std::string> ports;
  for (const Json& port : items(slice, "ports")) ports.push_back(text_or(port, "port", "*"));
  std::vector<std::string> addresses;
  for (const Json& endpoint : items(slice, "endpoints")) {
    for (const Json& address : items(endpoint, "addresses")) {
      if (address.is_string()) addresses.push_back(address.get<std::string>());
    }
  }
  return Json::array(
      {name(slice), text(slice, "addressType"), some_of(ports), some_of(addresses), age(slice, now)});
}

Json priority_cells(const Json& priority, WallTime now) {
  return Json::array({name(priority), number(priority, "value"), resource::flag(priority, "globalDefault"),
                      age(priority, now), text_or(priority, "preemptionPolicy", "PreemptLowerPriority")});
}

}  // namespace

std::span<const Layout> workload_layouts() {
  static const std::vector<Column> kScaler = {{"Name"},    {"Reference"},          {"Targets"},
                                              {"MinPods"}, {"MaxPods", "integer"}, {"Replicas", "integer"},
                                              {"Age"}};
  static const Layout kLayouts[] = {
      {"apps",
       "Deployment",
       {{"Name"},
        {"Ready"},
        {"Up-to-date", "integer"},
        {"Available", "integer"},
        {"Age"},
        {"Containers", "string", 1},
        {"Images", "string", 1},
        {"Selector", "string", 1}},
       deployment_cells},
      {"apps",
       "ReplicaSet",
       {{"Name"},
        {"Desired", "integer"},
        {"Current", "integer"},
        {"Ready", "integer"},
        {"Age"},
        {"Containers", "string", 1},
        {"Images", "string", 1},
        {"Selector", "string", 1}},
       replica_set_cells},
      {"autoscaling", "HorizontalPodAutoscaler", kScaler, scaler_cells},
      {"policy",
       "PodDisruptionBudget",
       {{"Name"}, {"Min Available"}, {"Max Unavailable"}, {"Allowed Disruptions", "integer"}, {"Age"}},
       budget_cells},
      {"coordination.k8s.io", "Lease", {{"Name"}, {"Holder"}, {"Age"}}, lease_cells},
      {"discovery.k8s.io",
       "EndpointSlice",
       {{"Name"}, {"AddressType"}, {"Ports"}, {"Endpoints"}, {"Age"}},
       slice_cells},
      {"scheduling.k8s.io",
       "PriorityClass",
       {{"Name"}, {"Value", "integer"}, {"Global-Default", "boolean"}, {"Age"}, {"PreemptionPolicy"}},
       priority_cells},
  };
  return kLayouts;
}

}  // namespace tidegate::table

#include "control/nodepool/pool.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tidegate::nodepool {
namespace {

constexpr std::array<std::pair<Phase, std::string_view>, 5> kNames = {{{Phase::kBooting, "Booting"},
                                                                       {Phase::kReady, "Ready"},
                                                                       {Phase::kNotReady, "NotReady"},
                                                                       {Phase::kDraining, "Draining"},
                                                                       {Phase::kLeaving, "Leaving"}}};

}  // namespace

std::string_view name_of(Phase phase) {
  for (const auto& [each, name] : kNames) {
    if (each == phase) return name;
  }
  return "";
}

Phase phase_of(std::string_view name) {
  for (const auto& [phase, each] : kNames) {
    if (each == name) return phase;
  }
  return Phase::kBooting;
}

std::int64_t Pool::active() const {
  return std::count_if(machines.begin(), machines.end(), [](const Machine& m) { return m.active(); });
}

std::int64_t Pool::count(Phase phase) const {
  return std::count_if(machines.begin(), machines.end(), [&](const Machine& m) { return m.phase == phase; });
}

double Pool::cost_per_hour() const { return static_cast<double>(machines.size()) * spec.price_per_hour; }

placement::NodePtr template_node(const Pool& pool, const std::string& name) {
  auto node = std::make_shared<placement::NodeView>();
  node->name = name;
  node->labels = pool.spec.labels;
  node->labels.insert(pool.provider_labels.begin(), pool.provider_labels.end());
  node->labels["kubernetes.io/hostname"] = name;
  node->labels.emplace("kubernetes.io/os", "linux");
  node->taints = pool.spec.taints;
  node->allocatable = placement::Amounts(pool.spec.capacity);
  return node;
}

}  // namespace tidegate::nodepool

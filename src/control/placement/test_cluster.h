// Nodes, pods and policies for this room's tests and those of rooms that build on it.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "control/placement/board.h"
#include "control/placement/place.h"
#include "control/placement/view.h"

namespace tidegate::placement::testing {

inline constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

inline NodePtr node(const std::string& name, int gpus, Labels labels = {},
                    const std::function<void(NodeView&)>& change = {}) {
  NodeView view;
  view.name = name;
  view.labels = std::move(labels);
  view.labels["kubernetes.io/hostname"] = name;
  view.allocatable.set("cpu", 8000);
  view.allocatable.set("memory", 16'000'000);
  view.allocatable.set("pods", 110'000);
  if (gpus > 0) view.allocatable.set("nvidia.com/gpu", gpus * 1000);
  if (change) change(view);
  return std::make_shared<const NodeView>(std::move(view));
}

inline PodPtr pod(const std::string& name, int gpus, const std::function<void(PodView&)>& change = {}) {
  PodView view;
  view.namespace_ = "default";
  view.name = name;
  view.uid = name;
  view.labels = {{"app", "qwen"}};
  view.requests.set("cpu", 1000);
  view.requests.set("memory", 1'000'000);
  if (gpus > 0) view.requests.set("nvidia.com/gpu", gpus * 1000);
  view.created = kNow;
  if (change) change(view);
  return std::make_shared<const PodView>(std::move(view));
}

inline PodPtr bound(const std::string& name, const std::string& node, int gpus,
                    const std::function<void(PodView&)>& change = {}) {
  return pod(name, gpus, [&](PodView& view) {
    view.node = node;
    view.ready = true;
    if (change) change(view);
  });
}

inline resource::PolicyUnit unit(const std::string& pool) {
  resource::PolicyUnit unit;
  unit.node_selector = {{"pool", pool}};
  return unit;
}

inline PolicyView policy(std::vector<resource::PolicyUnit> units,
                         const std::function<void(resource::ResourcePolicy&)>& change = {}) {
  PolicyView view;
  view.namespace_ = "default";
  view.name = "tide";
  view.created = kNow - std::chrono::hours(1);
  view.spec.selector.match_labels = {{"app", "qwen"}};
  view.spec.units = std::move(units);
  if (change) change(view.spec);
  return view;
}

inline Board board(const std::vector<NodePtr>& nodes, const std::vector<PodPtr>& pods = {}) {
  Board board;
  for (const NodePtr& each : nodes) board.put(each);
  for (const PodPtr& each : pods) board.put(each);
  return board;
}

}  // namespace tidegate::placement::testing

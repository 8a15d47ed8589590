#include "control/placement/view.h"

#include <algorithm>

#include "base/rfc3339.h"
#include "resource/toleration.h"

namespace tidegate::placement {
namespace {

WallTime time_of(const std::string& text) { return parse_rfc3339(text).value_or(WallTime{}); }

// A cluster's node controller taints nodes by their conditions; where none runs, the conditions count alone.
void imply_taints(const resource::Node& node, std::vector<resource::Taint>& taints) {
  const resource::Condition* ready = resource::find_condition(node.conditions, "Ready");
  const bool unknown = ready != nullptr && ready->status == "Unknown";
  const auto imply = [&](const char* key) {
    const bool there = std::any_of(taints.begin(), taints.end(), [&](const auto& t) { return t.key == key; });
    if (!there) taints.push_back({.key = key, .value = "", .effect = "NoSchedule"});
  };
  if (unknown) {
    imply("node.kubernetes.io/unreachable");
  } else if (!node.ready()) {
    imply("node.kubernetes.io/not-ready");
  }
}

bool keeps_data(const resource::Volume& volume) {
  using Source = resource::Volume::Source;
  return volume.source == Source::kHostPath ||
         (volume.source == Source::kEmptyDir && volume.medium != "Memory");
}

void tell_schedule_condition(const resource::Pod& pod, PodView& view) {
  const resource::Condition* scheduled = resource::find_condition(pod.status.conditions, "PodScheduled");
  if (scheduled == nullptr || scheduled->status != "False") return;
  view.told_reason = scheduled->reason;
  view.told_message = scheduled->message;
}

}  // namespace

Amounts::Amounts(const std::map<std::string, Quantity>& amounts) {
  for (const auto& [name, quantity] : amounts) items_.emplace_back(name, quantity.milli);
}

std::int64_t Amounts::of(std::string_view name) const {
  for (const auto& [each, milli] : items_) {
    if (each == name) return milli;
  }
  return 0;
}

void Amounts::set(std::string_view name, std::int64_t milli) {
  const auto at = std::lower_bound(items_.begin(), items_.end(), name,
                                   [](const auto& item, std::string_view key) { return item.first < key; });
  if (at != items_.end() && at->first == name) {
    at->second = milli;
  } else {
    items_.insert(at, {std::string(name), milli});
  }
}

void Amounts::add(const Amounts& other, int sign) {
  for (const auto& [name, milli] : other) {
    const auto at = std::lower_bound(items_.begin(), items_.end(), name,
                                     [](const auto& item, const auto& key) { return item.first < key; });
    if (at != items_.end() && at->first == name) {
      at->second += sign * milli;
    } else {
      items_.insert(at, {name, sign * milli});
    }
  }
}

const std::string* Amounts::short_of(const Amounts& used, const Amounts& wanted) const {
  for (const auto& [name, milli] : wanted) {
    if (milli > 0 && used.of(name) + milli > of(name)) return &name;
  }
  return nullptr;
}

int PolicyView::unit_of(const NodeView& node) const {
  for (std::size_t i = 0; i < spec.units.size(); ++i) {
    const Labels& wanted = spec.units[i].node_selector;
    if (wanted.empty() || resource::selects(wanted, node.labels)) return static_cast<int>(i);
  }
  return -1;
}

bool tolerates(const std::vector<resource::Toleration>& tolerations, const resource::Taint& taint) {
  return std::any_of(tolerations.begin(), tolerations.end(), [&](const resource::Toleration& toleration) {
    return resource::tolerates(toleration, taint);
  });
}

Result<NodePtr> view_node(const resource::ObjectPtr& object) {
  auto node = resource::Node::from(*object);
  if (!node) return tl::unexpected(node.error());
  auto view = std::make_shared<NodeView>();
  view->name = object->name();
  view->labels = object->metadata().labels;
  view->taints = node->taints;
  imply_taints(*node, view->taints);
  view->unschedulable = node->unschedulable;
  view->ready = node->ready();
  view->allocatable = Amounts(node->allocatable);
  view->provider_id = node->provider_id;
  view->created = time_of(object->metadata().creation_timestamp);
  view->object = object;
  return view;
}

Result<PodPtr> view_pod(const resource::ObjectPtr& object) {
  auto pod = resource::Pod::from(*object);
  if (!pod) return tl::unexpected(pod.error());
  auto view = std::make_shared<PodView>();
  const resource::Metadata& metadata = object->metadata();
  view->namespace_ = metadata.namespace_;
  view->name = metadata.name;
  view->uid = metadata.uid;
  view->labels = metadata.labels;
  view->annotations = metadata.annotations;
  view->requests = Amounts(pod->spec.requests());
  for (const resource::Container& container : pod->spec.containers) {
    for (const resource::ContainerPort& port : container.ports) {
      if (port.host_port != 0) view->host_ports.push_back({port.host_port, port.protocol});
    }
  }
  view->node_selector = std::move(pod->spec.node_selector);
  view->affinity = std::move(pod->spec.affinity);
  view->spread = std::move(pod->spec.spread);
  view->tolerations = std::move(pod->spec.tolerations);
  view->own_priority = pod->spec.priority;
  view->priority = pod->spec.priority.value_or(0);
  view->priority_class = std::move(pod->spec.priority_class);
  view->never_preempts = pod->spec.never_preempts;
  view->placer = std::move(pod->spec.scheduler_name);
  view->gated = !pod->spec.scheduling_gates.empty();
  view->node = std::move(pod->spec.node_name);
  view->nominated = std::move(pod->status.nominated_node);
  view->terminating = pod->terminating();
  view->ended = pod->ended();
  view->ready = pod->ready();
  view->replicated = std::any_of(metadata.owner_references.begin(), metadata.owner_references.end(),
                                 [](const auto& owner) { return owner.controller; });
  view->local_storage = std::any_of(pod->spec.volumes.begin(), pod->spec.volumes.end(), keeps_data);
  view->created = time_of(metadata.creation_timestamp);
  tell_schedule_condition(*pod, *view);
  view->object = object;
  return view;
}

Result<PolicyView> view_policy(const resource::ObjectPtr& object) {
  auto spec = resource::ResourcePolicy::from(*object);
  if (!spec) return tl::unexpected(spec.error());
  return PolicyView{object->namespace_(), object->name(), time_of(object->metadata().creation_timestamp),
                    std::move(*spec), object};
}

}  // namespace tidegate::placement

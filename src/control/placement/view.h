// What placement needs to know of nodes, pods and policies: plain values without JSON, so that one decision
// costs microseconds and the simulator can make them without a cluster.
//
// Thread: immutable once made; any thread.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/quantity.h"
#include "resource/affinity.h"
#include "resource/core.h"
#include "resource/object.h"
#include "resource/pod.h"
#include "resource/resource_policy.h"
#include "resource/selector.h"

namespace tidegate::placement {

using resource::Labels;

// Amounts of a few resources, in thousandths, sorted by name.
class Amounts {
 public:
  Amounts() = default;
  explicit Amounts(const std::map<std::string, Quantity>& amounts);

  std::int64_t of(std::string_view name) const;  // 0 if absent
  void set(std::string_view name, std::int64_t milli);
  void add(const Amounts& other, int sign = 1);
  // The first resource of `wanted` of which `used` leaves too little; null if there is enough of each.
  const std::string* short_of(const Amounts& used, const Amounts& wanted) const;

  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<std::pair<std::string, std::int64_t>> items_;
};

inline constexpr std::string_view kCpu = "cpu";
inline constexpr std::string_view kMemory = "memory";
inline constexpr std::string_view kPods = "pods";
// GPUs and what else is counted in pieces: named with a domain.
inline bool is_extended(std::string_view resource) { return resource.find('/') != std::string_view::npos; }

struct NodeView {
  std::string name;
  Labels labels;
  std::vector<resource::Taint> taints;  // with those that its conditions imply: not-ready, unreachable
  bool unschedulable = false;
  bool ready = true;
  Amounts allocatable;  // with "pods"
  std::string provider_id;
  WallTime created{};
  resource::ObjectPtr object;  // null in tests and simulations
};
using NodePtr = std::shared_ptr<const NodeView>;

struct HostPort {
  std::uint16_t port;
  std::string protocol;
};

struct PodView {
  std::string namespace_;
  std::string name;
  std::string uid;
  Labels labels;
  std::map<std::string, std::string> annotations;
  Amounts requests;
  std::vector<HostPort> host_ports;
  Labels node_selector;
  resource::Affinity affinity;
  std::vector<resource::SpreadConstraint> spread;
  std::vector<resource::Toleration> tolerations;
  std::int64_t priority = 0;
  std::optional<std::int64_t> own_priority;  // spec.priority
  std::string priority_class;
  bool never_preempts = false;
  std::string placer;  // spec.schedulerName
  bool gated = false;
  std::string flaw;  // why it can never be placed as it is: a priority class that does not exist
  std::string node;       // bound to; empty while it waits
  std::string nominated;  // preempted for it there
  bool terminating = false;
  bool ended = false;  // holds nothing any more
  bool ready = false;
  bool replicated = false;     // a controller makes another one if this goes
  bool local_storage = false;  // a hostPath, or an emptyDir on disk: its data goes with it
  WallTime created{};
  std::string told_reason;   // of its PodScheduled=False
  std::string told_message;  // what was said last about why it waits
  resource::ObjectPtr object;  // null in tests and simulations

  std::string title() const { return namespace_ + "/" + name; }
};
using PodPtr = std::shared_ptr<const PodView>;

struct PolicyView {
  std::string namespace_;
  std::string name;
  WallTime created{};
  resource::ResourcePolicy spec;
  resource::ObjectPtr object;  // null in tests and simulations

  bool governs(const PodView& pod) const {
    return pod.namespace_ == namespace_ && spec.selector.matches(pod.labels);
  }
  // The first unit whose nodeSelector matches; -1 outside every unit.
  int unit_of(const NodeView& node) const;
};

// A PodDisruptionBudget, as far as evictions must mind it.
struct Budget {
  std::string namespace_;
  resource::LabelSelector selector;
  std::int64_t allowed = 0;  // status.disruptionsAllowed
  bool covers(const PodView& pod) const { return pod.namespace_ == namespace_ && selector.matches(pod.labels); }
};

bool tolerates(const std::vector<resource::Toleration>& tolerations, const resource::Taint& taint);

// Errors: kInvalid with the field; such a node or pod has passed no admission.
Result<NodePtr> view_node(const resource::ObjectPtr& object);
Result<PodPtr> view_pod(const resource::ObjectPtr& object);
Result<PolicyView> view_policy(const resource::ObjectPtr& object);

}  // namespace tidegate::placement

// The state that node pools decide on, and what a decision is: plain values, for the controller, the tests and
// the simulator alike.
//
// A machine goes Booting -> Ready (-> NotReady -> Ready) -> Draining -> Leaving. Its record lives in the
// NodePool's status, so that a restart forgets nothing; its Node carries the same name.
//
// Thread: values.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "control/externalgrpc/group.h"
#include "control/placement/board.h"
#include "control/placement/place.h"
#include "resource/node_pool.h"

namespace tidegate::nodepool {

// Words that cluster-autoscaler's users know.
inline constexpr std::string_view kSafeToEvict = "cluster-autoscaler.kubernetes.io/safe-to-evict";
inline constexpr std::string_view kScaleDownDisabled = "cluster-autoscaler.kubernetes.io/scale-down-disabled";
inline constexpr std::string_view kToBeDeleted = "ToBeDeletedByClusterAutoscaler";
inline constexpr std::int64_t kExpendablePriority = -10;  // pods below it start no machine

enum class Phase { kBooting, kReady, kNotReady, kDraining, kLeaving };
std::string_view name_of(Phase phase);
Phase phase_of(std::string_view name);

struct Machine {
  std::string name;  // of its Node too
  Phase phase = Phase::kBooting;
  WallTime requested{};
  WallTime since{};                        // of the phase
  bool registered = false;                 // its Node was made, or its provider has answered
  std::optional<WallTime> unneeded_since;  // could go since then
  std::string reason;                      // why it is in this phase, or why it cannot go
  std::string asked_by{};                  // "namespace/name" of the pod that it was started for
  std::string instance{};                  // externalgrpc: its provider's id, once it has one

  bool active() const { return phase != Phase::kDraining && phase != Phase::kLeaving; }
};

struct Pool {
  std::string name;
  resource::NodePool spec;
  std::vector<Machine> machines;
  std::int64_t launched = 0;  // ever; names and injected failures go by it
  int failures = 0;           // in a row
  std::optional<WallTime> backoff_until;
  std::string backoff_reason;
  std::optional<WallTime> last_added;
  std::string never_fits;      // a waiting pod is larger than a machine: requested against template
  std::string provider_error;  // externalgrpc: why its provider cannot be asked
  resource::Labels provider_labels{};                  // externalgrpc: of its template, beside the spec's
  std::int64_t provider_max = externalgrpc::kSizeMax;  // externalgrpc: so many it lets us have
  resource::ObjectPtr object;  // null in tests and simulations

  std::int64_t active() const;
  std::int64_t count(Phase phase) const;
  // Of every machine that has not gone yet: a booting one is paid for.
  double cost_per_hour() const;
  bool backed_off(WallTime now) const { return backoff_until && now < *backoff_until; }
};

// What a user's program answered, for providers that run one.
struct ExecAnswer {
  bool done = false;  // else it still runs
  bool ok = false;
  std::string message;
};

struct State {
  std::vector<Pool> pools;
  placement::Board board;               // all nodes and what stands on them
  std::vector<placement::PodPtr> pods;  // all; those that wait are looked at
  std::vector<placement::PolicyView> policies;
  std::vector<placement::Budget> budgets;
  std::map<std::string, ExecAnswer> exec;  // by "create/<machine>" and "delete/<machine>"
  std::map<std::string, externalgrpc::View> external;  // by pool; none: its provider was not asked yet
};

struct Step {
  enum class Verb {
    kAsk,        // exec: start the program for "create" or "delete"; again does no harm
    kRegister,   // make the Node of a machine
    kCordon,     // nothing new may be placed on the node
    kEvict,      // a pod leaves, with its grace
    kUnregister,  // remove the Node
    kLabel,       // externalgrpc: the pool's labels go on a Node that has joined
    kResize,      // externalgrpc: `by` more machines are wanted, or fewer of those that have not come
    kGiveBack     // externalgrpc: `instance` is not needed any more
  };
  Verb verb = Verb::kAsk;
  std::string pool;
  std::string machine;
  std::string call;          // kAsk: "create" or "delete"
  placement::PodPtr pod;     // kEvict
  placement::NodePtr node;   // kCordon, kUnregister, kLabel; kGiveBack if there is one
  std::int64_t by = 0;
  std::string instance{};
};

// An Event to be. About the pod, if there is one; else about the node; else about the pool.
struct Note {
  std::string pool;
  placement::PodPtr pod;
  placement::NodePtr node;
  bool warning = false;
  std::string reason;
  std::string message;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<Note> notes;
  std::optional<Duration> again_in;

  void look_again(Duration in) {
    if (!again_in || in < *again_in) again_in = in;
  }
};

// The Node that a machine of the pool will be, empty and ready.
placement::NodePtr template_node(const Pool& pool, const std::string& name);

}  // namespace tidegate::nodepool

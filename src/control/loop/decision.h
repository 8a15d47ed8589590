// What a controller wants done after it has looked: a list of changes, and when it wants to look again even
// if nothing changes. Decisions are values, so that a test can read them and nothing but the loop performs
// them.
//
// Thread: a value.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cluster/client.h"
#include "cluster/events.h"

namespace tidegate::loop {

struct Action {
  enum class Verb { kCreate, kUpdate, kUpdateStatus, kPatch, kRemove, kBind, kScale };

  Verb verb;
  const resource::Kind* kind;  // null for kScale
  cluster::Key key;  // what it is about; for kCreate the name may still be generated
  std::shared_ptr<const resource::Json> document;  // for kCreate, kUpdate, kUpdateStatus, kPatch
  std::string uid;                                 // for kRemove: of the object that was seen
  std::string node;                                // for kBind
  bool now = false;                            // for kRemove: without waiting for the machine that runs it
  std::string why;                             // for the log line; empty for what is not worth one
  std::optional<cluster::EventNote> done{};    // said once it was done
  std::optional<cluster::EventNote> failed{};  // said if it failed, with the error at the end of its message
  std::shared_ptr<const cluster::Reference> target{};  // for kScale
  std::int64_t replicas = 0;                           // for kScale

  static Action create(const resource::Kind& kind, resource::Json document, std::string why = {});
  static Action update(const resource::Kind& kind, resource::Json document, std::string why = {});
  static Action update_status(const resource::Kind& kind, resource::Json document, std::string why = {});
  // A merge patch of what is not its status: labels, annotations, a field of the spec.
  static Action patch(const resource::Kind& kind, const resource::Object& object, resource::Json merge,
                      std::string why = {});
  static Action remove(const resource::Kind& kind, const resource::Object& object, std::string why = {});
  // Through the scale subresource: for kinds that the caches do not hold.
  static Action scale(cluster::Reference target, std::int64_t replicas, std::string why = {});
  static Action bind(const resource::Kind& pod_kind, const resource::Object& pod, std::string node,
                     std::string why = {});

  // What it is about, for messages.
  std::string kind_name() const { return kind != nullptr ? std::string(kind->kind) : target->kind; }

  Action at_once() &&;  // a removal that waits for nobody

  // `create(...).saying(normal(set, "SuccessfulCreate", ...), warning(set, "FailedCreate", "Error
  // creating"))`
  Action saying(cluster::EventNote when_done, std::optional<cluster::EventNote> when_failed = {}) &&;
};

struct Decision {
  std::vector<Action>
      actions;  // in order; the first that fails ends the round and the key is tried again later
  std::optional<Duration> again_in;
  std::vector<cluster::EventNote> events{};  // said when the actions are done
};

}  // namespace tidegate::loop

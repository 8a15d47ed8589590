// What one look at the Lease comes to: take it, renew it, or wait for whoever has it.
//
//   seen = observe(seen, lease.get(), now);
//   const Attempt attempt = decide(settings, lease.get(), seen, now, wall);
//
// A holder keeps the Lease as long as it changes within the duration that stands in it. That is measured from
// the moment a change was seen here, so a newcomer waits one whole duration before it takes over from a
// holder that has died, and no clock of another machine is believed.
//
// Thread: pure.
// Source: Kubernetes coordination.k8s.io/v1 Lease; client-go tools/leaderelection (its rules and defaults).

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "resource/object.h"

namespace tidegate::election {

struct Settings {
  std::string namespace_ = "kube-system";
  std::string name = "tidegate-controller";
  std::string identity;  // of this process, another for each start
  Duration lease = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);  // without a renewal for so long it leads no more
  Duration retry = std::chrono::seconds(2);
};

// Errors: kInvalid, with the command line's flag as the field.
Result<void> check(const Settings& settings);

// What stands in a Lease. What is missing or of another type counts as empty.
struct Record {
  std::string holder;
  std::string acquired;
  std::string renewed;
  std::int64_t duration_s = 0;
  std::int64_t transitions = 0;

  bool operator==(const Record&) const = default;
};
Record record_of(const resource::Object& lease);

// A record, and when it was first seen as it is.
struct Seen {
  Record record;
  TimePoint at{};
};
Seen observe(const Seen& before, const resource::Object* lease, TimePoint now);

struct Attempt {
  enum class Verb { kCreate, kUpdate, kWait };
  Verb verb = Verb::kWait;
  std::shared_ptr<const resource::Json> document;  // to be written; an update fails if somebody was faster
};
Attempt decide(const Settings& settings, const resource::Object* lease, const Seen& seen, TimePoint now,
               WallTime wall);

// The Lease without a holder, so that the next one need not wait. Null if it is not ours.
resource::Json released(const Settings& settings, const resource::Object& lease, WallTime wall);

}  // namespace tidegate::election

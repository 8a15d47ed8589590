#include "control/election/lease.h"

#include <nlohmann/json.hpp>

#include "resource/fields.h"
#include "resource/micro_time.h"
#include "resource/names.h"

namespace tidegate::election {
namespace {

using resource::Json;

constexpr Duration kRetryMin = std::chrono::milliseconds(100);
constexpr Duration kLeaseMax = std::chrono::hours(1);

// How much longer than `retry` a candidate may wait; elector.cc draws it.
constexpr double kJitter = 1.2;

std::int64_t whole_seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

// Everything of the Lease that is not about its holder stays.
Json with_holder(Json document, const Settings& settings, std::string_view holder, std::int64_t duration_s,
                 const std::string& acquired, const std::string& renewed, std::int64_t transitions) {
  Json& spec = document["spec"];
  if (!spec.is_object()) spec = Json::object();
  spec["holderIdentity"] = holder;
  spec["leaseDurationSeconds"] = duration_s;
  spec["acquireTime"] = acquired;
  spec["renewTime"] = renewed;
  spec["leaseTransitions"] = transitions;
  document["metadata"]["name"] = settings.name;
  document["metadata"]["namespace"] = settings.namespace_;
  return document;
}

}  // namespace

Result<void> check(const Settings& settings) {
  if (settings.retry < kRetryMin)
    return invalid("--leader-elect-retry-period", "is too short; use 100ms or more, like 2s");
  if (seconds(settings.renew_deadline) <= kJitter * seconds(settings.retry)) {
    return invalid("--leader-elect-renew-deadline",
                   "must be longer than 1.2 times --leader-elect-retry-period, like 10s for 2s");
  }
  if (settings.lease <= settings.renew_deadline) {
    return invalid("--leader-elect-lease-duration",
                   "must be longer than --leader-elect-renew-deadline, like 15s for 10s");
  }
  if (settings.lease > kLeaseMax)
    return invalid("--leader-elect-lease-duration", "is longer than 1h; use 15s");
  if (const auto wrong = resource::dns_label(settings.namespace_); !wrong.empty())
    return invalid("--leader-elect-resource-namespace", "is no name of a namespace; " + std::string(wrong));
  if (const auto wrong = resource::dns_subdomain(settings.name); !wrong.empty())
    return invalid("--leader-elect-resource-name", "is no name of a Lease; " + std::string(wrong));
  return {};
}

Record record_of(const resource::Object& lease) {
  const Json& document = lease.json();
  return {.holder = resource::text(document, "spec.holderIdentity"),
          .acquired = resource::text(document, "spec.acquireTime"),
          .renewed = resource::text(document, "spec.renewTime"),
          .duration_s = resource::number(document, "spec.leaseDurationSeconds"),
          .transitions = resource::number(document, "spec.leaseTransitions")};
}

Seen observe(const Seen& before, const resource::Object* lease, TimePoint now) {
  Seen seen{lease == nullptr ? Record{} : record_of(*lease), before.at};
  // The very first look is a change too: what stood there before this process began is not known.
  if (before.at == TimePoint{} || seen.record != before.record) seen.at = now;
  return seen;
}

Attempt decide(const Settings& settings, const resource::Object* lease, const Seen& seen, TimePoint now,
               WallTime wall) {
  const std::string stamp = resource::micro_time(wall);
  const std::int64_t duration_s = whole_seconds(settings.lease);
  if (lease == nullptr) {
    const Json empty{{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}};
    return {Attempt::Verb::kCreate, std::make_shared<const Json>(with_holder(
                                        empty, settings, settings.identity, duration_s, stamp, stamp, 0))};
  }
  const Record& record = seen.record;
  const bool ours = record.holder == settings.identity;
  if (!ours && !record.holder.empty()) {
    constexpr std::int64_t kMost = 24 * 3600;  // whatever somebody wrote there
    const Duration theirs = record.duration_s > 0
                                ? Duration(std::chrono::seconds(std::min(record.duration_s, kMost)))
                                : settings.lease;
    if (now < seen.at + theirs) return {};
  }
  return {Attempt::Verb::kUpdate,
          std::make_shared<const Json>(with_holder(lease->json(), settings, settings.identity, duration_s,
                                                   ours && !record.acquired.empty() ? record.acquired : stamp,
                                                   stamp, record.transitions + (ours ? 0 : 1)))};
}

Json released(const Settings& settings, const resource::Object& lease, WallTime wall) {
  const Record record = record_of(lease);
  if (record.holder != settings.identity) return nullptr;
  const std::string stamp = resource::micro_time(wall);
  return with_holder(lease.json(), settings, "", 1, stamp, stamp, record.transitions);
}

}  // namespace tidegate::election

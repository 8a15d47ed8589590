#include "control/workload/pods.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/rfc3339.h"
#include "resource/fields.h"

namespace tidegate::workload {
namespace {

constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";

PodPhase phase_of(const std::string& text) {
  if (text == "Running") return PodPhase::kRunning;
  if (text == "Succeeded") return PodPhase::kSucceeded;
  if (text == "Failed") return PodPhase::kFailed;
  if (text == "Unknown") return PodPhase::kUnknown;
  return PodPhase::kPending;
}

std::int64_t deletion_cost_of(const resource::Metadata& metadata) {
  const auto found = metadata.annotations.find(std::string(kDeletionCost));
  if (found == metadata.annotations.end()) return 0;
  std::int32_t cost = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cost);
  return error == std::errc{} && end == text.data() + text.size() ? cost : 0;
}

std::int64_t restarts_of(const resource::Json& pod) {
  std::int64_t most = 0;
  const resource::Json* statuses = resource::find_array(pod, "status.containerStatuses");
  if (statuses == nullptr) return 0;
  for (const resource::Json& status : *statuses) {
    most = std::max(most, resource::number(status, "restartCount"));
  }
  return most;
}

// The age's order of magnitude in base two, of nanoseconds as Kubernetes has it. Pods of 40 s and of 60 s are
// equally young.
int doublings(Duration age) {
  return age <= Duration::zero() ? -1 : std::ilogb(static_cast<double>(age.count()));
}

}  // namespace

PodFacts read_pod(const resource::ObjectPtr& pod) {
  PodFacts facts;
  facts.object = pod;
  const resource::Json& json = pod->json();
  facts.phase = phase_of(resource::text(json, "status.phase", "Pending"));
  facts.terminating = !pod->metadata().deletion_timestamp.empty();
  facts.node = resource::text(json, "spec.nodeName");
  facts.ready = resource::condition_is_true(json, "Ready");
  if (facts.ready) {
    const std::string since = resource::text(*resource::condition(json, "Ready"), "lastTransitionTime");
    facts.ready_since = parse_rfc3339(since).value_or(WallTime{});
  }
  facts.created = parse_rfc3339(pod->metadata().creation_timestamp).value_or(WallTime{});
  facts.deletion_cost = deletion_cost_of(pod->metadata());
  facts.restarts = restarts_of(json);
  return facts;
}

bool available(const PodFacts& pod, Duration min_ready, WallTime now) {
  return pod.ready && (min_ready == Duration::zero() || pod.ready_since + min_ready <= now);
}

std::optional<Duration> available_in(const PodFacts& pod, Duration min_ready, WallTime now) {
  if (!pod.ready || available(pod, min_ready, now)) return std::nullopt;
  return pod.ready_since + min_ready - now;
}

void sort_victims_first(std::vector<PodFacts>& pods, WallTime now) {
  std::map<std::string, int> on_node;
  for (const PodFacts& pod : pods) ++on_node[pod.node];
  const auto rank = [&](const PodFacts& pod) {
    const int ready_age = pod.ready ? doublings(now - pod.ready_since) : 0;
    const int age = doublings(now - pod.created);
    return std::tuple(!pod.node.empty(), pod.phase, pod.ready, pod.deletion_cost, -on_node[pod.node],
                      ready_age, -pod.restarts, age, std::string_view(pod.object->metadata().uid));
  };
  std::sort(pods.begin(), pods.end(),
            [&](const PodFacts& a, const PodFacts& b) { return rank(a) < rank(b); });
}

}  // namespace tidegate::workload

#include "cli/tide/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::tide {
namespace {

using resource::Json;
using resource::text;

// Events that tell why something happened; the rest is noise here.
bool belongs(const std::string& reason) {
  static const std::set<std::string> kReasons = {
      "SuccessfulRescale",    "FailedRescale",  "FailedScheduling", "TriggeredScaleUp", "NotTriggerScaleUp",
      "FailedToScaleUpGroup", "ScaleDownEmpty", "Scheduled",        "Preempted",        "BackOff",
      "FailedMount"};
  return kReasons.contains(reason);
}

std::string seconds_or_dash(const std::optional<double>& at) { return at ? fmt::format("{:.1f}", *at) : "-"; }

}  // namespace

std::optional<double> Story::at(const std::map<std::int64_t, double>& times, std::int64_t replicas) {
  const auto found = times.find(replicas);
  return found == times.end() ? std::nullopt : std::optional(found->second);
}

void Story::tell(double at_s, std::string about, std::string what) {
  lines_.push_back({at_s, std::move(about), std::move(what)});
}

std::string Story::key_of(const Json& event) {
  return text(event, "metadata.uid") + "/" + std::to_string(resource::number(event, "count", 1));
}

void Story::skip(const Json& event) { heard_.insert(key_of(event)); }

void Story::hear(const Json& event, double at_s) {
  if (!heard_.insert(key_of(event)).second) return;
  const std::string reason = text(event, "reason");
  const std::string about = text(event, "involvedObject.kind") + "/" + text(event, "involvedObject.name");
  const std::string message = text(event, "message");
  // A pod that waits repeats itself, each time in other words, and adds what preemption would not bring.
  const std::string once = about + reason + (reason == "FailedScheduling" ? "" : message);
  if (belongs(reason) && said_.insert(once).second)
    tell(at_s, about, reason + ": " + message.substr(0, message.find(" preemption:")));
}

void Story::load_stops(double at_s) {
  stopped_at_ = at_s;
  tell(at_s, "load", "stops");
}

// What no Event says: pods that become ready and go, machines that come and go.
void Story::compare(const Scene& scene) {
  for (const SeenPod& pod : scene.pods) {
    const auto before = std::find_if(last_.pods.begin(), last_.pods.end(),
                                     [&](const SeenPod& each) { return each.name == pod.name; });
    const std::string state = before == last_.pods.end() ? "" : before->state;
    if (pod.state == state) continue;
    if (pod.state == "Ready") tell(scene.at_s, "Pod/" + pod.name, "serves on " + pod.pool);
    if (pod.state == "Terminating")
      tell(scene.at_s, "Pod/" + pod.name, "finishes its streams on " + pod.pool);
  }
  for (const SeenPod& before : last_.pods) {
    const bool gone = std::none_of(scene.pods.begin(), scene.pods.end(),
                                   [&](const SeenPod& each) { return each.name == before.name; });
    if (gone)
      tell(scene.at_s, "Pod/" + before.name, "has left " + (before.pool.empty() ? "the queue" : before.pool));
  }
  for (const SeenPool& pool : scene.pools) {
    const auto before = std::find_if(last_.pools.begin(), last_.pools.end(),
                                     [&](const SeenPool& each) { return each.name == pool.name; });
    if (before == last_.pools.end()) continue;
    const std::string about = "NodePool/" + pool.name;
    const auto all = [](const SeenPool& each) { return each.ready + each.booting + each.leaving; };
    if (pool.booting > before->booting)
      tell(scene.at_s, about, fmt::format("{} machine(s) booting", pool.booting));
    if (pool.ready > before->ready) tell(scene.at_s, about, fmt::format("{} machine(s) ready", pool.ready));
    if (all(pool) < all(*before)) tell(scene.at_s, about, fmt::format("{} machine(s) left", all(pool)));
  }
}

void Story::look(const Scene& scene) {
  if (!first_) {
    compare(scene);
    cost_ += last_.cost_per_hour() * (scene.at_s - last_.at_s) / 3600;
    const auto owned = [](const Scene& at) { return at.pods_in("Ready") - at.ready_rented(); };
    if (stopped_at_ && owned(scene) < owned(last_) && scene.ready_rented() > 0) owned_pod_left_ = true;
  }
  if (scene.wanted > 1) wanted_at_.emplace(scene.wanted, scene.at_s);
  for (std::int64_t ready = 2; ready <= scene.pods_in("Ready"); ++ready) ready_at_.emplace(ready, scene.at_s);
  pending_most_ = std::max(pending_most_, scene.pods_in("Pending"));
  rented_most_ = std::max(rented_most_, scene.ready_rented());
  if (stopped_at_ && !back_at_ && scene.wanted == 1 && scene.pods.size() == 1 &&
      scene.pods_in("Ready") == 1 && scene.rented_machines() == 0) {
    back_at_ = scene.at_s;
    tell(scene.at_s, "ebb", "one replica, no machine rented");
  }
  last_ = scene;
  first_ = false;
}

std::string Story::timeline() const {
  std::vector<Line> lines = lines_;
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.at_s < b.at_s; });
  std::string out;
  for (const Line& line : lines) {
    out += fmt::format("  {:6.1f} s  {:<52} {:.150}\n", line.at_s, line.about, line.what);
  }
  return out;
}

std::vector<std::string> Story::complaints() const {
  std::vector<std::string> complaints;
  if (!risen()) complaints.push_back(fmt::format("{} replicas were never ready at the same time", most_));
  if (rented_most_ == 0) complaints.emplace_back("no pod ever served on a rented machine");
  if (owned_pod_left_) complaints.emplace_back("a pod of the data centre left while one in the cloud stayed");
  if (!back()) complaints.emplace_back("it did not come back to one replica and no rented machine");
  if (traffic().failed > 0)
    complaints.push_back(
        fmt::format("{} of {} requests failed", traffic().failed, traffic().failed + traffic().answered));
  if (traffic().answered == 0) complaints.emplace_back("no request was answered");
  return complaints;
}

std::string compare_text(const std::vector<std::pair<std::string, const Story*>>& walks, std::int64_t most) {
  std::string out = fmt::format("  {:<44}", "");
  for (const auto& [title, story] : walks) out += fmt::format("{:>24}", title);
  out += '\n';
  const auto row = [&](const std::string& what, auto value) {
    out += fmt::format("  {:<44}", what);
    for (const auto& [title, story] : walks) out += fmt::format("{:>24}", value(*story));
    out += '\n';
  };
  for (std::int64_t n = 2; n <= most; ++n) {
    row(fmt::format("{} replicas wanted after, s", n),
        [n](const Story& s) { return seconds_or_dash(s.wanted_at(n)); });
  }
  row("pods Pending at the same time", [](const Story& s) { return std::to_string(s.pending_most()); });
  for (std::int64_t n = 2; n <= most; ++n) {
    row(fmt::format("{} replicas ready after, s", n),
        [n](const Story& s) { return seconds_or_dash(s.ready_at(n)); });
  }
  row("from the load's end to no rented machine, s", [](const Story& s) {
    return s.back_at() && s.load_stopped_at() ? fmt::format("{:.1f}", *s.back_at() - *s.load_stopped_at())
                                              : std::string("-");
  });
  row("requests answered", [](const Story& s) { return std::to_string(s.traffic().answered); });
  row("requests failed", [](const Story& s) { return std::to_string(s.traffic().failed); });
  row("rented machines cost", [](const Story& s) { return fmt::format("{:.3f}", s.cost()); });
  return out;
}

}  // namespace tidegate::tide

#include "cli/bench_tide.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/tide/story.h"
#include "cli/tide_load.h"
#include "control/autoscale/demand.h"
#include "resource/fields.h"
#include "resource/kind.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::ObjectPtr;

constexpr Duration kLook = std::chrono::milliseconds(100);
constexpr const char* kServiceLabel = "serving.kserve.io/inferenceservice";

const resource::Kind& kind(const char* version, const char* name) {
  return *resource::find_kind(version, name);
}

// The picture: drawn over itself on a terminal; elsewhere a line whenever it would differ.
class Picture {
 public:
  explicit Picture(bool wanted) : wanted_(wanted), terminal_(isatty(STDOUT_FILENO) != 0) {}

  // `story`: it belongs to a walk; what comes before is shown on terminals alone.
  void show(const tide::Scene& scene, const std::string& title, bool story) {
    if (!wanted_ || (!terminal_ && !story)) return;
    if (terminal_) {
      wipe();
      const std::string block = tide::block_text(scene, title);
      drawn_ = std::count(block.begin(), block.end(), '\n');
      std::cout << block << std::flush;
      return;
    }
    const std::string line = tide::line_text(scene);
    if (line == last_) return;
    char at[32];
    std::snprintf(at, sizeof at, "  %6.1f s  ", std::max(scene.at_s, 0.0));
    std::cout << at << line << std::endl;
    last_ = line;
  }
  // Takes the picture away, so that what is printed next stands in its place.
  void wipe() {
    if (drawn_ > 0) std::cout << "\033[" << drawn_ << "A\033[J" << std::flush;
    drawn_ = 0;
  }

 private:
  bool wanted_, terminal_;
  std::ptrdiff_t drawn_ = 0;
  std::string last_;
};

class Walker {
 public:
  Walker(const TideRun& run, Server& server) : run_(run), server_(server), picture_(run.live) {}

  Result<std::int64_t> most_replicas();
  // Sets the rule on the autoscaler, says what it changed, and waits until nothing is left of earlier load.
  Result<void> prepare(bool demand);
  Result<void> until_answered();
  Result<void> walk(const std::string& title, tide::Story& story);

 private:
  Result<void> read(tide::Objects& objects);
  Result<void> look(tide::Story& story, const std::string& title, const TideLoad* load);
  Result<bool> look_until(tide::Story& story, const std::string& title, const TideLoad* load, TimePoint end,
                          const std::function<bool()>& done);
  Result<void> hear(tide::Story& story, bool told);
  TimePoint now() const { return server_.clock().now(); }
  double at_s() const { return seconds(now() - began_); }
  cluster::Key autoscaler() const { return {server_.namespace_(), run_.service + "-hpa"}; }

  const TideRun& run_;
  Server& server_;
  Picture picture_;
  bool walking_ = false;
  TimePoint began_{};
  tide::Traffic final_;  // of a load that has stopped
};

Result<std::int64_t> Walker::most_replicas() {
  const auto hpa = server_.client().get(kind("autoscaling/v2", "HorizontalPodAutoscaler"), autoscaler());
  if (!hpa) return tl::unexpected(hpa.error());
  return resource::number((*hpa)->json(), "spec.maxReplicas", 1);
}

Result<void> Walker::read(tide::Objects& objects) {
  cluster::Client& client = server_.client();
  const auto list = [&](const char* version, const char* name, std::string_view space,
                        std::vector<ObjectPtr>& into) -> Result<void> {
    auto found = client.list(kind(version, name), space);
    if (!found) return tl::unexpected(found.error());
    into = std::move(found->items);
    return {};
  };
  const std::string& space = server_.namespace_();
  Result<void> good = list("tidegate.dev/v1alpha1", "NodePool", "", objects.pools);
  if (good) good = list("v1", "Node", "", objects.nodes);
  if (good) good = list("v1", "Pod", space, objects.pods);
  if (!good) return good;
  std::erase_if(objects.pods, [&](const ObjectPtr& pod) {
    const auto& labels = pod->metadata().labels;
    const auto found = labels.find(kServiceLabel);
    return found == labels.end() || found->second != run_.service;
  });
  const auto deployment = client.get(kind("apps/v1", "Deployment"), {space, run_.service + "-predictor"});
  if (!deployment) return tl::unexpected(deployment.error());
  const auto hpa = client.get(kind("autoscaling/v2", "HorizontalPodAutoscaler"), autoscaler());
  if (!hpa) return tl::unexpected(hpa.error());
  objects.deployment = *deployment;
  objects.autoscaler = *hpa;
  return {};
}

Result<void> Walker::hear(tide::Story& story, bool told) {
  const auto events = server_.client().list(kind("v1", "Event"), "");
  if (!events) return tl::unexpected(events.error());
  for (const ObjectPtr& event : events->items) {
    if (told) {
      story.hear(event->json(), at_s());
    } else {
      story.skip(event->json());
    }
  }
  return {};
}

Result<void> Walker::look(tide::Story& story, const std::string& title, const TideLoad* load) {
  tide::Objects objects;
  if (auto done = read(objects); !done) return done;
  const tide::Scene scene = tide::scene_of(objects, at_s(), load != nullptr ? load->traffic() : final_);
  if (auto done = hear(story, true); !done) return done;
  story.look(scene);
  picture_.show(scene, title, walking_);
  return {};
}

Result<bool> Walker::look_until(tide::Story& story, const std::string& title, const TideLoad* load,
                                TimePoint end, const std::function<bool()>& done) {
  while (true) {
    const TimePoint next = now() + kLook;
    if (auto looked = look(story, title, load); !looked) return tl::unexpected(looked.error());
    if (done()) return true;
    if (now() >= end) return false;
    std::this_thread::sleep_until(next);
  }
}

Result<void> Walker::prepare(bool demand) {
  Json patch;
  Json& annotations = patch["metadata"]["annotations"];
  annotations[std::string(autoscale::kPeriodAnnotation)] = "1s";
  annotations[std::string(autoscale::kRuleAnnotation)] = demand ? Json("demand") : Json();
  annotations[std::string(autoscale::kCapacityAnnotation)] = demand ? Json("2") : Json();
  patch["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] = 3;
  const auto patched = server_.client().patch(kind("autoscaling/v2", "HorizontalPodAutoscaler"), autoscaler(),
                                              cluster::PatchType::kMerge, patch);
  if (!patched) return tl::unexpected(patched.error());
  tide::Story unused(1);
  unused.load_stops(0);
  began_ = now();
  walking_ = false;
  final_ = {};
  const auto rests = look_until(unused, "waiting until one replica serves and no machine is rented", nullptr,
                                now() + run_.patience, [&] { return unused.back(); });
  picture_.wipe();
  if (!rests) return tl::unexpected(rests.error());
  if (!*rests) return fail(Code::kDeadline, "one replica never came to serve; see `kubectl describe pods`");
  return until_answered();
}

// A pod that is ready is not yet an endpoint of the gateway: that takes some milliseconds more.
Result<void> Walker::until_answered() {
  const TimePoint end = now() + run_.patience;
  while (true) {
    TideLoad one(run_.request, 1);
    std::this_thread::sleep_for(kLook);
    one.stop();
    if (one.traffic().answered > 0 && one.traffic().failed == 0) return {};
    if (now() >= end) {
      const auto failures = one.failures();
      return fail(Code::kDeadline, "the service never answered" +
                                       (failures.empty() ? std::string() : ": " + failures.begin()->first));
    }
  }
}

Result<void> Walker::walk(const std::string& title, tide::Story& story) {
  if (auto done = hear(story, false); !done) return done;
  walking_ = true;
  TideLoad load(run_.request, run_.clients);
  began_ = now();
  auto seen = look_until(story, title, &load, began_ + run_.patience, [&] { return story.risen(); });
  if (seen && *seen) seen = look_until(story, title, &load, now() + run_.hold, [] { return false; });
  load.stop();
  final_ = load.traffic();
  final_.requests_per_s = 0;
  story.load_stops(at_s());
  if (seen) seen = look_until(story, title, nullptr, now() + run_.patience, [&] { return story.back(); });
  picture_.wipe();
  for (const auto& [failure, count] : load.failures())
    std::cout << "  failed " << count << " x " << failure << '\n';
  return seen ? Result<void>() : tl::unexpected(seen.error());
}

struct Act {
  bool demand;
  std::string title, says;
};

std::vector<Act> acts_of(const std::string& rule) {
  std::vector<Act> acts;
  if (rule != "demand") {
    acts.push_back(
        {false, "HPA to the letter",
         "The HPA's algorithm to the letter: a busy GPU shows 100 % and no more, so each new replica is "
         "asked for when the last one serves."});
  }
  if (rule != "hpa") {
    acts.push_back(
        {true, "by demand",
         "The rule by demand (tidegate.dev/scaling-rule: demand, two requests per replica): what is in "
         "flight adds up, so all replicas are asked for at once."});
  }
  return acts;
}

}  // namespace

int run_tide(const TideRun& run) {
  const auto server = Server::reach(run.server);
  if (!server) return report("bench tide", server.error());
  Walker walker(run, **server);
  const auto most = walker.most_replicas();
  if (!most) return report("bench tide", most.error());
  const std::vector<Act> acts = acts_of(run.rule);
  std::vector<tide::Story> stories(acts.size(), tide::Story(*most));
  std::vector<std::pair<std::string, const tide::Story*>> walks;
  int status = 0;
  for (std::size_t i = 0; i < acts.size(); ++i) {
    std::cout << (i == 0 ? "" : "\n") << acts[i].says << std::endl;
    auto walked = walker.prepare(acts[i].demand);
    if (walked) walked = walker.walk(acts[i].title, stories[i]);
    if (!walked) return report("bench tide", walked.error());
    std::cout << "\nWhat happened, in seconds since the load began:\n" << stories[i].timeline();
    for (const std::string& complaint : stories[i].complaints()) {
      std::cout << "  NOT AS IT SHOULD BE: " << complaint << '\n';
      status = 1;
    }
    walks.emplace_back(acts[i].title, &stories[i]);
  }
  std::cout << "\nSide by side:\n" << tide::compare_text(walks, *most) << std::flush;
  return status;
}

}  // namespace tidegate::cli

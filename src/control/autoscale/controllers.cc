#include "control/autoscale/controllers.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "control/autoscale/decide.h"
#include "control/autoscale/view.h"
#include "resource/fields.h"

namespace tidegate::autoscale {
namespace {

using cluster::Key;
using loop::Caches;
using loop::Decision;
using resource::HorizontalPodAutoscaler;
using resource::Object;
using resource::ObjectPtr;

constexpr const char* kComponent = "horizontal-pod-autoscaler";

struct Kinds {
  const resource::Kind* hpa = resource::find_kind("autoscaling/v2", "HorizontalPodAutoscaler");
  const resource::Kind* pod = resource::find_kind("v1", "Pod");
  const resource::Kind* service = resource::find_kind("v1", "Service");
  const resource::Kind* deployment = resource::find_kind("apps/v1", "Deployment");
  const resource::Kind* replica_set = resource::find_kind("apps/v1", "ReplicaSet");
  const resource::Kind* pool = resource::find_kind("inference.networking.k8s.io/v1", "InferencePool");
  const resource::Kind* old_pool =
      resource::find_kind("inference.networking.x-k8s.io/v1alpha2", "InferencePool");
};

// One HPA from round to round.
struct Kept {
  std::string uid;
  std::int64_t generation = 0;
  WallTime due{};
  Memory memory;
  // A change that was asked for and has not been seen: `memory` takes it for made only when it is.
  struct Asked {
    std::int64_t replicas;
    Memory memory;
  };
  std::optional<Asked> asked;
  std::optional<resource::LabelQuery> selector;  // of the target at its last round; none: it had none
};

struct Target {
  const resource::Kind* kind = nullptr;  // null: of a kind that the caches do not hold
  ObjectPtr object;
  TargetView view;
};

// In the words of an API server that is asked for the scale.
Result<Target> find_cached(const Caches& caches, const HorizontalPodAutoscaler& hpa,
                           const resource::Kind& kind) {
  Target target;
  target.kind = &kind;
  target.object = caches.get(*target.kind, {hpa.metadata.namespace_, hpa.target.name});
  if (target.object == nullptr) {
    return fail(Code::kNotFound,
                std::string(target.kind->plural) + ".apps \"" + hpa.target.name + "\" not found");
  }
  auto view = read_target(*target.object);
  if (!view) return tl::unexpected(view.error());
  target.view = *std::move(view);
  return target;
}

cluster::Reference reference_of(const HorizontalPodAutoscaler& hpa) {
  return {hpa.target.api_version, hpa.target.kind, {hpa.metadata.namespace_, hpa.target.name}};
}

// What the gateway calls a pool of these pods: an InferencePool's or a Service's name.
std::vector<std::string> pools_of(const Kinds& kinds, const Caches& caches, const Object& hpa,
                                  const resource::Labels& pod_labels) {
  std::vector<std::string> names;
  const auto look = [&](const resource::Kind* kind, const char* path) {
    for (const ObjectPtr& object : caches.list(*kind, hpa.namespace_())) {
      if (resource::selects(resource::text_map(object->json(), path), pod_labels)) {
        names.push_back(object->namespace_() + "/" + object->name());
      }
    }
  };
  look(kinds.pool, "spec.selector.matchLabels");
  look(kinds.old_pool, "spec.selector");
  look(kinds.service, "spec.selector");
  return names;
}

bool is_exporter(const Object& pod) {
  static constexpr std::string_view kNames[] = {"dcgm-exporter", "nvidia-dcgm-exporter", "ack-gpu-exporter",
                                                "ack-prometheus-gpu-exporter"};
  for (const char* label : {"app.kubernetes.io/name", "app", "k8s-app"}) {
    const auto found = pod.metadata().labels.find(label);
    if (found != pod.metadata().labels.end() &&
        std::find(std::begin(kNames), std::end(kNames), found->second) != std::end(kNames)) {
      return true;
    }
  }
  return false;
}

class Autoscaler {
 public:
  Autoscaler(Metrics metrics, ReadScale read_scale, Settings settings)
      : metrics_(std::move(metrics)), read_scale_(std::move(read_scale)), settings_(settings) {
    TG_CHECK(kinds_.hpa != nullptr && kinds_.pool != nullptr && kinds_.old_pool != nullptr);
  }

  Decision decide(const Key& key, const Caches& caches, WallTime now);
  // What is told when the scale could not be written.
  std::vector<loop::Action> unable(const Key& key, const Error& error, const Caches& caches, WallTime now);
  const Kinds& kinds() const { return kinds_; }

 private:
  Result<Target> find_target(const Caches& caches, const HorizontalPodAutoscaler& hpa) const;
  std::optional<resource::LabelQuery> selector_of(const Caches& caches, const Object& object) const;
  std::vector<std::string> rivals(const Caches& caches, const Object& own,
                                  const std::vector<ObjectPtr>& pods) const;
  Outcome judge(const Object& object, const HorizontalPodAutoscaler& hpa, const Rule& rule,
                const Result<Target>& target, const Caches& caches, const Memory& memory, WallTime now);

  const Kinds kinds_;
  const Metrics metrics_;
  const ReadScale read_scale_;
  const Settings settings_;
  std::map<Key, Kept> kept_;
};

Result<Target> Autoscaler::find_target(const Caches& caches, const HorizontalPodAutoscaler& hpa) const {
  if (const resource::Kind* kind = scalable_kind(hpa.target)) return find_cached(caches, hpa, *kind);
  const auto scale = read_scale_(reference_of(hpa));
  if (!scale) return tl::unexpected(scale.error());
  return Target{nullptr, nullptr, read_target(*scale)};
}

// Which pods another HPA counts; none if that is not known. Nobody is asked for it: what is not cached is as its own last
// round has seen it.
std::optional<resource::LabelQuery> Autoscaler::selector_of(const Caches& caches, const Object& object) const {
  const auto hpa = HorizontalPodAutoscaler::from(object);
  if (!hpa) return std::nullopt;
  if (const resource::Kind* kind = scalable_kind(hpa->target)) {
    auto target = find_cached(caches, *hpa, *kind);
    return target ? std::optional(std::move(target->view.selector)) : std::nullopt;
  }
  const auto kept = kept_.find(cluster::key_of(object));
  return kept == kept_.end() ? std::nullopt : kept->second.selector;
}

// All HPAs that count these pods, this one included, if there are others.
std::vector<std::string> Autoscaler::rivals(const Caches& caches, const Object& own,
                                            const std::vector<ObjectPtr>& pods) const {
  std::vector<std::string> names;
  for (const ObjectPtr& other : caches.list(*kinds_.hpa, own.namespace_())) {
    if (other->metadata().uid != own.metadata().uid) {
      const auto selector = selector_of(caches, *other);
      const bool counts = selector && std::any_of(pods.begin(), pods.end(), [&](const ObjectPtr& pod) {
                            return selector->matches(pod->metadata().labels);
                          });
      if (!counts) continue;
    }
    names.push_back(other->namespace_() + "/" + other->name());
  }
  if (names.size() < 2) names.clear();
  return names;
}

Outcome Autoscaler::judge(const Object& object, const HorizontalPodAutoscaler& hpa, const Rule& rule,
                          const Result<Target>& target, const Caches& caches, const Memory& memory,
                          WallTime now) {
  State state;
  state.hpa = &hpa;
  if (!target) {
    state.scale = tl::unexpected(target.error());
    return autoscale::decide(state, rule, memory, settings_, now);
  }
  state.scale = target->view.scale;
  std::vector<ObjectPtr> pods;
  std::vector<ObjectPtr> exporters;
  for (const ObjectPtr& pod : caches.list(*kinds_.pod)) {
    if (is_exporter(*pod)) exporters.push_back(pod);
    if (pod->namespace_() != object.namespace_() || !target->view.selector.matches(pod->metadata().labels))
      continue;
    pods.push_back(pod);
    state.pods.push_back(read_pod_state(*pod));
  }
  state.rivals = rivals(caches, object, pods);
  // Who has no template is known by its pods.
  const bool by_pods = target->kind == nullptr && !pods.empty();
  const resource::Labels& pod_labels = by_pods ? pods.front()->metadata().labels : target->view.pod_labels;
  const Subject subject{cluster::key_of(object).text(),
                        hpa,
                        rule,
                        pods,
                        exporters,
                        pools_of(kinds_, caches, object, pod_labels)};
  Gathered gathered = metrics_.gather(subject, now);
  state.readings = std::move(gathered.readings);
  state.demand = std::move(gathered.demand);
  return autoscale::decide(state, rule, memory, settings_, now);
}

// About the autoscaler as autoscaling/v2, as Kubernetes' controller reads it, whichever version it was written in: `kubectl
// events --for` looks for that.
cluster::EventNote note_of(const Object& hpa, bool warning, const std::string& reason, const std::string& message) {
  cluster::EventNote note =
      warning ? cluster::warning(hpa, reason, message) : cluster::normal(hpa, reason, message);
  note.api_version = "autoscaling/v2";
  return std::move(note).from(kComponent);
}

void say(Decision& decision, const Object& about, const Outcome& outcome) {
  for (const EventNote& event : outcome.events) {
    if (event.reason == "SuccessfulRescale") continue;  // said once the scale was written
    decision.events.push_back(note_of(about, event.warning, event.reason, event.message));
  }
}

// Writes the scale, and tells how that went.
loop::Action rescale(const Target& target, const cluster::Reference& reference, const Object& hpa,
                     const Outcome& outcome) {
  std::string what;
  for (const EventNote& event : outcome.events) {
    if (event.reason == "SuccessfulRescale") what = event.message;
  }
  loop::Action action =
      target.kind == nullptr
          ? loop::Action::scale(reference, *outcome.replicas, what)
          : loop::Action::update(*target.kind, with_replicas(*target.object, *outcome.replicas), what);
  return std::move(action)
      .saying(note_of(hpa, false, "SuccessfulRescale", what), note_of(hpa, true, "FailedRescale", what + "; error: "));
}

Decision Autoscaler::decide(const Key& key, const Caches& caches, WallTime now) {
  const ObjectPtr object = caches.get(*kinds_.hpa, key);
  if (object == nullptr) {
    if (kept_.erase(key) > 0) metrics_.forget(key.text());
    return {};
  }
  Kept& kept = kept_[key];
  if (kept.uid != object->metadata().uid) kept = {};
  const bool changed = kept.generation != object->metadata().generation;
  if (!changed && now < kept.due) return {.actions = {}, .again_in = kept.due - now};
  kept.uid = object->metadata().uid;
  kept.generation = object->metadata().generation;

  const auto hpa = HorizontalPodAutoscaler::from(*object);
  if (!hpa) return {};  // admission has refused it before it got here
  auto rule = read_rule(hpa->metadata.annotations, settings_);
  const Duration period = rule ? rule->period : settings_.sync_period;
  kept.due = now + period;
  Decision decision;
  decision.again_in = period;

  Result<Target> target = find_target(caches, *hpa);
  kept.selector.reset();
  if (target && !target->view.scale.selector.empty() && target->view.scale.selector_error.empty())
    kept.selector = target->view.selector;
  if (kept.asked) {
    if (target && target->view.scale.replicas == kept.asked->replicas)
      kept.memory = std::move(kept.asked->memory);
    kept.asked.reset();
  }
  Outcome outcome;
  if (rule) {
    outcome = judge(*object, *hpa, *rule, target, caches, kept.memory, now);
  } else {
    outcome.memory = kept.memory;
    outcome.keeps_status = true;
    if (target) outcome.current_replicas = target->view.scale.replicas;
    outcome.set("ScalingActive", false, "InvalidAnnotation", describe(rule.error()));
    outcome.events.push_back({true, "InvalidAnnotation", describe(rule.error())});
  }
  if (outcome.replicas && target) {
    kept.asked = Kept::Asked{*outcome.replicas, std::move(outcome.memory)};
    decision.actions.push_back(rescale(*target, reference_of(*hpa), *object, outcome));
  } else {
    kept.memory = std::move(outcome.memory);
  }
  resource::Json document = with_status(*object, *hpa, outcome, now);
  if (!resource::same_content(document, object->json())) {
    decision.actions.push_back(loop::Action::update_status(*kinds_.hpa, std::move(document)));
  }
  say(decision, *object, outcome);
  return decision;
}

std::vector<loop::Action> Autoscaler::unable(const Key& key, const Error& error, const Caches& caches,
                                             WallTime now) {
  const ObjectPtr object = caches.get(*kinds_.hpa, key);
  const auto kept = kept_.find(key);
  if (object == nullptr || kept == kept_.end() || !kept->second.asked) return {};
  const auto hpa = HorizontalPodAutoscaler::from(*object);
  if (!hpa) return {};
  Outcome outcome;
  outcome.keeps_status = true;
  if (const auto target = find_target(caches, *hpa)) outcome.current_replicas = target->view.scale.replicas;
  outcome.set("AbleToScale", false, "FailedUpdateScale",
              "the HPA controller was unable to update the target scale: " + describe(error));
  resource::Json document = with_status(*object, *hpa, outcome, now);
  if (resource::same_content(document, object->json())) return {};
  return {loop::Action::update_status(*kinds_.hpa, std::move(document))};
}

}  // namespace

std::vector<loop::Controller> controllers(Metrics metrics, ReadScale read_scale, Settings settings) {
  const auto autoscaler = std::make_shared<Autoscaler>(std::move(metrics), std::move(read_scale), settings);
  const Kinds& kinds = autoscaler->kinds();
  loop::Controller controller;
  controller.name = "horizontal-pod-autoscaler";
  controller.sources = {{kinds.hpa, loop::own_key}};
  // Read at each round; their changes wake nobody, as in Kubernetes.
  for (const resource::Kind* kind :
       {kinds.pod, kinds.service, kinds.deployment, kinds.replica_set, kinds.pool, kinds.old_pool}) {
    controller.sources.push_back({kind, [](const Object&) { return std::vector<Key>(); }});
  }
  controller.decide = [autoscaler](const Key& key, const Caches& caches, WallTime now) {
    return autoscaler->decide(key, caches, now);
  };
  controller.after_failure = [autoscaler](const Key& key, const Error& error, const Caches& caches,
                                          WallTime now) {
    return autoscaler->unable(key, error, caches, now);
  };
  return {std::move(controller)};
}

}  // namespace tidegate::autoscale

#include "resource/workload.h"

#include <charconv>

#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kCount = {.min = 0, .max = kInt32Max};

int count(Reader& reader, std::string_view field, int otherwise) {
  return static_cast<int>(reader.integer(field, kCount).value_or(otherwise));
}

WorkloadStatus read_status(Reader& root) {
  WorkloadStatus status;
  Reader reader(root, "status");
  reader.open();
  status.observed_generation = reader.integer("observedGeneration").value_or(0);
  status.replicas = count(reader, "replicas", 0);
  status.updated = count(reader, "updatedReplicas", 0);
  status.ready = count(reader, "readyReplicas", 0);
  status.available = count(reader, "availableReplicas", 0);
  status.collision_count = count(reader, "collisionCount", 0);
  status.conditions = read_conditions(reader);
  return status;
}

// What both kinds share: replicas, selector, template, minReadySeconds.
template <typename Workload>
void read_common(Reader& spec, Workload& workload) {
  spec.open();
  workload.replicas = count(spec, "replicas", 1);
  workload.selector = read_selector(spec, "selector", Need::kRequired);
  workload.pods = read_pod_template(spec, "template");
  workload.min_ready_s = count(spec, "minReadySeconds", 0);
  if (!spec.present() || !spec.has("selector") || !spec.has("template")) return;
  if (workload.selector.empty()) {
    spec.wrong("selector", "is empty; name at least one label of the template");
  } else if (!workload.selector.matches(workload.pods.labels)) {
    spec.wrong("template",
               "has labels that spec.selector does not match; give metadata.labels of the template those of "
               "the selector");
  }
  if (workload.pods.spec.restart_policy != "Always") {
    spec.wrong("template", "has restartPolicy " + workload.pods.spec.restart_policy + "; use Always");
  }
}

Deployment read_deployment(Reader& root) {
  Deployment deployment;
  Reader spec(root, "spec", Need::kRequired);
  read_common(spec, deployment);
  {
    Reader strategy(spec, "strategy");
    strategy.open();
    deployment.recreate =
        strategy.choice<bool>("type", {{"Recreate", true}, {"RollingUpdate", false}}, false);
    Reader rolling(strategy, "rollingUpdate");
    rolling.open();
    deployment.max_surge = rolling.int_or_text("maxSurge", kCount, percentage).value_or(deployment.max_surge);
    deployment.max_unavailable =
        rolling.int_or_text("maxUnavailable", kCount, percentage).value_or(deployment.max_unavailable);
    const auto is_zero = [](const IntOrText& amount) { return resolve_share(amount, 100, true) == 0; };
    if (is_zero(deployment.max_surge) && is_zero(deployment.max_unavailable)) {
      rolling.wrong("maxUnavailable",
                    "and maxSurge are both 0; let one of them be more, or nothing can ever be replaced");
    }
  }
  deployment.revision_history_limit = count(spec, "revisionHistoryLimit", 10);
  deployment.progress_deadline_s = count(spec, "progressDeadlineSeconds", 600);
  deployment.paused = spec.boolean("paused").value_or(false);
  deployment.status = read_status(root);
  return deployment;
}

ReplicaSet read_replica_set(Reader& root) {
  ReplicaSet set;
  Reader spec(root, "spec", Need::kRequired);
  read_common(spec, set);
  set.status = read_status(root);
  return set;
}

void set_replica_set_defaults(Json& document) {
  Defaults spec = Defaults(document).at("spec");
  spec.set("replicas", std::int64_t{1});
  set_pod_spec_defaults(spec.at("template").at("spec"));
}

void set_deployment_defaults(Json& document) {
  set_replica_set_defaults(document);
  Defaults spec = Defaults(document).at("spec");
  spec.set("revisionHistoryLimit", std::int64_t{10});
  spec.set("progressDeadlineSeconds", std::int64_t{600});
  Defaults strategy = spec.make("strategy");
  strategy.set("type", "RollingUpdate");
  if (strategy.text("type") == "RollingUpdate") {
    Defaults rolling = strategy.make("rollingUpdate");
    rolling.set("maxSurge", "25%");
    rolling.set("maxUnavailable", "25%");
  }
}

void validate_deployment(const Json& document, Findings& findings) {
  check_document(document, findings, read_deployment);
}
void validate_replica_set(const Json& document, Findings& findings) {
  check_document(document, findings, read_replica_set);
}

template <typename Workload>
void refuse_new_selector(const Json& before, const Json& after, std::vector<Error>& errors,
                         Workload (*read)(Reader&)) {
  const auto old_workload = read_view(before, read);
  const auto new_workload = read_view(after, read);
  if (!old_workload || !new_workload || old_workload->selector == new_workload->selector) return;
  errors.push_back({Code::kInvalid, "spec.selector", "field is immutable; delete the object and create it anew"});
}

void update_deployment(const Json& before, const Json& after, std::vector<Error>& errors) {
  refuse_new_selector(before, after, errors, read_deployment);
}
void update_replica_set(const Json& before, const Json& after, std::vector<Error>& errors) {
  refuse_new_selector(before, after, errors, read_replica_set);
}

}  // namespace

std::string_view percentage(std::string_view text) {
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool right = text.ends_with('%') && parsed.ec == std::errc() &&
                     parsed.ptr == text.data() + text.size() - 1 && number >= 0;
  if (right) return {};
  return "use a whole number or a percentage like 25%";
}

int resolve_share(const IntOrText& amount, int total, bool round_up) {
  if (!amount.is_text()) return static_cast<int>(amount.number);
  int share = 0;
  std::from_chars(amount.text.data(), amount.text.data() + amount.text.size(), share);
  const std::int64_t hundredths = static_cast<std::int64_t>(share) * total;
  return static_cast<int>(round_up ? (hundredths + 99) / 100 : hundredths / 100);
}

Result<Deployment> Deployment::from(const Object& object) {
  auto deployment = read_view(object.json(), read_deployment);
  if (deployment) deployment->metadata = object.metadata();
  return deployment;
}

Result<ReplicaSet> ReplicaSet::from(const Object& object) {
  auto set = read_view(object.json(), read_replica_set);
  if (set) set->metadata = object.metadata();
  return set;
}

Kind deployment_kind() {
  return {.group = "apps",
          .kind = "Deployment",
          .plural = "deployments",
          .singular = "deployment",
          .versions = {"v1"},
          .short_names = {"deploy"},
          .set_defaults = set_deployment_defaults,
          .validate = validate_deployment,
          .validate_update = update_deployment};
}

Kind replica_set_kind() {
  return {.group = "apps",
          .kind = "ReplicaSet",
          .plural = "replicasets",
          .singular = "replicaset",
          .versions = {"v1"},
          .short_names = {"rs"},
          .set_defaults = set_replica_set_defaults,
          .validate = validate_replica_set,
          .validate_update = update_replica_set};
}

}  // namespace tidegate::resource

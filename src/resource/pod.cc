#include "resource/pod.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "resource/container.h"
#include "resource/defaults.h"
#include "resource/fields.h"

namespace tidegate::resource {
namespace {

Volume read_volume(Reader& item) {
  Volume volume;
  item.open();
  volume.name = item.text("name", {.need = Need::kRequired, .syntax = dns_label});
  const auto items = [&](Reader& source) {
    source.each("items", {}, [&](Reader& entry) {
      entry.open();
      volume.items.push_back({.key = entry.text("key", {.need = Need::kRequired}),
                              .path = entry.text("path", {.need = Need::kRequired})});
    });
    volume.optional = source.boolean("optional").value_or(false);
  };
  if (item.has("hostPath")) {
    volume.source = Volume::Source::kHostPath;
    Reader source(item, "hostPath");
    source.open();
    volume.ref = source.text("path", {.need = Need::kRequired});
  } else if (item.has("configMap")) {
    volume.source = Volume::Source::kConfigMap;
    Reader source(item, "configMap");
    source.open();
    volume.ref = source.text("name");
    items(source);
  } else if (item.has("secret")) {
    volume.source = Volume::Source::kSecret;
    Reader source(item, "secret");
    source.open();
    volume.ref = source.text("secretName");
    items(source);
  } else if (item.has("persistentVolumeClaim")) {
    volume.source = Volume::Source::kClaim;
    Reader source(item, "persistentVolumeClaim");
    source.open();
    volume.ref = source.text("claimName", {.need = Need::kRequired});
    volume.read_only = source.boolean("readOnly").value_or(false);
  } else if (item.has("emptyDir")) {
    Reader source(item, "emptyDir");
    source.open();
    volume.medium = source.text("medium");
  } else {
    // A volume without a source is an empty directory; one of a source not read here is somebody else's.
    static constexpr std::string_view kOthers[] = {"projected", "downwardAPI", "csi", "ephemeral", "nfs",
                                                   "image",     "iscsi",       "fc",  "cephfs",    "rbd"};
    if (std::any_of(std::begin(kOthers), std::end(kOthers),
                    [&](std::string_view name) { return item.has(name); })) {
      volume.source = Volume::Source::kOther;
    }
  }
  return volume;
}

Toleration read_toleration(Reader& item) {
  Toleration toleration;
  item.open();
  toleration.key = item.text("key");
  if (item.has("operator")) toleration.op = item.text("operator");
  toleration.value = item.text("value");
  toleration.effect = item.text("effect");
  toleration.seconds = item.integer("tolerationSeconds");
  return toleration;
}

// Names that must differ, and mounts that must name a volume.
void check_containers(Reader& spec, const PodSpec& pod) {
  std::set<std::string> names;
  std::set<std::string> volumes;
  for (const Volume& volume : pod.volumes) {
    if (!volume.name.empty() && !volumes.insert(volume.name).second) {
      spec.wrong("volumes", "has \"" + volume.name + "\" for the second time; use each name once");
    }
  }
  const auto check = [&](std::string_view field, const std::vector<Container>& containers) {
    for (const Container& container : containers) {
      if (!container.name.empty() && !names.insert(container.name).second) {
        spec.wrong(field, "has \"" + container.name + "\" for the second time; use each name once");
      }
      for (const VolumeMount& mount : container.mounts) {
        if (!mount.name.empty() && !volumes.contains(mount.name)) {
          spec.wrong(field,
                     "mounts \"" + mount.name + "\", which is no volume of the pod; add it to volumes");
        }
      }
    }
  };
  check("initContainers", pod.init_containers);
  check("containers", pod.containers);
}

}  // namespace

PodSpec read_pod_spec(Reader& spec, Need containers) {
  PodSpec pod;
  spec.open();
  spec.each("initContainers", {.max = 1000},
            [&](Reader& item) { pod.init_containers.push_back(read_container(item)); });
  spec.each("containers", {.min = 1, .max = 1000, .need = containers},
            [&](Reader& item) { pod.containers.push_back(read_container(item)); });
  spec.each("volumes", {.max = 1000}, [&](Reader& item) { pod.volumes.push_back(read_volume(item)); });
  static const std::vector<std::string_view> kPolicies = {"Always", "OnFailure", "Never"};
  const int policy = spec.choice_index("restartPolicy", kPolicies);
  if (policy >= 0) pod.restart_policy = kPolicies[static_cast<std::size_t>(policy)];
  pod.grace_s = spec.integer("terminationGracePeriodSeconds", {.min = 0}).value_or(30);
  pod.node_name = spec.text("nodeName", {.syntax = dns_subdomain});
  pod.node_selector = spec.text_map("nodeSelector", Need::kOptional, label_key, label_value);
  spec.each("tolerations", {.max = 1000},
            [&](Reader& item) { pod.tolerations.push_back(read_toleration(item)); });
  pod.scheduler_name = spec.text("schedulerName");
  pod.service_account = spec.text("serviceAccountName");
  pod.priority_class = spec.text("priorityClassName");
  pod.priority = spec.integer("priority", {.min = kInt32Min, .max = kInt32Max});
  pod.hostname = spec.text("hostname", {.syntax = dns_label});
  pod.host_network = spec.boolean("hostNetwork").value_or(false);
  spec.each("schedulingGates", {.max = 1000}, [&](Reader& item) {
    item.open();
    pod.scheduling_gates.push_back(item.text("name", {.need = Need::kRequired}));
  });
  pod.affinity = read_affinity(spec);
  pod.spread = read_spread(spec);
  pod.overhead = spec.quantities("overhead");
  pod.never_preempts = spec.text("preemptionPolicy") == "Never";
  check_containers(spec, pod);
  return pod;
}

namespace {

ContainerStatus read_container_status(Reader& item) {
  ContainerStatus status;
  item.open();
  status.name = item.text("name");
  status.image = item.text("image");
  status.container_id = item.text("containerID");
  status.ready = item.boolean("ready").value_or(false);
  status.started = item.boolean("started").value_or(false);
  status.restart_count =
      static_cast<int>(item.integer("restartCount", {.min = 0, .max = kInt32Max}).value_or(0));
  Reader state(item, "state");
  state.open();
  const bool running = state.has("running");
  const bool terminated = state.has("terminated");
  status.state = running      ? ContainerStatus::State::kRunning
                 : terminated ? ContainerStatus::State::kTerminated
                              : ContainerStatus::State::kWaiting;
  Reader current(state, running ? "running" : terminated ? "terminated" : "waiting");
  current.open();
  status.reason = current.text("reason");
  status.message = current.text("message");
  status.started_at = current.text("startedAt");
  status.finished_at = current.text("finishedAt");
  status.exit_code =
      static_cast<int>(current.integer("exitCode", {.min = kInt32Min, .max = kInt32Max}).value_or(0));
  return status;
}

PodStatus read_pod_status(Reader& root) {
  PodStatus status;
  Reader reader(root, "status");
  reader.open();
  if (reader.has("phase")) status.phase = reader.text("phase");
  status.reason = reader.text("reason");
  status.message = reader.text("message");
  status.pod_ip = reader.text("podIP");
  status.host_ip = reader.text("hostIP");
  status.start_time = reader.text("startTime");
  status.nominated_node = reader.text("nominatedNodeName");
  status.conditions = read_conditions(reader);
  reader.each("containerStatuses", {},
              [&](Reader& item) { status.containers.push_back(read_container_status(item)); });
  reader.each("initContainerStatuses", {},
              [&](Reader& item) { status.init_containers.push_back(read_container_status(item)); });
  return status;
}

Pod read(Reader& root) {
  Pod pod;
  Reader spec(root, "spec", Need::kRequired);
  pod.spec = read_pod_spec(spec);
  pod.status = read_pod_status(root);
  return pod;
}

// A pod stays for five minutes on a node that is not heard of: a link that comes back in time costs nothing.
// Source: Kubernetes, the DefaultTolerationSeconds admission plugin.
void tolerate_lost_nodes(Json& document) {
  if (!document.is_object() || !document.contains("spec") || !document["spec"].is_object()) return;
  Json& tolerations = document["spec"]["tolerations"];
  if (tolerations.is_null()) tolerations = Json::array();
  if (!tolerations.is_array()) return;
  for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    const bool has = std::any_of(tolerations.begin(), tolerations.end(), [&](const Json& toleration) {
      const std::string for_key = text(toleration, "key");
      const std::string effect = text(toleration, "effect");
      return (for_key.empty() || for_key == key) && (effect.empty() || effect == "NoExecute");
    });
    if (has) continue;
    tolerations.push_back(
        Json{{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}});
  }
}

void set_defaults(Json& document) {
  Defaults root(document);
  set_pod_spec_defaults(root.at("spec"));
  tolerate_lost_nodes(document);
  root.make("status").set("phase", "Pending");
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read); }

// A pod keeps its containers for life; only images, tolerations and grace may change, and the node is set by
// binding.
void validate_update(const Json& before, const Json& after, std::vector<Error>& errors) {
  const auto old_pod = read_view(before, read);
  const auto new_pod = read_view(after, read);
  if (!old_pod || !new_pod) return;
  if (old_pod->spec.containers.size() != new_pod->spec.containers.size()) {
    errors.push_back({Code::kInvalid, "spec.containers", "cannot change; delete the pod and create it anew"});
  }
  if (!old_pod->spec.node_name.empty() && old_pod->spec.node_name != new_pod->spec.node_name) {
    errors.push_back({Code::kInvalid, "spec.nodeName",
                      "is \"" + new_pod->spec.node_name + "\" and was \"" + old_pod->spec.node_name +
                          "\"; a bound pod cannot move, delete it and create it anew"});
  }
}

void add_into(std::map<std::string, Quantity>& total, const std::map<std::string, Quantity>& more) {
  for (const auto& [name, quantity] : more) total[name] = total[name] + quantity;
}

std::map<std::string, Quantity> container_requests(const Container& container) {
  std::map<std::string, Quantity> requests = container.resources.limits;
  for (const auto& [name, quantity] : container.resources.requests) requests[name] = quantity;
  return requests;
}

}  // namespace

std::map<std::string, Quantity> PodSpec::requests() const {
  std::map<std::string, Quantity> total;
  for (const Container& container : containers) add_into(total, container_requests(container));
  // Init containers run one after another, each beside the sidecars that started before it.
  std::map<std::string, Quantity> sidecars;
  std::map<std::string, Quantity> peak;
  for (const Container& container : init_containers) {
    std::map<std::string, Quantity> now = sidecars;
    add_into(now, container_requests(container));
    for (const auto& [name, quantity] : now) peak[name] = std::max(peak[name], quantity);
    if (container.restart_always) sidecars = std::move(now);
  }
  add_into(total, sidecars);
  for (const auto& [name, quantity] : peak) total[name] = std::max(total[name], quantity);
  add_into(total, overhead);
  return total;
}

Result<Pod> Pod::from(const Object& object) {
  auto pod = read_view(object.json(), read);
  if (pod) pod->metadata = object.metadata();
  return pod;
}

std::optional<std::uint16_t> find_port(const PodSpec& spec, std::string_view name) {
  for (const auto* containers : {&spec.containers, &spec.init_containers}) {
    for (const Container& container : *containers) {
      for (const ContainerPort& port : container.ports) {
        if (port.name == name) return port.port;
      }
    }
  }
  return {};
}

PodTemplate read_pod_template(Reader& parent, std::string_view field) {
  PodTemplate result;
  Reader reader(parent, field, Need::kRequired);
  reader.open();
  {
    Reader metadata(reader, "metadata");
    metadata.open();
    result.labels = metadata.text_map("labels", Need::kOptional, label_key, label_value);
    result.annotations = metadata.text_map("annotations", Need::kOptional, label_key);
  }
  Reader spec(reader, "spec", Need::kRequired);
  result.spec = read_pod_spec(spec);
  return result;
}

void set_pod_spec_defaults(Defaults spec) {
  spec.set("restartPolicy", "Always");
  spec.set("terminationGracePeriodSeconds", std::int64_t{30});
  spec.set("dnsPolicy", "ClusterFirst");
  spec.set("schedulerName", "default-scheduler");
  spec.each("initContainers", set_container_defaults);
  spec.each("containers", set_container_defaults);
}

Kind pod_kind() {
  return {.group = "",
          .kind = "Pod",
          .plural = "pods",
          .singular = "pod",
          .versions = {"v1"},
          .short_names = {"po"},
          .set_defaults = set_defaults,
          .validate = validate,
          .validate_update = validate_update};
}

}  // namespace tidegate::resource

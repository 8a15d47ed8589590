// Pod: containers that run together at one address. Also the pod template of the workload kinds.
//
// Pods come from manifests written for real clusters, so every field of Kubernetes is accepted and kept; only
// the types of those read here are checked.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes core/v1 Pod.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/quantity.h"
#include "resource/affinity.h"
#include "resource/condition.h"
#include "resource/kind.h"
#include "resource/object.h"
#include "resource/reader.h"
#include "resource/selector.h"

namespace tidegate::resource {

struct ContainerPort {
  std::string name;
  std::uint16_t port = 0;
  std::uint16_t host_port = 0;  // 0: none
  std::string protocol = "TCP";
};

// Where the value of an environment variable comes from.
struct EnvVar {
  enum class Source { kValue, kConfigMap, kSecret, kField, kResource };
  std::string name;
  Source source = Source::kValue;
  std::string value;  // kValue
  std::string ref;    // kConfigMap, kSecret: its name; kField: the path; kResource: the container, or empty
  std::string key;    // kConfigMap, kSecret: the key; kResource: the resource
  bool optional = false;
};

struct EnvFrom {
  bool secret = false;  // else a ConfigMap
  std::string name;
  std::string prefix;
  bool optional = false;
};

struct HttpAction {
  std::string path = "/";
  IntOrText port;
  std::string host;  // empty: the pod's address
  bool https = false;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct Action {
  enum class Type { kHttp, kTcp, kExec, kGrpc, kSleep };
  Type type = Type::kHttp;
  HttpAction http;
  IntOrText port;                    // kTcp, kGrpc
  std::string service;               // kGrpc
  std::vector<std::string> command;  // kExec
  std::int64_t sleep_s = 0;          // kSleep
};

struct Probe {
  Action action;
  int initial_delay_s = 0;
  int period_s = 10;
  int timeout_s = 1;
  int success_threshold = 1;
  int failure_threshold = 3;
  std::optional<std::int64_t> grace_s;  // terminationGracePeriodSeconds of the probe itself
};

struct VolumeMount {
  std::string name;
  std::string path;
  std::string sub_path;
  bool read_only = false;
};

struct Resources {
  std::map<std::string, Quantity>
      requests;  // "cpu", "memory", "nvidia.com/gpu"; absent ones default to the limit
  std::map<std::string, Quantity> limits;
};

struct Container {
  std::string name;
  std::string image;
  std::string image_pull_policy;
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::string working_dir;
  std::vector<ContainerPort> ports;
  std::vector<EnvVar> env;
  std::vector<EnvFrom> env_from;
  Resources resources;
  std::vector<VolumeMount> mounts;
  std::optional<Probe> startup;
  std::optional<Probe> readiness;
  std::optional<Probe> liveness;
  std::optional<Action> pre_stop;
  std::optional<Action> post_start;
  bool restart_always = false;  // an init container that keeps running: a sidecar
};

struct KeyToPath {
  std::string key;
  std::string path;
};

struct Volume {
  enum class Source { kEmptyDir, kHostPath, kConfigMap, kSecret, kClaim, kOther };
  std::string name;
  Source source = Source::kEmptyDir;
  std::string ref;  // name of the ConfigMap, Secret or claim; the path for kHostPath
  std::vector<KeyToPath> items;
  bool optional = false;
  bool read_only = false;
  std::string medium;  // kEmptyDir: "Memory" or empty
};

struct Toleration {
  std::string key;
  std::string op = "Equal";
  std::string value;
  std::string effect;
  std::optional<std::int64_t> seconds;
};

struct PodSpec {
  std::vector<Container> init_containers;
  std::vector<Container> containers;
  std::vector<Volume> volumes;
  std::string restart_policy = "Always";
  std::int64_t grace_s = 30;  // terminationGracePeriodSeconds
  std::string node_name;
  Labels node_selector;
  std::vector<Toleration> tolerations;
  std::string scheduler_name;
  std::string service_account;
  std::string priority_class;
  std::optional<std::int64_t> priority;
  std::string hostname;
  bool host_network = false;
  std::vector<std::string> scheduling_gates;
  Affinity affinity;
  std::vector<SpreadConstraint> spread;
  std::map<std::string, Quantity> overhead;
  bool never_preempts = false;  // preemptionPolicy: Never

  // What placement must find on a node: the sum over containers, or the largest init container, per resource,
  // and the overhead.
  std::map<std::string, Quantity> requests() const;
};

struct ContainerStatus {
  std::string name;
  std::string image;
  std::string container_id;
  bool ready = false;
  bool started = false;
  int restart_count = 0;
  enum class State { kWaiting, kRunning, kTerminated } state = State::kWaiting;
  std::string reason;   // of kWaiting and kTerminated
  std::string message;  // of kWaiting and kTerminated
  int exit_code = 0;
  std::string started_at;
  std::string finished_at;
};

struct PodStatus {
  std::string phase = "Pending";
  std::string reason;
  std::string message;
  std::string pod_ip;
  std::string host_ip;
  std::string start_time;
  std::string nominated_node;
  std::vector<Condition> conditions;
  std::vector<ContainerStatus> containers;
  std::vector<ContainerStatus> init_containers;
};

struct Pod {
  Metadata metadata;
  PodSpec spec;
  PodStatus status;

  bool ready() const { return is_true(status.conditions, "Ready"); }
  bool terminating() const { return !metadata.deletion_timestamp.empty(); }
  bool ended() const { return status.phase == "Succeeded" || status.phase == "Failed"; }

  // Errors: kInvalid with the field.
  static Result<Pod> from(const Object& object);
};

// A named port of any container. Empty if there is none.
std::optional<std::uint16_t> find_port(const PodSpec& spec, std::string_view name);

struct PodTemplate {
  Labels labels;
  std::map<std::string, std::string> annotations;
  PodSpec spec;
};

// Reads the fields of a pod's spec out of an object that holds them, maybe among others.
PodSpec read_pod_spec(Reader& spec, Need containers = Need::kRequired);

// Reads spec.template of a workload, or any field of that form.
PodTemplate read_pod_template(Reader& parent, std::string_view field);

// What Kubernetes fills into a pod's spec. `spec` may be of the wrong type; then nothing is done.
class Defaults;
void set_pod_spec_defaults(Defaults spec);

Kind pod_kind();

}  // namespace tidegate::resource

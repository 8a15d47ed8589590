// `arena serve kserve` and `arena serve update kserve`: their flags, and what is wrong with them.
//
// Thread: values. Source: kubeflow/arena pkg/argsbuilder (serving, serving_kserve, update_serving).

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/arena/flag_set.h"

namespace tidegate::arena {

// As typed.
struct KserveFlags {
  std::string name, version, model_name, model_version;
  std::string image, image_pull_policy = "IfNotPresent";
  std::vector<std::string> image_pull_secrets;

  std::int64_t gpus = 0, gpu_memory = 0, gpu_core = 0;
  std::string cpu, memory, share_memory;
  std::vector<std::string> devices;

  std::vector<std::string> env, env_from_secret, config_files;
  std::vector<std::string> data, data_subpath, data_dirs, temp_dirs, temp_dir_subpath;

  std::vector<std::string> selectors, tolerations;
  std::string affinity_policy = "none", affinity_constraint = "preferred";

  std::vector<std::string> annotations, labels;

  std::string model_format, runtime, runtime_version, storage_uri, protocol_version;
  std::int64_t port = 0;

  std::int64_t min_replicas = 1, max_replicas = 0, replicas = 1;
  std::string scale_metric;
  std::int64_t scale_target = 0, container_concurrency = 0, timeout = 0;
  std::int64_t canary_traffic_percent = -1;

  bool enable_prometheus = false, enable_istio = false, expose_service = false;
  std::int64_t metrics_port = 8080;
  std::vector<std::string> security_context;
  std::string shell = "sh", command;
};

void add_kserve_flags(FlagSet& set, KserveFlags& flags);
// Those that an update takes; the rest keeps what it was.
void add_update_flags(FlagSet& set, KserveFlags& flags);

// For an update nothing is a matter of course: 0 and "" mean "as it is".
KserveFlags update_defaults();

using Pairs = std::map<std::string, std::string>;

struct Toleration {
  std::string key, value, effect, op;
};

struct ConfigFile {
  std::string host, folder, name;  // "/mnt/a/b.json" -> "/mnt/a", "b.json"
};

// What the flags say, taken apart.
struct Job {
  KserveFlags flags;
  std::string command;  // empty: the image's own
  Pairs env, env_from_secret, data, temp_dirs, selectors, annotations, labels, devices;
  std::map<std::string, std::int64_t> security_context;
  std::vector<Toleration> tolerations;
  std::vector<ConfigFile> config_files;
  std::string format_name, format_version;

  // The metric is none that KServe scales by, so that a HorizontalPodAutoscaler of our own is needed.
  bool custom_metric() const;
};

// Errors: kInvalid, in arena's words where it has some.
Result<Job> make_job(KserveFlags flags, const std::vector<std::string>& command_words);
// The same for an update, where an image and GPUs need not be named.
Result<Job> make_update(KserveFlags flags, const std::vector<std::string>& command_words);

}  // namespace tidegate::arena

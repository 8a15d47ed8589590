#include "cli/arena/kserve_flags.h"

#include <algorithm>
#include <charconv>

#include "base/quantity.h"

namespace tidegate::arena {
namespace {

tl::unexpected<Error> wrong(std::string message) { return fail(Code::kInvalid, std::move(message)); }

// The flags that both commands have.
void add_common_flags(FlagSet& set, KserveFlags& flags) {
  set.text("name", 0, flags.name, "the serving name");
  set.text("version", 0, flags.version, "the serving version");
  set.text("image", 0, flags.image, "the image of the serving job");
  set.integer("gpus", 0, flags.gpus, "GPUs of each replica");
  set.integer("gpumemory", 0, flags.gpu_memory, "GPU memory of each replica, in GiB");
  set.integer("gpucore", 0, flags.gpu_core, "share of a GPU's cores of each replica, a multiple of 5");
  set.text("cpu", 0, flags.cpu, "CPUs of each replica");
  set.text("memory", 0, flags.memory, "memory of each replica");
  set.integer("replicas", 0, flags.replicas, "not used by KServe jobs; see --min-replicas");
  set.list("env", 'e', flags.env, "an environment variable: NAME=VALUE");
  set.list("annotation", 'a', flags.annotations, "an annotation: KEY=VALUE");
  set.list("label", 'l', flags.labels, "a label: KEY=VALUE");
  set.list("selector", 0, flags.selectors, "a label that a node must have: KEY=VALUE");
  set.list("toleration", 0, flags.tolerations, "a taint to bear: KEY=VALUE:EFFECT,OPERATOR, KEY, or all");
  set.text("command", 0, flags.command, "the command, if it is not the last argument");
  set.text("model-format", 0, flags.model_format, "the model's format: NAME or NAME:VERSION");
  set.text("runtime", 0, flags.runtime, "the ServingRuntime or ClusterServingRuntime to use");
  set.text("storage-uri", 0, flags.storage_uri, "where the model is: pvc://CLAIM/FOLDER");
  set.text("runtime-version", 0, flags.runtime_version, "the version of the runtime's image");
  set.text("protocol-version", 0, flags.protocol_version, "v1, v2, grpc-v1 or grpc-v2");
  set.integer("min-replicas", 0, flags.min_replicas, "fewest replicas");
  set.integer("max-replicas", 0, flags.max_replicas, "most replicas");
  set.integer("scale-target", 0, flags.scale_target, "the metric's target per replica");
  set.text("scale-metric", 0, flags.scale_metric,
           "cpu, memory, concurrency, rps, or a metric of the pods such as DCGM_CUSTOM_PROCESS_SM_UTIL");
  set.integer("container-concurrency", 0, flags.container_concurrency, "requests at a time per replica");
  set.integer("timeout", 0, flags.timeout, "seconds for one request");
  set.integer("canary-traffic-percent", 0, flags.canary_traffic_percent,
              "share of requests that the newest revision gets");
}

// "a=b" pairs of a flag that may be given many times.
Result<Pairs> pairs_of(const char* flag, const std::vector<std::string>& texts) {
  Pairs pairs;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos)
      return wrong(std::string(flag) + " '" + text.substr(0, 200) + "' is not KEY=VALUE");
    pairs[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return pairs;
}

// A path in a container. "/" would hide everything else there.
Result<void> check_mount(const std::string& path) {
  if (path.find_first_not_of('/') == std::string::npos && !path.empty())
    return wrong("invalid specification: dataDir can't be '/'");
  if (!path.starts_with('/')) return wrong("invalid dataDir: '" + path.substr(0, 200) + "' must be absolute");
  return {};
}

Result<void> check_volume_name(const std::string& name) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.size() == 1)
    return wrong("volume name is too short, names should be at least two alphanumeric characters");
  const bool good = !name.empty() && is_word(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_word(c) || c == '_' || c == '.' || c == '-';
  });
  if (good) return {};
  return wrong(
      "\"" + name.substr(0, 200) +
      "\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
      "allowed. If you intended to pass a host directory, use absolute path");
}

// "claim:/path" pairs.
Result<Pairs> mounts_of(const std::vector<std::string>& texts) {
  Pairs mounts;
  for (const std::string& text : texts) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || text.find(':', colon + 1) != std::string::npos)
      return wrong("dataset " + text.substr(0, 200) + " has incorrect format, should like data_name:/data0");
    const std::string name = text.substr(0, colon);
    if (auto good = check_volume_name(name); !good) return tl::unexpected(good.error());
    if (mounts.contains(name)) return wrong("Your PVC name: " + name + " is repeated, please check it.");
    const std::string path = text.substr(colon + 1);
    if (auto good = check_mount(path); !good) return tl::unexpected(good.error());
    mounts[name] = path;
  }
  return mounts;
}

Result<std::vector<ConfigFile>> config_files_of(const std::vector<std::string>& texts) {
  std::vector<ConfigFile> files;
  for (const std::string& text : texts) {
    const std::size_t colon = text.find(':');
    if (colon != std::string::npos && text.find(':', colon + 1) != std::string::npos) {
      return wrong(
          "invalid format for assigning config file,it should be '--config-file "
          "<host_path_file>:<container_path_file>'");
    }
    const std::string host = text.substr(0, colon);
    const std::string inside = colon == std::string::npos ? host : text.substr(colon + 1);
    if (!inside.starts_with('/')) return wrong("the path of file in container must be absolute path");
    const std::size_t slash = inside.rfind('/');
    if (slash + 1 == inside.size()) return wrong("--config-file '" + text.substr(0, 200) + "' names no file");
    files.push_back({host, slash == 0 ? "/" : inside.substr(0, slash), inside.substr(slash + 1)});
  }
  return files;
}

// "key", "key=value:effect,operator", "all".
Result<std::vector<Toleration>> tolerations_of(const std::vector<std::string>& texts) {
  std::vector<Toleration> tolerations;
  for (const std::string& text : texts) {
    if (text == "all") return std::vector<Toleration>{{.key = "", .value = "", .effect = "", .op = "Exists"}};
    const std::size_t equals = text.find('=');
    const std::size_t colon = text.find(':', equals == std::string::npos ? 0 : equals);
    const std::size_t comma = text.find(',', colon == std::string::npos ? 0 : colon);
    if (equals == std::string::npos && colon == std::string::npos && !text.empty()) {
      tolerations.push_back({text, "", "", "Exists"});
    } else if (equals == std::string::npos || colon == std::string::npos || comma == std::string::npos) {
      return wrong("invalid toleration format: '" + text.substr(0, 200) +
                   "'. Expected 'key=value:effect,operator'");
    } else {
      tolerations.push_back({text.substr(0, equals), text.substr(equals + 1, colon - equals - 1),
                             text.substr(colon + 1, comma - colon - 1), text.substr(comma + 1)});
    }
  }
  return tolerations;
}

Result<std::map<std::string, std::int64_t>> security_of(const std::vector<std::string>& texts) {
  std::map<std::string, std::int64_t> context;
  const auto pairs = pairs_of("--security-context", texts);
  if (!pairs) return tl::unexpected(pairs.error());
  for (const auto& [name, value] : *pairs) {
    if (name != "runAsUser" && name != "runAsGroup" && name != "fsGroup")
      return wrong("--security-context knows runAsUser, runAsGroup and fsGroup, not " + name.substr(0, 100));
    std::int64_t number = 0;
    const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || rest != value.data() + value.size() || number < 0)
      return wrong("--security-context " + name + " is no number: " + value.substr(0, 100));
    context[name] = number;
  }
  return context;
}

Result<void> check_sizes(const KserveFlags& flags) {
  if (flags.gpus < 0) return wrong("--gpus is invalid");
  if (flags.gpu_memory < 0) return wrong("--gpumemory is invalid");
  if (flags.gpu_core < 0) return wrong("--gpucore is invalid");
  if (flags.gpu_core % 5 != 0) return wrong("GPUCore should be the multiple of 5");
  const std::pair<const char*, const std::string*> quantities[] = {
      {"--cpu", &flags.cpu}, {"--memory", &flags.memory}, {"--share-memory", &flags.share_memory}};
  for (const auto& [flag, text] : quantities) {
    const auto quantity = Quantity::parse(*text);
    if (!text->empty() && (!quantity || quantity->milli < 0)) return wrong(std::string(flag) + " is invalid");
  }
  if (flags.port < 0 || flags.port > 65535) return wrong("--port is invalid");
  if (flags.metrics_port < 1 || flags.metrics_port > 65535) return wrong("--metrics-port is invalid");
  return {};
}

Result<void> check_scaling(const KserveFlags& flags) {
  if (flags.min_replicas < -1 || flags.min_replicas > 100'000) return wrong("--min-replicas is invalid");
  if (flags.max_replicas < 0 || flags.max_replicas > 100'000) return wrong("--max-replicas is invalid");
  if (flags.scale_target < 0 || flags.scale_target > 1'000'000'000) return wrong("--scale-target is invalid");
  if (flags.max_replicas > 0 && flags.max_replicas < flags.min_replicas) {
    return wrong("--max-replicas (" + std::to_string(flags.max_replicas) +
                 ") must not be less than --min-replicas (" + std::to_string(flags.min_replicas) + ")");
  }
  if (flags.canary_traffic_percent < -1 || flags.canary_traffic_percent > 100)
    return wrong("--canary-traffic-percent is invalid; use 0 to 100");
  if (flags.container_concurrency < 0 || flags.container_concurrency > 1'000'000)
    return wrong("--container-concurrency is invalid");
  if (flags.timeout < 0 || flags.timeout > 1'000'000) return wrong("--timeout is invalid");
  return {};
}

Result<void> read_model_format(const std::string& text, Job& job) {
  const std::size_t colon = text.find(':');
  job.format_name = text.substr(0, colon);
  if (colon != std::string::npos) job.format_version = text.substr(colon + 1);
  if (job.format_version.find(':') != std::string::npos || (!text.empty() && job.format_name.empty()))
    return wrong("model format is invalid: " + text.substr(0, 200));
  return {};
}

template <typename T>
Result<void> take(T& into, Result<T> from) {
  if (!from) return tl::unexpected(from.error());
  into = *std::move(from);
  return {};
}

Result<Job> take_apart(KserveFlags flags, const std::vector<std::string>& command_words) {
  Job job;
  job.command = flags.command;
  if (!command_words.empty()) job.command.clear();
  for (const std::string& word : command_words) job.command += (job.command.empty() ? "" : " ") + word;
  Result<void> good = check_sizes(flags);
  if (good) good = check_scaling(flags);
  if (good) good = take(job.data, mounts_of(flags.data));
  if (good) good = take(job.temp_dirs, mounts_of(flags.temp_dirs));
  if (good) good = take(job.env, pairs_of("--env", flags.env));
  if (good) good = take(job.env_from_secret, pairs_of("--env-from-secret", flags.env_from_secret));
  if (good) good = take(job.annotations, pairs_of("--annotation", flags.annotations));
  if (good) good = take(job.labels, pairs_of("--label", flags.labels));
  if (good) good = take(job.selectors, pairs_of("--selector", flags.selectors));
  if (good) good = take(job.devices, pairs_of("--device", flags.devices));
  if (good) good = take(job.tolerations, tolerations_of(flags.tolerations));
  if (good) good = take(job.config_files, config_files_of(flags.config_files));
  if (good) good = take(job.security_context, security_of(flags.security_context));
  if (good) good = read_model_format(flags.model_format, job);
  if (!good) return tl::unexpected(good.error());
  job.flags = std::move(flags);
  return job;
}

}  // namespace

void add_kserve_flags(FlagSet& set, KserveFlags& flags) {
  add_common_flags(set, flags);
  set.text("model-name", 0, flags.model_name, "the model's name, as a label");
  set.text("model-version", 0, flags.model_version, "the model's version, as a label");
  set.text("image-pull-policy", 0, flags.image_pull_policy, "Always, IfNotPresent or Never");
  set.list("image-pull-secret", 0, flags.image_pull_secrets, "a secret to pull the image with");
  set.text("share-memory", 0, flags.share_memory, "size of /dev/shm");
  set.list("device", 0, flags.devices, "another device of each replica: VENDOR/RESOURCE=COUNT");
  set.list("env-from-secret", 0, flags.env_from_secret, "a variable out of a secret: NAME=SECRET");
  set.list("config-file", 0, flags.config_files, "a file of this machine in the container: FILE:/PATH");
  set.list("data", 'd', flags.data, "a claim to mount: CLAIM:/PATH");
  set.list("data-subpath-expr", 0, flags.data_subpath, "accepted; arena's chart does not use it");
  set.list("data-dir", 0, flags.data_dirs, "accepted; arena's chart does not use it");
  set.list("temp-dir", 0, flags.temp_dirs, "an empty folder: NAME:/PATH");
  set.list("temp-dir-subpath-expr", 0, flags.temp_dir_subpath, "accepted; arena's chart does not use it");
  set.text("affinity-policy", 0, flags.affinity_policy, "none, spread or binpack");
  set.text("affinity-constraint", 0, flags.affinity_constraint, "preferred or required");
  set.integer("port", 0, flags.port, "the port that the container listens on; 8080 if not said");
  set.boolean("enable-prometheus", 0, flags.enable_prometheus, "make a Service for scraping the pods");
  set.integer("metrics-port", 0, flags.metrics_port, "the port of the pods' metrics");
  set.list("security-context", 0, flags.security_context, "runAsUser=N, runAsGroup=N or fsGroup=N");
  set.boolean("enable-istio", 0, flags.enable_istio, "accepted; of no effect for KServe jobs");
  set.boolean("expose-service", 0, flags.expose_service, "accepted; of no effect for KServe jobs");
  set.text("shell", 0, flags.shell, "what runs the command: sh or bash");
}

void add_update_flags(FlagSet& set, KserveFlags& flags) { add_common_flags(set, flags); }

KserveFlags update_defaults() {
  KserveFlags flags;
  flags.min_replicas = -1;
  flags.replicas = 0;
  return flags;
}

bool Job::custom_metric() const {
  const std::string& metric = flags.scale_metric;
  return !metric.empty() && metric != "cpu" && metric != "memory" && metric != "rps" &&
         metric != "concurrency";
}

Result<Job> make_job(KserveFlags flags, const std::vector<std::string>& command_words) {
  if (flags.name.empty()) return wrong("name not set, please set it");
  // Pods bear the label app: isvc.NAME-predictor, and a label has 63 letters.
  constexpr std::size_t kNameMax = 48;
  if (flags.name.size() > kNameMax) return wrong("--name is longer than 48 letters; use a shorter one");
  if (flags.min_replicas < 0) return wrong("--min-replicas is invalid");
  auto job = take_apart(std::move(flags), command_words);
  if (!job) return job;
  if (job->format_name.empty() && job->flags.image.empty())
    return wrong("model format and image can not be empty at the same time");
  const auto one_of = [](const std::string& text, std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(), [&](const char* word) { return text == word; });
  };
  if (!one_of(job->flags.image_pull_policy, {"Always", "IfNotPresent", "Never"}))
    return wrong("--image-pull-policy is invalid; use Always, IfNotPresent or Never");
  if (!one_of(job->flags.affinity_policy, {"none", "spread", "binpack"}))
    return wrong("--affinity-policy is invalid; use none, spread or binpack");
  if (!one_of(job->flags.affinity_constraint, {"preferred", "required"}))
    return wrong("--affinity-constraint is invalid; use preferred or required");
  if (job->flags.gpus == 0 && job->flags.gpu_memory == 0 && job->flags.gpu_core == 0)
    job->env["NVIDIA_VISIBLE_DEVICES"] = "void";
  if (job->custom_metric() && job->flags.scale_target == 0)
    return wrong("--scale-target must be set and more than 0 with --scale-metric=" + job->flags.scale_metric);
  if (job->custom_metric() && job->flags.max_replicas == 0)
    return wrong("--max-replicas must be set and more than 0 with --scale-metric=" + job->flags.scale_metric);
  return job;
}

Result<Job> make_update(KserveFlags flags, const std::vector<std::string>& command_words) {
  if (flags.name.empty()) return wrong("name not set, please set it");
  if (flags.replicas < 0) return wrong("replicas not valid, must be greater than 0");
  return take_apart(std::move(flags), command_words);
}

}  // namespace tidegate::arena

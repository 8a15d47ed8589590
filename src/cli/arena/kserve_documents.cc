#include "cli/arena/kserve_documents.h"

#include <nlohmann/json.hpp>

#include "resource/fields.h"

namespace tidegate::arena {
namespace {

using resource::Json;

constexpr const char* kContainer = "kserve-container";
constexpr const char* kGpu = "nvidia.com/gpu";
constexpr const char* kGpuMemory = "aliyun.com/gpu-mem";
constexpr const char* kGpuCore = "aliyun.com/gpu-core.percentage";

// What a replica takes, as text: quantities are the API's to read.
Json amounts(const KserveFlags& flags) {
  Json amounts = Json::object();
  if (!flags.cpu.empty()) amounts["cpu"] = flags.cpu;
  if (!flags.memory.empty()) amounts["memory"] = flags.memory;
  if (flags.gpus > 0) amounts[kGpu] = std::to_string(flags.gpus);
  if (flags.gpu_memory > 0) amounts[kGpuMemory] = std::to_string(flags.gpu_memory);
  if (flags.gpu_core > 0) amounts[kGpuCore] = std::to_string(flags.gpu_core);
  return amounts;
}

Json environment(const Job& job) {
  Json list = Json::array();
  for (const auto& [name, value] : job.env) list.push_back({{"name", name}, {"value", value}});
  for (const auto& [name, secret] : job.env_from_secret) {
    list.push_back({{"name", name}, {"valueFrom", {{"secretKeyRef", {{"name", secret}, {"key", name}}}}}});
  }
  return list;
}

// One volume per folder of configuration files: "config-0", "config-1".
std::map<std::string, std::string> config_volumes(const Job& job) {
  std::map<std::string, std::string> volumes;
  for (const ConfigFile& file : job.config_files) {
    volumes.emplace(file.folder, "config-" + std::to_string(volumes.size()));
  }
  return volumes;
}

Json mounts(const Job& job) {
  Json list = Json::array();
  if (!job.flags.share_memory.empty()) list.push_back({{"name", "dshm"}, {"mountPath", "/dev/shm"}});
  for (const Pairs* pairs : {&job.data, &job.temp_dirs}) {
    for (const auto& [name, path] : *pairs) list.push_back({{"name", name}, {"mountPath", path}});
  }
  for (const auto& [folder, name] : config_volumes(job)) {
    list.push_back({{"name", name}, {"mountPath", folder}});
  }
  return list;
}

Json volumes(const Job& job) {
  Json list = Json::array();
  if (!job.flags.share_memory.empty()) {
    list.push_back(
        {{"name", "dshm"}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", job.flags.share_memory}}}});
  }
  for (const auto& [name, path] : job.data) {
    list.push_back({{"name", name}, {"persistentVolumeClaim", {{"claimName", name}}}});
  }
  for (const auto& [name, path] : job.temp_dirs)
    list.push_back({{"name", name}, {"emptyDir", Json::object()}});
  for (const auto& [folder, name] : config_volumes(job)) {
    list.push_back({{"name", name}, {"configMap", {{"name", job.flags.name + "-" + name}}}});
  }
  return list;
}

Json tolerations(const Job& job) {
  Json list = Json::array();
  for (const Toleration& toleration : job.tolerations) {
    Json entry = Json::object();
    if (!toleration.key.empty()) entry["key"] = toleration.key;
    if (!toleration.value.empty()) entry["value"] = toleration.value;
    if (!toleration.effect.empty()) entry["effect"] = toleration.effect;
    if (!toleration.op.empty()) entry["operator"] = toleration.op;
    list.push_back(std::move(entry));
  }
  return list;
}

void put_command(Json& container, const Job& job, const std::string& shell) {
  if (job.command.empty()) return;
  container["command"] = {shell, "-c", job.command};
  container.erase("args");
}

// What a container and predictor.model have in common.
void put_container(Json& container, const Job& job) {
  const KserveFlags& flags = job.flags;
  if (!flags.image.empty()) {
    container["image"] = flags.image;
    container["imagePullPolicy"] = flags.image_pull_policy;
  }
  if (Json list = environment(job); !list.empty()) container["env"] = std::move(list);
  put_command(container, job, flags.shell);
  if (flags.port != 0)
    container["ports"] = Json::array({{{"containerPort", flags.port}, {"protocol", "TCP"}}});
  Json limits = amounts(flags);
  if (!limits.empty()) container["resources"]["requests"] = limits;
  for (const auto& [name, count] : job.devices) limits[name] = count;
  if (!limits.empty()) container["resources"]["limits"] = std::move(limits);
  if (Json list = mounts(job); !list.empty()) container["volumeMounts"] = std::move(list);
}

void put_model(Json& model, const Job& job) {
  if (!job.format_name.empty()) model["modelFormat"]["name"] = job.format_name;
  if (!job.format_version.empty()) model["modelFormat"]["version"] = job.format_version;
  const std::pair<const char*, const std::string*> fields[] = {
      {"runtime", &job.flags.runtime},
      {"storageUri", &job.flags.storage_uri},
      {"runtimeVersion", &job.flags.runtime_version},
      {"protocolVersion", &job.flags.protocol_version}};
  for (const auto& [field, value] : fields) {
    if (!value->empty()) model[field] = *value;
  }
}

// spread: replicas keep apart from each other; binpack: they keep together.
Json affinity(const Job& job) {
  Json term = {
      {"topologyKey", "kubernetes.io/hostname"},
      {"labelSelector", {{"matchLabels", {{kNameLabel, job.flags.name}, {kTypeLabel, kServingType}}}}}};
  Json terms;
  if (job.flags.affinity_constraint == "required") {
    terms["requiredDuringSchedulingIgnoredDuringExecution"] = Json::array({std::move(term)});
  } else {
    terms["preferredDuringSchedulingIgnoredDuringExecution"] =
        Json::array({{{"weight", 100}, {"podAffinityTerm", std::move(term)}}});
  }
  return {{job.flags.affinity_policy == "spread" ? "podAntiAffinity" : "podAffinity", std::move(terms)}};
}

void put_pod(Json& predictor, const Job& job) {
  if (job.flags.affinity_policy != "none") predictor["affinity"] = affinity(job);
  for (const auto& [name, value] : job.security_context) predictor["securityContext"][name] = value;
  for (const auto& [name, value] : job.selectors) predictor["nodeSelector"][name] = value;
  if (Json list = tolerations(job); !list.empty()) predictor["tolerations"] = std::move(list);
  for (const std::string& secret : job.flags.image_pull_secrets) {
    predictor["imagePullSecrets"].push_back({{"name", secret}});
  }
  if (Json list = volumes(job); !list.empty()) predictor["volumes"] = std::move(list);
}

// The fields by which KServe scales; those that were not given are left to it.
void put_scaling(Json& predictor, const KserveFlags& flags) {
  if (flags.min_replicas >= 0) predictor["minReplicas"] = flags.min_replicas;
  if (flags.max_replicas > 0) predictor["maxReplicas"] = flags.max_replicas;
  if (flags.scale_target > 0) predictor["scaleTarget"] = flags.scale_target;
  if (!flags.scale_metric.empty()) predictor["scaleMetric"] = flags.scale_metric;
}

void put_limits(Json& predictor, const KserveFlags& flags) {
  if (flags.container_concurrency > 0) predictor["containerConcurrency"] = flags.container_concurrency;
  if (flags.timeout > 0) predictor["timeout"] = flags.timeout;
  if (flags.canary_traffic_percent >= 0) predictor["canaryTrafficPercent"] = flags.canary_traffic_percent;
}

Json metadata(const std::string& name, const std::string& namespace_) {
  return {{"name", name}, {"namespace", namespace_}};
}

Json labels_of(const Job& job) {
  Json labels = {{"heritage", "Helm"}, {"release", job.flags.name}, {"chart", "kserve-0.1.0"},
                 {"app", "kserve"},    {kTypeLabel, kServingType},  {kNameLabel, job.flags.name}};
  if (!job.flags.model_name.empty()) labels["modelName"] = job.flags.model_name;
  if (!job.flags.model_version.empty()) labels["modelVersion"] = job.flags.model_version;
  for (const auto& [name, value] : job.labels) labels[name] = value;
  return labels;
}

Json service_of(const Job& job, const std::string& namespace_) {
  Json document = {{"apiVersion", "serving.kserve.io/v1beta1"}, {"kind", "InferenceService"}};
  document["metadata"] = metadata(job.flags.name, namespace_);
  document["metadata"]["labels"] = labels_of(job);
  Json annotations = Json::object();
  for (const auto& [name, value] : job.annotations) annotations[name] = value;
  if (job.custom_metric()) annotations["serving.kserve.io/autoscalerClass"] = "external";
  if (job.flags.enable_prometheus) annotations["serving.kserve.io/enable-prometheus-scraping"] = "true";
  if (!annotations.empty()) document["metadata"]["annotations"] = std::move(annotations);
  Json& predictor = document["spec"]["predictor"];
  put_pod(predictor, job);
  if (!job.custom_metric()) put_scaling(predictor, job.flags);
  put_limits(predictor, job.flags);
  if (job.format_name.empty()) {
    Json container = {{"name", kContainer}};
    put_container(container, job);
    predictor["containers"] = Json::array({std::move(container)});
  } else {
    put_model(predictor["model"], job);
    put_container(predictor["model"], job);
  }
  return document;
}

Json autoscaler_of(const Job& job, const std::string& namespace_) {
  const std::string& name = job.flags.name;
  Json document = {{"apiVersion", "autoscaling/v2"}, {"kind", "HorizontalPodAutoscaler"}};
  document["metadata"] = metadata(autoscaler_name(name), namespace_);
  // The chart says type Utilization, which means nothing for a metric of pods; the API reads averageValue.
  const Json target = {{"type", "AverageValue"}, {"averageValue", std::to_string(job.flags.scale_target)}};
  Json metric = {{"type", "Pods"},
                 {"pods", {{"metric", {{"name", job.flags.scale_metric}}}, {"target", target}}}};
  document["spec"] = {
      {"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", name + "-predictor"}}},
      {"minReplicas", job.flags.min_replicas},
      {"maxReplicas", job.flags.max_replicas},
      {"metrics", Json::array({std::move(metric)})}};
  return document;
}

Json metrics_service(const Job& job, const std::string& namespace_) {
  Json document = {{"apiVersion", "v1"}, {"kind", "Service"}};
  document["metadata"] = metadata(job.flags.name + "-metric-svc", namespace_);
  document["metadata"]["labels"]["isvc"] = job.flags.name;
  Json port = {{"name", "metric"},
               {"protocol", "TCP"},
               {"port", job.flags.metrics_port},
               {"targetPort", job.flags.metrics_port}};
  document["spec"] = {{"selector", {{"serving.kserve.io/inferenceservice", job.flags.name}}},
                      {"ports", Json::array({std::move(port)})}};
  return document;
}

// Variables of the same name are replaced.
void put_environment(Json& container, const Job& update) {
  for (const Json& wanted : environment(update)) {
    Json& list = container["env"];
    bool found = false;
    for (Json& present : list) {
      if (present["name"] != wanted["name"]) continue;
      present = wanted;
      found = true;
    }
    if (!found) list.push_back(wanted);
  }
}

// One way to have a GPU replaces another.
void put_amounts(Json& container, const KserveFlags& flags) {
  const Json wanted = amounts(flags);
  if (wanted.empty()) return;
  for (const char* side : {"requests", "limits"}) {
    Json& present = container["resources"][side];
    if (flags.gpus > 0) {
      present.erase(kGpuMemory);
      present.erase(kGpuCore);
    } else if (flags.gpu_memory > 0 || flags.gpu_core > 0) {
      present.erase(kGpu);
    }
    for (const auto& [name, value] : wanted.items()) present[name] = value;
  }
}

Json& container_of(Json& predictor) {
  if (predictor.contains("model")) return predictor["model"];
  for (Json& container : predictor["containers"]) {
    if (resource::text(container, "name") == kContainer) return container;
  }
  return predictor["containers"].front();
}

}  // namespace

std::string autoscaler_name(const std::string& job_name) { return job_name + "-hpa"; }

std::vector<Json> documents_of(const Job& job, const std::string& namespace_,
                               const std::vector<std::string>& contents) {
  std::vector<Json> documents = {service_of(job, namespace_)};
  for (const auto& [folder, volume] : config_volumes(job)) {
    Json map = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}};
    map["metadata"] = metadata(job.flags.name + "-" + volume, namespace_);
    for (std::size_t i = 0; i < job.config_files.size() && i < contents.size(); ++i) {
      if (job.config_files[i].folder == folder) map["data"][job.config_files[i].name] = contents[i];
    }
    documents.push_back(std::move(map));
  }
  if (job.custom_metric()) documents.push_back(autoscaler_of(job, namespace_));
  if (job.flags.enable_prometheus) documents.push_back(metrics_service(job, namespace_));
  return documents;
}

Json updated(Json service, const Job& update) {
  for (const auto& [name, value] : update.annotations) service["metadata"]["annotations"][name] = value;
  for (const auto& [name, value] : update.labels) service["metadata"]["labels"][name] = value;
  const bool external =
      resource::text_map(service, "metadata.annotations")["serving.kserve.io/autoscalerClass"] == "external";
  Json& predictor = service["spec"]["predictor"];
  for (const auto& [name, value] : update.selectors) predictor["nodeSelector"][name] = value;
  for (const Json& toleration : tolerations(update)) predictor["tolerations"].push_back(toleration);
  if (!external) put_scaling(predictor, update.flags);
  put_limits(predictor, update.flags);
  if (predictor.contains("model")) put_model(predictor["model"], update);
  Json& container = container_of(predictor);
  if (!update.flags.image.empty()) container["image"] = update.flags.image;
  put_environment(container, update);
  put_amounts(container, update.flags);
  std::string shell = "sh";
  if (const Json* words = resource::find_array(container, "command");
      words != nullptr && !words->empty() && words->front().is_string()) {
    shell = words->front().get<std::string>();
  }
  put_command(container, update, shell);
  return service;
}

Json updated_autoscaler(Json autoscaler, const Job& update) {
  Json& spec = autoscaler["spec"];
  if (update.flags.min_replicas >= 0) spec["minReplicas"] = update.flags.min_replicas;
  if (update.flags.max_replicas > 0) spec["maxReplicas"] = update.flags.max_replicas;
  const Json* metrics = resource::find_array(autoscaler, "spec.metrics");
  if (metrics == nullptr || metrics->empty()) return autoscaler;
  Json& pods = spec["metrics"][0]["pods"];
  if (!update.flags.scale_metric.empty()) pods["metric"]["name"] = update.flags.scale_metric;
  if (update.flags.scale_target > 0)
    pods["target"] = {{"type", "AverageValue"}, {"averageValue", std::to_string(update.flags.scale_target)}};
  return autoscaler;
}

}  // namespace tidegate::arena

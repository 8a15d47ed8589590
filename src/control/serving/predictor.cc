#include "control/serving/predictor.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/apply.h"
#include "control/serving/llm.h"
#include "resource/fields.h"

namespace tidegate::serving {
namespace {

using resource::InferenceService;
using resource::Json;
using resource::ServedModel;
using resource::ServingRuntime;

bool supports(const ServingRuntime& runtime, const ServedModel& model) {
  if (runtime.disabled) return false;
  if (!model.runtime.empty()) return runtime.metadata.name == model.runtime;
  return std::any_of(runtime.formats.begin(), runtime.formats.end(),
                     [&](const ServingRuntime::Format& format) {
                       return format.auto_select && format.name == model.format &&
                              (model.format_version.empty() || format.version.empty() ||
                               format.version == model.format_version);
                     });
}

// What KServe's own runtime for language models does, with the engine this installation names.
Json engine_container(const resource::Object& object, const Settings& settings) {
  return {{"name", kContainerName},
          {"image", settings.engine_image},
          {"command", {"python3", "-m", "vllm.entrypoints.openai.api_server"}},
          {"args",
           {"--port", std::to_string(kContainerPort), "--model", kModelFolder, "--served-model-name",
            object.name()}},
          {"ports", Json::array({{{"containerPort", kContainerPort}, {"protocol", "TCP"}}})}};
}

// Members of `over` win; objects are merged, lists of the model's container are appended to the runtime's.
void merge_container(Json& under, const Json& over) {
  for (const auto& [name, value] : over.items()) {
    Json& target = under[name];
    if (target.is_object() && value.is_object()) {
      merge_container(target, value);
    } else if (target.is_array() && value.is_array() && (name == "args" || name == "env")) {
      for (const Json& item : value) target.push_back(item);
    } else {
      target = value;
    }
  }
}

Result<Json> runtime_spec(const resource::Object& object, const ServedModel& model,
                          const std::vector<resource::ObjectPtr>& runtimes, const Settings& settings) {
  for (const resource::ObjectPtr& candidate : runtimes) {
    const auto runtime = ServingRuntime::from(*candidate);
    if (!runtime || !supports(*runtime, model)) continue;
    Json spec = *resource::find(candidate->json(), "spec");
    for (const char* field : {"supportedModelFormats", "disabled", "protocolVersions", "multiModel",
                              "annotations", "labels", "builtInAdapter", "workerSpec"}) {
      spec.erase(field);
    }
    return spec;
  }
  const bool ours = model.format == "vllm" || model.format == "huggingface";
  if (ours && model.runtime.empty())
    return Json{{"containers", Json::array({engine_container(object, settings)})}};
  if (!model.runtime.empty()) {
    return invalid(
        "spec.predictor.model.runtime",
        "names \"" + model.runtime + "\", which is no ServingRuntime of this namespace or the cluster");
  }
  return invalid(
      "spec.predictor.model.modelFormat.name",
      "is \"" + model.format + "\", which no ServingRuntime supports; make one, or use vllm or huggingface");
}

// The container that serves: the one of KServe's name, else the first.
Json& serving_container(Json& spec) {
  Json& containers = spec["containers"];
  for (Json& container : containers) {
    if (resource::text(container, "name") == kContainerName) return container;
  }
  return containers.front();
}

// The folder that settings name for a URI, or for one above it; empty if there is none.
std::string folder_of(const std::string& uri, const Settings& settings) {
  for (const auto& [known, folder] : settings.storage) {
    const std::string above = known.ends_with('/') ? known : known + "/";
    if (uri == known) return folder;
    if (uri.starts_with(above) && uri.find("/../") == std::string::npos && !uri.ends_with("/.."))
      return folder + "/" + uri.substr(above.size());
  }
  return {};
}

Result<void> mount_storage(Json& spec, const std::string& uri, const std::string& field,
                           const Settings& settings) {
  constexpr std::string_view kClaim = "pvc://";
  const std::string folder = folder_of(uri, settings);
  if (!folder.empty()) {
    spec["volumes"].push_back({{"name", "model"}, {"hostPath", {{"path", folder}}}});
    serving_container(spec)["volumeMounts"].push_back(
        {{"name", "model"}, {"mountPath", kModelFolder}, {"readOnly", true}});
    return {};
  }
  if (!uri.starts_with(kClaim)) {
    return invalid(field, "is \"" + uri.substr(0, 100) +
                              "\"; nothing here downloads models: put the files on a claim and use "
                              "pvc://claim/folder, or start with --storage " +
                              uri.substr(0, 100) + "=DIR");
  }
  const std::string rest = uri.substr(kClaim.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  Json mount = {{"name", "kserve-pvc-source"}, {"mountPath", kModelFolder}, {"readOnly", true}};
  if (slash + 1 < rest.size()) mount["subPath"] = rest.substr(slash + 1);
  spec["volumes"].push_back(
      {{"name", "kserve-pvc-source"}, {"persistentVolumeClaim", {{"claimName", rest.substr(0, slash)}}}});
  serving_container(spec)["volumeMounts"].push_back(std::move(mount));
  return {};
}

Result<Json> pod_spec(const resource::Object& object, const InferenceService& service,
                      const std::vector<resource::ObjectPtr>& runtimes, const Settings& settings) {
  Json own = *resource::find(object.json(), "spec.predictor");
  Json model = own.contains("model") ? own["model"] : Json::object();
  for (const std::string_view field : resource::predictor_fields()) own.erase(std::string(field));
  if (!service.predictor.model) return own;

  Result<Json> spec = runtime_spec(object, *service.predictor.model, runtimes, settings);
  if (!spec) return spec;
  for (const auto& [name, value] : own.items()) (*spec)[name] = value;
  for (const char* field :
       {"modelFormat", "runtime", "runtimeVersion", "storageUri", "storage", "protocolVersion"}) {
    model.erase(field);
  }
  merge_container(serving_container(*spec), model);
  if (!service.predictor.model->storage_uri.empty()) {
    if (auto mounted =
            mount_storage(*spec, service.predictor.model->storage_uri,
                          is_llm(object) ? "spec.model.uri" : "spec.predictor.model.storageUri", settings);
        !mounted) {
      return tl::unexpected(mounted.error());
    }
  }
  return spec;
}

Json labels_of(const resource::Object& object, const InferenceService& service) {
  Json labels = Json::object();
  for (const auto& [name, value] : object.metadata().labels) labels[name] = value;
  for (const auto& [name, value] : service.predictor.labels) labels[name] = value;
  labels["serving.kserve.io/inferenceservice"] = object.name();
  labels["component"] = "predictor";
  return labels;
}

// The service's own annotations but those that are about the service itself.
Json annotations_of(const resource::Object& object, const InferenceService& service) {
  Json annotations = Json::object();
  for (const auto& [name, value] : object.metadata().annotations) {
    const bool about_service =
        name.starts_with("kubectl.kubernetes.io/") || name.starts_with("tidegate.dev/applied-") ||
        name == resource::kAutoscalerClassAnnotation || name == resource::kStopAnnotation;
    if (!about_service) annotations[name] = value;
  }
  for (const auto& [name, value] : service.predictor.annotations) annotations[name] = value;
  return annotations;
}

// What a container leaves out. Its port: KServe sends requests to 8080 then, and whoever reads the pod's
// metrics has to find it. Its readiness, as in KServe's raw mode: ready once the port accepts. Asked more
// often than KServe does (10 s), because a replica that waits for the next question is paid for.
void fill_in(Json& container, int port) {
  if (const Json* ports = resource::find_array(container, "ports"); ports == nullptr || ports->empty())
    container["ports"] = Json::array({{{"containerPort", port}, {"protocol", "TCP"}}});
  if (container.contains("readinessProbe")) return;
  container["readinessProbe"] = {
      {"tcpSocket", {{"port", port}}}, {"periodSeconds", 1}, {"failureThreshold", 10}};
}

int first_port(const Json& spec) {
  const Json* containers = resource::find_array(spec, "containers");
  if (containers == nullptr) return kContainerPort;
  for (const Json& container : *containers) {
    const Json* ports = resource::find_array(container, "ports");
    if (ports == nullptr || ports->empty()) continue;
    return static_cast<int>(resource::number(ports->front(), "containerPort", kContainerPort));
  }
  return kContainerPort;
}

}  // namespace

Result<PodTemplateJson> make_template(const resource::Object& object, const InferenceService& service,
                                      const std::vector<resource::ObjectPtr>& runtimes,
                                      const Settings& settings) {
  Result<Json> spec = pod_spec(object, service, runtimes, settings);
  if (!spec) return tl::unexpected(spec.error());
  PodTemplateJson result;
  result.port = first_port(*spec);
  if (resource::find_array(*spec, "containers") != nullptr) fill_in(serving_container(*spec), result.port);
  Json json = Json::object();
  json["metadata"]["labels"] = labels_of(object, service);
  Json annotations = annotations_of(object, service);
  if (!annotations.empty()) json["metadata"]["annotations"] = std::move(annotations);
  json["spec"] = *std::move(spec);
  result.revision = cluster::digest(json).substr(0, 5);
  result.json = std::make_shared<const Json>(std::move(json));
  return result;
}

}  // namespace tidegate::serving

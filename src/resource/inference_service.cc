#include "resource/inference_service.h"

#include "resource/container.h"
#include "resource/defaults.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kReplicas = {.min = 0, .max = 100'000};

int as_int(std::optional<std::int64_t> number, int otherwise) {
  return number ? static_cast<int>(*number) : otherwise;
}

std::string_view storage_uri(std::string_view text) {
  if (text.find("://") != std::string_view::npos) return {};
  return "use scheme://..., as pvc://claim/folder";
}

ServedModel read_model(Reader& reader) {
  ServedModel model;
  reader.open();
  Reader format(reader, "modelFormat", Need::kRequired);
  model.format = format.text("name", {.need = Need::kRequired, .max = 63});
  model.format_version = format.text("version", {.max = 63});
  model.runtime = reader.text("runtime", {.syntax = dns_subdomain});
  model.storage_uri = reader.text("storageUri", {.max = 1024, .syntax = storage_uri});
  reader.ignore({"storage", "runtimeVersion", "protocolVersion"});
  return model;
}

void check_scale(Reader& reader, const Predictor& predictor) {
  if (predictor.max_replicas != 0 && predictor.max_replicas < predictor.min_replicas) {
    reader.wrong("maxReplicas", "is " + std::to_string(predictor.max_replicas) + ", less than minReplicas (" +
                                    std::to_string(predictor.min_replicas) + "); use at least that");
  }
}

Predictor read_predictor(Reader& reader) {
  Predictor predictor;
  predictor.spec = read_pod_spec(reader, Need::kOptional);
  if (reader.has("model")) {
    Reader model(reader, "model");
    predictor.model = read_model(model);
  } else if (reader.present() && predictor.spec.containers.empty() && reader.findings().errors.empty()) {
    reader.wrong("containers", "is missing, and so is model; give one of them");
  }
  predictor.labels = reader.text_map("labels", Need::kOptional, label_key, label_value);
  predictor.annotations = reader.text_map("annotations", Need::kOptional, label_key);
  predictor.min_replicas = as_int(reader.integer("minReplicas", kReplicas), 1);
  predictor.max_replicas = as_int(reader.integer("maxReplicas", kReplicas), 0);
  static const std::vector<std::string_view> kMetrics = {"cpu", "memory", "concurrency", "rps"};
  const int metric = reader.choice_index("scaleMetric", kMetrics);
  if (metric >= 0) predictor.scale_metric = kMetrics[static_cast<std::size_t>(metric)];
  if (const auto target = reader.integer("scaleTarget", {.min = 1, .max = kInt32Max})) {
    predictor.scale_target = static_cast<int>(*target);
  }
  if (const auto percent = reader.integer("canaryTrafficPercent", {.min = 0, .max = 100})) {
    predictor.canary_percent = static_cast<int>(*percent);
  }
  reader.integer("containerConcurrency", {.min = 0, .max = kInt32Max});
  reader.integer("timeout", {.min = 0, .max = kInt32Max});
  check_scale(reader, predictor);
  return predictor;
}

AutoscalerClass read_class(Reader& annotations) {
  return annotations.choice<AutoscalerClass>(kAutoscalerClassAnnotation,
                                             {{"hpa", AutoscalerClass::kHpa},
                                              {"external", AutoscalerClass::kExternal},
                                              {"keda", AutoscalerClass::kExternal},
                                              {"none", AutoscalerClass::kNone}},
                                             AutoscalerClass::kHpa);
}

InferenceService read_service(Reader& root) {
  InferenceService service;
  {
    Reader metadata(root, "metadata");
    metadata.open();
    Reader annotations(metadata, "annotations");
    annotations.open();
    service.autoscaler = read_class(annotations);
    service.stopped = annotations.text(kStopAnnotation) == "true";
  }
  Reader spec(root, "spec", Need::kRequired);
  for (const std::string_view part : {"transformer", "explainer"}) {
    if (spec.has(part)) spec.wrong(part, "is not run here; serve it as an InferenceService of its own");
  }
  Reader predictor(spec, "predictor", Need::kRequired);
  service.predictor = read_predictor(predictor);
  return service;
}

ServingRuntime read_runtime(Reader& root) {
  ServingRuntime runtime;
  Reader spec(root, "spec", Need::kRequired);
  read_pod_spec(spec);
  spec.each("supportedModelFormats", {.max = 100}, [&](Reader& item) {
    item.open();
    ServingRuntime::Format format;
    format.name = item.text("name", {.need = Need::kRequired, .max = 63});
    format.version = item.text("version", {.max = 63});
    format.auto_select = item.boolean("autoSelect").value_or(false);
    runtime.formats.push_back(std::move(format));
  });
  runtime.disabled = spec.boolean("disabled").value_or(false);
  return runtime;
}

void set_service_defaults(Json& document) {
  Defaults predictor = Defaults(document).at("spec").at("predictor");
  predictor.each("initContainers", set_container_defaults);
  predictor.each("containers", set_container_defaults);
}

void validate_service(const Json& document, Findings& findings) {
  check_document(document, findings, read_service);
}
void validate_runtime(const Json& document, Findings& findings) {
  check_document(document, findings, read_runtime);
}

}  // namespace

const std::vector<std::string_view>& predictor_fields() {
  static const std::vector<std::string_view> kFields = {"model",
                                                        "labels",
                                                        "annotations",
                                                        "minReplicas",
                                                        "maxReplicas",
                                                        "scaleMetric",
                                                        "scaleTarget",
                                                        "scaleMetricType",
                                                        "canaryTrafficPercent",
                                                        "containerConcurrency",
                                                        "timeout",
                                                        "autoScaling",
                                                        "deploymentStrategy",
                                                        "batcher",
                                                        "logger",
                                                        "workerSpec",
                                                        "minReadySeconds"};
  return kFields;
}

Result<InferenceService> InferenceService::from(const Object& object) {
  auto service = read_view(object.json(), read_service);
  if (service) service->metadata = object.metadata();
  return service;
}

Result<ServingRuntime> ServingRuntime::from(const Object& object) {
  auto runtime = read_view(object.json(), read_runtime);
  if (runtime) runtime->metadata = object.metadata();
  return runtime;
}

Kind inference_service_kind() {
  return {.group = kServingGroup,
          .kind = "InferenceService",
          .plural = "inferenceservices",
          .singular = "inferenceservice",
          .versions = {"v1beta1"},
          .short_names = {"isvc"},
          .set_defaults = set_service_defaults,
          .validate = validate_service};
}

Kind serving_runtime_kind() {
  return {.group = kServingGroup,
          .kind = "ServingRuntime",
          .plural = "servingruntimes",
          .singular = "servingruntime",
          .versions = {"v1alpha1"},
          .short_names = {},
          .has_status = false,
          .validate = validate_runtime};
}

Kind cluster_serving_runtime_kind() {
  Kind kind = serving_runtime_kind();
  kind.kind = "ClusterServingRuntime";
  kind.plural = "clusterservingruntimes";
  kind.singular = "clusterservingruntime";
  kind.namespaced = false;
  return kind;
}

}  // namespace tidegate::resource

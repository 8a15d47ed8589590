#include "resource/llm_inference_service.h"

#include "resource/inference_service.h"
#include "resource/reader.h"

namespace tidegate::resource {
namespace {

constexpr IntegerRule kReplicas = {.min = 0, .max = 100'000};

std::string_view model_uri(std::string_view text) {
  if (text.find("://") != std::string_view::npos) return {};
  return "use scheme://..., as pvc://claim/folder";
}

void read_model(Reader& spec, LlmInferenceService& service) {
  Reader model(spec, "model", Need::kRequired);
  service.uri = model.text("uri", {.need = Need::kRequired, .max = 1024, .syntax = model_uri});
  service.name = model.text("name", {.max = 253});
  model.ignore({"criticality", "storage"});
  Reader lora(model, "lora");
  lora.each("adapters", {.max = 1000}, [&](Reader& item) {
    item.ignore({"framework", "storage"});
    LlmInferenceService::Adapter adapter;
    adapter.name = item.text("name", {.need = Need::kRequired, .min = 1, .max = 253});
    adapter.uri = item.text("uri", {.need = Need::kRequired, .max = 1024, .syntax = model_uri});
    if (!adapter.uri.empty() && !adapter.uri.starts_with("pvc://"))
      item.wrong("uri", "is no pvc://claim/folder, from where adapters are served here");
    service.adapters.push_back(std::move(adapter));
  });
}

void read_scaling(Reader& spec, LlmInferenceService& service) {
  const auto replicas = spec.integer("replicas", kReplicas);
  if (replicas) service.replicas = static_cast<int>(*replicas);
  Reader scaling(spec, "scaling");
  scaling.open();  // wva, keda: who else could scale it
  const auto min = scaling.integer("minReplicas", {.min = 1, .max = kReplicas.max});
  const auto max = scaling.integer("maxReplicas", {.min = 1, .max = kReplicas.max, .need = Need::kRequired});
  if (!max) return;
  if (replicas) spec.wrong("scaling", "and replicas are both set; use one of them");
  service.min_replicas = static_cast<int>(min.value_or(1));
  service.max_replicas = static_cast<int>(*max);
  if (*service.max_replicas < *service.min_replicas)
    scaling.wrong("maxReplicas", "is less than minReplicas; use at least that many");
}

// A pod's spec of which anything may be left out: what it changes is given a pod to change later. Checked is
// what that looks at.
void read_template(Reader& spec) {
  Reader pods(spec, "template");
  pods.open();
  const auto open = [](Reader& item) { item.open(); };
  pods.each("volumes", {.max = 1000}, open);
  pods.each("containers", {.max = 100}, [&](Reader& container) {
    container.open();
    container.text("name");
    container.texts("args", {.max = 10'000});
    container.each("env", {.max = 10'000}, open);
    container.each("volumeMounts", {.max = 1000}, open);
  });
}

LlmInferenceService read_service(Reader& root) {
  LlmInferenceService service;
  Reader spec(root, "spec", Need::kRequired);
  read_model(spec, service);
  read_scaling(spec, service);
  read_template(spec);
  Reader parallelism(spec, "parallelism");
  parallelism.open();
  if (const auto tensor = parallelism.integer("tensor", {.min = 1, .max = 1024})) {
    service.tensor_parallel = static_cast<int>(*tensor);
  }
  spec.ignore({"router", "tracing", "kvCacheOffloading", "storageInitializer", "labels", "annotations"});
  for (const std::string_view part : {"worker", "prefill"}) {
    if (spec.has(part)) spec.wrong(part, "is not run here; leave it out to serve each replica by one pod");
  }
  if (spec.has("baseRefs"))
    spec.wrong("baseRefs", "are not resolved here; write what they bring into the object");
  return service;
}

void validate(const Json& document, Findings& findings) { check_document(document, findings, read_service); }

}  // namespace

Result<LlmInferenceService> LlmInferenceService::from(const Object& object) {
  auto service = read_view(object.json(), read_service);
  if (service) service->metadata = object.metadata();
  return service;
}

Kind llm_inference_service_kind() {
  return {.group = kServingGroup,
          .kind = kLlmServiceKind,
          .plural = "llminferenceservices",
          .singular = "llminferenceservice",
          .versions = {"v1alpha2", "v1alpha1"},
          .short_names = {"llmisvc"},
          .validate = validate};
}

}  // namespace tidegate::resource

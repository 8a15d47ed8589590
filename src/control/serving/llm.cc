#include "control/serving/llm.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/serving/predictor.h"
#include "resource/fields.h"
#include "resource/inference_service.h"
#include "resource/llm_inference_service.h"

namespace tidegate::serving {
namespace {

using resource::Json;
using resource::LlmInferenceService;

constexpr const char* kMain = "main";  // the container of the template that serves

// Takes the serving container out of the pods' template; the others stay.
Json take_main(Json& pods) {
  if (!pods.contains("containers") || !pods["containers"].is_array()) return Json::object();
  Json& containers = pods["containers"];
  const auto found = std::find_if(containers.begin(), containers.end(), [](const Json& container) {
    const std::string name = resource::text(container, "name");
    return name == kMain || name == kContainerName;
  });
  if (found == containers.end()) return Json::object();
  Json main = *found;
  containers.erase(found);
  if (containers.empty()) pods.erase("containers");
  main.erase("name");
  return main;
}

// Each adapter lies in a claim of its own; "pvc://claim/folder" is mounted at /mnt/lora/NUMBER.
void mount_adapters(const LlmInferenceService& service, Json& pods, Json& main, Json& args) {
  if (service.adapters.empty()) return;
  args.push_back("--enable-lora");
  args.push_back("--lora-modules");
  int number = 0;
  for (const LlmInferenceService::Adapter& adapter : service.adapters) {
    const std::string index = std::to_string(number++);
    const std::string volume = "lora-" + index;
    const std::string path = "/mnt/lora/" + index;
    const std::string rest = adapter.uri.substr(std::string_view("pvc://").size());
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    Json mount = {{"name", volume}, {"mountPath", path}, {"readOnly", true}};
    if (slash + 1 < rest.size()) mount["subPath"] = rest.substr(slash + 1);
    pods["volumes"].push_back(
        {{"name", volume}, {"persistentVolumeClaim", {{"claimName", rest.substr(0, slash)}}}});
    main["volumeMounts"].push_back(std::move(mount));
    args.push_back(adapter.name + "=" + path);
  }
}

Json predictor_of(const resource::Object& object, const LlmInferenceService& service) {
  const Json* written = resource::find(object.json(), "spec.template");
  Json predictor = written != nullptr ? *written : Json::object();
  Json main = take_main(predictor);
  Json args = Json::array();
  if (!service.name.empty() && service.name != object.name()) {
    args.push_back("--served-model-name");
    args.push_back(service.name);
  }
  if (service.tensor_parallel > 1) {
    args.push_back("--tensor-parallel-size");
    args.push_back(std::to_string(service.tensor_parallel));
  }
  mount_adapters(service, predictor, main, args);
  if (main.contains("args")) {
    for (const Json& word : main["args"]) args.push_back(word);
  }
  main["args"] = std::move(args);
  main["modelFormat"] = {{"name", "vllm"}};
  main["storageUri"] = service.uri;
  predictor["model"] = std::move(main);
  predictor["minReplicas"] = service.min_replicas.value_or(service.replicas);
  if (service.max_replicas) {
    predictor["maxReplicas"] = *service.max_replicas;
    predictor["scaleMetric"] = "concurrency";
  }
  return predictor;
}

}  // namespace

bool is_llm(const resource::Object& object) { return object.kind() == resource::kLlmServiceKind; }

Result<resource::ObjectPtr> as_inference_service(const resource::Object& object) {
  const auto service = LlmInferenceService::from(object);
  if (!service) return tl::unexpected(service.error());
  Json document = object.json();
  document["spec"] = Json{{"predictor", predictor_of(object, *service)}};
  if (!service->max_replicas) {
    document["metadata"]["annotations"][std::string(resource::kAutoscalerClassAnnotation)] = "none";
  }
  return resource::Object::make(std::move(document));
}

}  // namespace tidegate::serving

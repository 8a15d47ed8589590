// From an InferenceService to the pods it asks for: the predictor's spec with the model's runtime merged in,
// storage mounted, and KServe's labels.
//
// Thread: pure.
// Source: kserve/kserve pkg/controller/v1beta1/inferenceservice/components/predictor.go.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/serving/settings.h"
#include "resource/inference_service.h"
#include "resource/object.h"

namespace tidegate::serving {

// Where storageUri appears inside the container.
inline constexpr const char* kModelFolder = "/mnt/models";
inline constexpr const char* kContainerName = "kserve-container";
inline constexpr int kContainerPort = 8080;  // where the container names none

struct PodTemplateJson {
  std::shared_ptr<const resource::Json> json;  // {"metadata": ..., "spec": ...}, without the app label
  std::string revision;                        // five letters that change when the template does
  int port = kContainerPort;                   // the first container's first
};

// `runtimes` are the ServingRuntimes of the namespace and the cluster, in the order of preference.
// Errors: kInvalid if no runtime supports the model's format, or the storage cannot be reached from here.
Result<PodTemplateJson> make_template(const resource::Object& object,
                                      const resource::InferenceService& service,
                                      const std::vector<resource::ObjectPtr>& runtimes,
                                      const Settings& settings);

}  // namespace tidegate::serving

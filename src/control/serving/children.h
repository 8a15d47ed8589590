// The objects that an InferenceService becomes: Deployment, Service, HorizontalPodAutoscaler and Ingress.
//
// Every child carries kSpecAnnotation, a digest of what was asked for, so that a change in what is asked for
// can be told from what others added (defaults, replicas set by an autoscaler).
//
// Thread: pure.
// Source: kserve/kserve pkg/controller/v1beta1/inferenceservice/reconcilers (deployment, service, hpa,
// ingress).

#pragma once

#include <string>

#include "control/serving/predictor.h"
#include "control/serving/settings.h"
#include "resource/inference_service.h"
#include "resource/object.h"

namespace tidegate::serving {

inline constexpr const char* kSpecAnnotation = "tidegate.dev/spec-digest";
inline constexpr const char* kRevisionAnnotation = "serving.kserve.io/revision";

// One set of pods of a service: the one that is rolled out, or the canary beside it.
struct Track {
  std::string name;  // of Deployment and Service: "qwen-chat-predictor", "qwen-chat-predictor-canary"
  const PodTemplateJson* pods = nullptr;
};

std::string stable_name(const resource::Object& owner);
std::string canary_name(const resource::Object& owner);

// The label by which a track's pods are selected: app = "isvc.qwen-chat-predictor".
std::string app_of(const Track& track);

resource::Json deployment(const resource::Object& owner, const resource::InferenceService& service,
                          const Track& track);
resource::Json service(const resource::Object& owner, const Track& track);
resource::Json autoscaler(const resource::Object& owner, const resource::InferenceService& service,
                          const Track& track);
resource::Json ingress(const resource::Object& owner, const Track& track, const Settings& settings);
// Beside that of the stable track; takes `percent` of its requests.
resource::Json canary_ingress(const resource::Object& owner, const Track& track, int percent,
                              const Settings& settings);

// `present` brought to what `wanted` says; equal to `present` if nothing has to be done. Members that only
// `present` has stay. `keep_replicas`: spec.replicas belongs to an autoscaler.
resource::Json brought_to(const resource::Json& present, const resource::Json& wanted, bool keep_replicas);

}  // namespace tidegate::serving

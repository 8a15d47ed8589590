// The objects of a KServe job: what arena's chart renders of the flags.
//
// Thread: pure. Source: kubeflow/arena charts/kserve/templates/inferenceservice.yaml.

#pragma once

#include <string>
#include <vector>

#include "cli/arena/kserve_flags.h"
#include "resource/object.h"

namespace tidegate::arena {

inline constexpr const char* kNameLabel = "servingName";
inline constexpr const char* kTypeLabel = "servingType";
inline constexpr const char* kServingType = "kserve";

// The InferenceService, and behind it what stands beside it: ConfigMaps, HorizontalPodAutoscaler, Service.
// `contents` are those of job.config_files, in their order.
std::vector<resource::Json> documents_of(const Job& job, const std::string& namespace_,
                                         const std::vector<std::string>& contents = {});

std::string autoscaler_name(const std::string& job_name);

// The InferenceService brought to what an update says; everything else stays.
resource::Json updated(resource::Json service, const Job& update);
// The same for the HorizontalPodAutoscaler beside it.
resource::Json updated_autoscaler(resource::Json autoscaler, const Job& update);

}  // namespace tidegate::arena

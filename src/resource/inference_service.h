// InferenceService of KServe: one model behind one URL. The predictor is a pod's spec with a few fields more,
// or names a model format and leaves the container to a ServingRuntime.
//
// Raw (Standard) deployment only: the form of Knative is accepted and run the same way. transformer and
// explainer are refused, because nobody would run them.
//
// Thread: immutable once read; any thread.
// Source: kserve/kserve pkg/apis/serving/v1beta1 and v1alpha1 (ServingRuntime).

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"
#include "resource/pod.h"
#include "resource/selector.h"

namespace tidegate::resource {

inline constexpr std::string_view kServingGroup = "serving.kserve.io";
inline constexpr std::string_view kAutoscalerClassAnnotation = "serving.kserve.io/autoscalerClass";
inline constexpr std::string_view kStopAnnotation = "serving.kserve.io/stop";

// Who decides the number of replicas.
enum class AutoscalerClass {
  kHpa,       // an HPA that the controller makes
  kExternal,  // an HPA that somebody else makes (arena, KEDA)
  kNone,      // nobody: it stays at minReplicas
};

// predictor.model: a format, and where the files are.
struct ServedModel {
  std::string format;
  std::string format_version;
  std::string runtime;      // a ServingRuntime; empty: the first that supports the format
  std::string storage_uri;  // "pvc://claim/folder"; empty: the container knows
};

struct Predictor {
  PodSpec spec;  // without containers if the model's runtime brings them
  std::optional<ServedModel> model;
  Labels labels;
  std::map<std::string, std::string> annotations;
  int min_replicas = 1;
  int max_replicas = 0;      // 0: not said, the same as min
  std::string scale_metric;  // cpu (also if not said), memory, concurrency or rps
  std::optional<int> scale_target;
  std::optional<int> canary_percent;  // of requests to the newest revision; empty: all
};

struct InferenceService {
  Metadata metadata;
  Predictor predictor;
  AutoscalerClass autoscaler = AutoscalerClass::kHpa;
  bool stopped = false;

  // Errors: kInvalid with the field.
  static Result<InferenceService> from(const Object& object);
};

// The fields of a predictor that are no fields of a pod's spec.
const std::vector<std::string_view>& predictor_fields();

// How a model format is run: containers that the predictor's own are merged into.
struct ServingRuntime {
  Metadata metadata;
  struct Format {
    std::string name;
    std::string version;
    bool auto_select = false;
  };
  std::vector<Format> formats;
  bool disabled = false;

  static Result<ServingRuntime> from(const Object& object);
};

Kind inference_service_kind();
Kind serving_runtime_kind();
Kind cluster_serving_runtime_kind();

}  // namespace tidegate::resource

// What an InferenceService says of itself: URL, revisions, conditions.
//
// Thread: pure.
// Source: kserve/kserve pkg/apis/serving/v1beta1/inference_service_status.go.

#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "control/serving/settings.h"
#include "resource/inference_service.h"
#include "resource/object.h"

namespace tidegate::serving {

// What was found of the children. Null: not there (yet).
struct Children {
  const resource::Object* stable = nullptr;  // Deployments
  const resource::Object* canary = nullptr;
  const resource::Object* ingress = nullptr;
};

struct Outlook {
  std::optional<Error> broken;  // why nothing could be made of the service
  std::string revision;         // of what is asked for now
  std::optional<int> canary_percent;
};

// The status document, built upon the present one so that times of transitions survive.
resource::Json status_of(const resource::Object& object, const resource::InferenceService& service,
                         const Children& children, const Outlook& outlook, const Settings& settings,
                         WallTime now);

}  // namespace tidegate::serving

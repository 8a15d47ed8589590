// The controller of InferenceServices, for control/loop's runtime.

#pragma once

#include "control/loop/controller.h"
#include "control/serving/settings.h"

namespace tidegate::serving {

loop::Controller controller(Settings settings);

}  // namespace tidegate::serving

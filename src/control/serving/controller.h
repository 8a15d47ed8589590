// The controllers of InferenceServices and LLMInferenceServices, for control/loop's runtime.

#pragma once

#include <vector>

#include "control/loop/controller.h"
#include "control/serving/settings.h"

namespace tidegate::serving {

std::vector<loop::Controller> controllers(const Settings& settings);

}  // namespace tidegate::serving

// Conditions: what a controller says about an object, one entry per type.
//
// Thread: pure; any thread.
// Source: Kubernetes API conventions; meta/v1 Condition.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "resource/object.h"
#include "resource/reader.h"

namespace tidegate::resource {

struct Condition {
  std::string type;
  std::string status;  // "True", "False" or "Unknown"
  std::string reason{};
  std::string message{};
  std::string last_transition_time{};  // RFC 3339
  std::int64_t observed_generation = 0;
};

std::vector<Condition> read_conditions(Reader& parent, std::string_view field = "conditions");

// Null if there is none of this type.
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);
bool is_true(const std::vector<Condition>& conditions, std::string_view type);

// Puts `condition` into the list `conditions` (made if it is no list), in the place of the one of the same
// type. lastTransitionTime becomes `now` only when the status changes; observedGeneration is written unless
// it is 0. Returns whether anything changed, so that a controller can leave an unchanged status alone.
bool set_condition(Json& conditions, const Condition& condition, std::string_view now);

}  // namespace tidegate::resource

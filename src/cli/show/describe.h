// An object told to a person: its fields with blanks between their words, conditions and events as tables.
// Works for every kind, because it knows none.
//
// Thread: pure.

#pragma once

#include <string>

#include "base/clock.h"
#include "resource/object.h"

namespace tidegate::show {

// `events`: a list of Events about the object, or anything else if there is none. `now` is for ages.
std::string describe_object(const resource::Json& object, const resource::Json& events, WallTime now);

// "spec.targetPortNumber" as a title: "Target Port Number".
std::string title_words(std::string_view field);

}  // namespace tidegate::show

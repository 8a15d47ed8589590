// Reading single fields out of an object's JSON, for code that needs a few of them and no typed view.
//
// A path names members from the document's root, separated by dots: "spec.template.spec.nodeName". Members
// whose own names hold dots (labels, annotations) are reached through text_map. Reading never fails: a member
// that is missing, null or of another type gives the fallback, because validation has spoken before.
//
// Thread: pure; any thread.

#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "resource/object.h"

namespace tidegate::resource {

// Null if a step is missing, null or leads through something that is not an object.
const Json* find(const Json& document, std::string_view path);

// Null unless it is an array.
const Json* find_array(const Json& document, std::string_view path);

std::string text(const Json& document, std::string_view path, std::string_view fallback = {});
std::int64_t number(const Json& document, std::string_view path, std::int64_t fallback = 0);
bool flag(const Json& document, std::string_view path, bool fallback = false);

// Members that are not text are left out.
std::map<std::string, std::string> text_map(const Json& document, std::string_view path);

// Equal in content, whatever the order of members.
bool same_content(const Json& a, const Json& b);

// The condition of that type in status.conditions; null if there is none.
const Json* condition(const Json& document, std::string_view type);
bool condition_is_true(const Json& document, std::string_view type);

}  // namespace tidegate::resource

// What cells are made of, and the list of layouts.
//
// Thread: pure; any thread.

#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "resource/object.h"

namespace tidegate::table {

using resource::Json;

struct Column {
  std::string_view name;
  std::string_view type = "string";  // or "integer"
  int priority = 0;                  // 1: only with -o wide
};

// The columns of one kind, and how an object fills them, one cell each.
struct Layout {
  std::string_view group;
  std::string_view kind;
  std::vector<Column> columns;
  Json (*cells)(const Json& object, WallTime now);
};

std::span<const Layout> core_layouts();
std::span<const Layout> workload_layouts();
std::span<const Layout> pod_layouts();
std::span<const Layout> route_layouts();
std::span<const Layout> serving_layouts();

inline constexpr const char* kNone = "<none>";
inline constexpr const char* kUnknown = "<unknown>";
inline constexpr const char* kUnset = "<unset>";

// "2m30s", as kubectl writes durations.
std::string human(Duration duration);
// How long ago an RFC 3339 time was; "<unknown>" if it is none.
std::string since(std::string_view time, WallTime now);
std::string age(const Json& object, WallTime now);

// The text at a path, or `otherwise` if it is missing or empty. Numbers and flags are written as text.
std::string text_or(const Json& object, std::string_view path, std::string_view otherwise = kNone);
std::int64_t number(const Json& object, std::string_view path, std::int64_t otherwise = 0);
// The items of a list; none if it is missing.
const Json& items(const Json& object, std::string_view path);
std::string name(const Json& object);
// "a=b,c=d", or <none>.
std::string labels_text(const Json* labels);
// A LabelSelector in one line.
std::string selector_text(const Json* selector);
std::string joined(const std::vector<std::string>& texts, std::string_view separator = ",");
// The status of a condition: "True", "False"; empty if there is none.
std::string condition(const Json& object, std::string_view type);

}  // namespace tidegate::table

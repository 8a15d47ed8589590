#include "resource/path.h"

#include <algorithm>
#include <charconv>

namespace tidegate::resource {
namespace {

bool plain_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// The longest field name that a message shows. Longer ones are hostile, and a message must stay readable.
constexpr std::size_t kFieldShown = 128;

}  // namespace

void append_field(std::string& path, std::string_view field) {
  const bool plain = !field.empty() && std::all_of(field.begin(), field.end(), plain_letter);
  const std::string_view shown = field.substr(0, kFieldShown);
  if (plain) {
    if (!path.empty()) path += '.';
    path += shown;
  } else {
    path += "[\"";
    path += shown;
    path += "\"]";
  }
}

void append_index(std::string& path, std::size_t index) {
  path += '[';
  path += std::to_string(index);
  path += ']';
}

std::vector<PathStep> split_path(std::string_view path) {
  std::vector<PathStep> steps;
  while (!path.empty()) {
    if (path.starts_with("[\"")) {
      const std::size_t end = path.find("\"]", 2);
      if (end == std::string_view::npos) return steps;
      steps.push_back({std::string(path.substr(2, end - 2))});
      path.remove_prefix(end + 2);
    } else if (path.front() == '[') {
      const std::size_t end = path.find(']');
      if (end == std::string_view::npos) return steps;
      std::size_t index = 0;
      const auto parsed = std::from_chars(path.data() + 1, path.data() + end, index);
      if (parsed.ec != std::errc() || parsed.ptr != path.data() + end) return steps;
      steps.push_back({{}, index, true});
      path.remove_prefix(end + 1);
    } else {
      if (path.front() == '.') path.remove_prefix(1);
      const std::size_t end = std::min(path.find_first_of(".["), path.size());
      if (end == 0) return steps;
      steps.push_back({std::string(path.substr(0, end))});
      path.remove_prefix(end);
    }
  }
  return steps;
}

}  // namespace tidegate::resource

#include "engine/serve/path_map.h"

#include <algorithm>

namespace tidegate::serve {
namespace {

bool is_at_or_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

PathMap PathMap::parse(std::string_view text) {
  PathMap map;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(':'), text.size());
    const std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == entry.size()) continue;
    std::string_view inside = entry.substr(0, equals);
    if (inside.ends_with('/')) inside.remove_suffix(1);  // "/model/" is "/model"
    map.entries_.emplace_back(inside, entry.substr(equals + 1));
  }
  return map;
}

std::string PathMap::locate(std::string_view path) const {
  const std::pair<std::string, std::string>* best = nullptr;
  for (const auto& entry : entries_) {
    if (!is_at_or_below(path, entry.first)) continue;
    if (best == nullptr || entry.first.size() > best->first.size()) best = &entry;
  }
  if (best == nullptr) return std::string(path);
  return best->second + std::string(path.substr(best->first.size()));
}

}  // namespace tidegate::serve

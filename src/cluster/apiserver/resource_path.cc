#include "cluster/apiserver/resource_path.h"

#include <algorithm>
#include <vector>

#include "http/target.h"

namespace tidegate::apiserver {
namespace {

constexpr std::size_t kSegmentsMax = 10;

// Nothing for a path with an empty, a dotted or a broken segment. One slash at the end is no segment.
std::optional<std::vector<std::string>> segments(std::string_view path) {
  std::vector<std::string> found;
  if (path.empty() || path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  if (!path.empty() && path.back() == '/') path.remove_suffix(1);
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const auto segment = http::percent_decode(path.substr(0, slash));
    if (!segment || segment->empty() || *segment == "." || *segment == ".." ||
        segment->find('/') != std::string::npos || found.size() == kSegmentsMax) {
      return std::nullopt;
    }
    found.push_back(*segment);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return found;
}

}  // namespace

std::optional<ResourcePath> parse_resource_path(std::string_view path) {
  const auto parts = segments(path);
  if (!parts || parts->size() < 2) return std::nullopt;
  ResourcePath result;
  std::size_t at = 0;
  const auto next = [&] { return at < parts->size() ? (*parts)[at++] : std::string(); };
  const std::string root = next();
  if (root == "apis") {
    result.group = next();
  } else if (root != "api") {
    return std::nullopt;
  }
  result.version = next();
  if (result.version.empty()) return std::nullopt;
  // "namespaces/shop/pods" names pods; "namespaces/shop" and "namespaces/shop/status" name the namespace.
  const std::size_t left = parts->size() - at;
  const bool core = result.group.empty();
  const auto is_own = [](const std::string& word) { return word == "status" || word == "finalize"; };
  if (left >= 3 && (*parts)[at] == "namespaces" && !(core && left == 3 && is_own((*parts)[at + 2]))) {
    next();
    result.namespace_ = next();
  }
  result.resource = next();
  result.name = next();
  result.subresource = next();
  if (at != parts->size()) return std::nullopt;
  return result;
}

const resource::Kind* find_resource(const ResourcePath& path, const resource::KindSet& kinds) {
  for (const resource::Kind* each : kinds.all()) {
    const resource::Kind& kind = *each;
    if (kind.group != path.group || kind.plural != path.resource) continue;
    if (std::find(kind.versions.begin(), kind.versions.end(), path.version) == kind.versions.end()) continue;
    if (!kind.namespaced && !path.namespace_.empty()) return nullptr;
    if (kind.namespaced && path.namespace_.empty() && !path.name.empty()) return nullptr;
    return &kind;
  }
  return nullptr;
}

std::string group_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

}  // namespace tidegate::apiserver

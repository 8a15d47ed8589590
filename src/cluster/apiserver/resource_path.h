// What a request's path names: /apis/apps/v1/namespaces/shop/deployments/web/scale.
//
// Thread: pure.
// Source: Kubernetes, "Kubernetes API Concepts", resource URIs.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "resource/kind_set.h"

namespace tidegate::apiserver {

struct ResourcePath {
  std::string group;  // empty for core
  std::string version;
  std::string namespace_;  // empty: cluster-scoped, or every namespace
  std::string resource;    // plural; empty if the path ends with the version
  std::string name;        // empty: the collection
  std::string subresource;
};

// Nothing if the path is no /api/V or /apis/G/V path, or if it holds broken escapes, empty or dot segments.
std::optional<ResourcePath> parse_resource_path(std::string_view path);

// The kind behind a path, of `kinds`. Null if no kind of that name is served in that group and version, or if the
// kind's scope does not fit the path.
const resource::Kind* find_resource(const ResourcePath& path, const resource::KindSet& kinds);

// "apps/v1", or "v1" for core.
std::string group_version(std::string_view group, std::string_view version);

}  // namespace tidegate::apiserver

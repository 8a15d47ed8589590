// What is served here: groups, versions, resources, subresources; and the version of the server itself.
//
// Besides the kinds of a KindSet there are resources that are computed, not stored: usage
// (metrics.k8s.io) and questions about access (authorization.k8s.io, authentication.k8s.io).
//
// Thread: pure.
// Source: Kubernetes API Concepts, "Discovery API" (legacy and aggregated).

#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cluster/apiserver/media.h"
#include "resource/custom_kind.h"
#include "resource/kind_set.h"

namespace tidegate::apiserver {

// A resource that is not stored.
struct Computed {
  std::string_view group, version, resource, kind;
  bool namespaced = true;
  bool readable = true;  // get and list; else create alone
};

std::span<const Computed> computed_resources();

// The answer to a GET of /api, /apis, /apis/G, /api/v1 or /apis/G/V; nothing for any other path.
std::optional<std::string> discovery(std::string_view path, Form form, const resource::KindSet& kinds);

// GET /version. `build`: our own version.
std::string version_text(std::string_view build);

// Whether the status is a subresource of its own.
bool has_status(const resource::Kind& kind, std::string_view version);

// Kinds that Kubernetes itself brings: they take strategic merge patches, custom kinds do not.
bool is_builtin(const resource::Kind& kind);

}  // namespace tidegate::apiserver

// The scale subresource: how many of something there should be and are, wherever its kind keeps that.
//
// Thread: pure; any thread.
// Source: autoscaling/v1 Scale; apiextensions.k8s.io/v1 CustomResourceSubresourceScale.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "resource/object.h"

namespace tidegate::resource {

struct Kind;

// Where the scale subresource finds what it shows; paths without a dot in front ("spec.replicas").
struct ScalePaths {
  std::string replicas;
  std::string current;
  std::string selector;  // empty: none
};

struct Scale {
  std::int64_t replicas = 0;  // wanted
  std::int64_t current = 0;   // there
  std::string selector;       // of its pods, in one line; empty: the object does not say
};

// Nothing for kinds and versions that cannot be scaled.
std::optional<ScalePaths> scale_paths(const Kind& kind, std::string_view version);

Scale read_scale(const Json& document, const ScalePaths& paths);

// Through objects that are made where there are none.
void set_replicas(Json& document, const ScalePaths& paths, std::int64_t replicas);

}  // namespace tidegate::resource

// The query of a request.
//
// Thread: pure.
// Source: meta/v1 ListOptions, CreateOptions, PatchOptions, DeleteOptions; core/v1 PodLogOptions.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cluster/apiserver/status.h"

namespace tidegate::apiserver {

enum class Validation { kStrict, kWarn, kIgnore };

struct Options {
  std::string method;  // of the request

  // Collections.
  std::string label_selector;
  std::string field_selector;
  std::optional<std::uint64_t> resource_version;  // unset, or from "0": any will do
  std::string resource_version_match;
  std::size_t limit = 0;
  std::string continue_;
  bool include_object = false;  // Table rows hold whole objects
  bool no_object = false;       // Table rows hold none

  // Watches.
  bool watch = false;
  bool bookmarks = false;
  bool send_initial_events = false;
  std::optional<std::int64_t> timeout_s;

  // Writes.
  bool dry_run = false;
  bool force = false;
  Validation validation = Validation::kWarn;
  std::string field_manager;
  std::optional<std::int64_t> grace_s;
  std::string propagation;

  // All of it, decoded, for subresources with parameters of their own.
  std::vector<std::pair<std::string, std::string>> all;

  // The first parameter of that name; empty if there is none.
  std::string_view get(std::string_view name) const;
  // 400 if the parameter is there and no whole number.
  Answer<std::optional<std::int64_t>> number(std::string_view name) const;
  // As Kubernetes reads flags: absent, "0" and "false" are false.
  bool flag(std::string_view name) const;
};

// 400 with the parameter that is wrong. What nobody knows is ignored, as in Kubernetes.
Answer<Options> parse_options(std::string_view query, std::string_view method = "GET");

}  // namespace tidegate::apiserver

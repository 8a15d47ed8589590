// Findings into status documents, and the small shell that writes them.
//
// observedGeneration is always the object's own; lastTransitionTime moves only when a condition's status
// flips. Entries that other controllers wrote (other condition types, other parents) stay as they are. A
// document that would not change is not written.
//
// Thread: status_for is pure; write_statuses blocks for the client.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "cluster/client.h"
#include "gateway/finding.h"

namespace tidegate::gateway {

// Written into controllerName.
inline constexpr std::string_view kControllerName = "tidegate.dev/gateway";

// The object's whole document with the status it should have; empty if it has that already.
std::unique_ptr<const resource::Json> status_for(const Finding& finding, WallTime now);

struct Written {
  std::size_t changed = 0;  // objects whose status was written
  std::size_t failed = 0;   // tried again at the next call, because the status still differs
};

// Writes what differs. A conflict means that somebody was faster: the next call sees the newer object.
Written write_statuses(std::span<const Finding> findings, cluster::Client& client, const Clock& clock);

}  // namespace tidegate::gateway

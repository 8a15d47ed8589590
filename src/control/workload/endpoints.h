// Service -> EndpointSlice: the addresses behind a Service, with the conditions that readers route by.
//
// One slice per Service, named after it, up to kEndpointsMax endpoints. A terminating pod stays in the slice,
// marked, until it is gone, so that readers can let its streams end.
//
// Thread: pure. Source: Kubernetes discovery/v1 EndpointSlice.

#pragma once

#include <vector>

#include "control/loop/decision.h"

namespace tidegate::workload {

inline constexpr std::size_t kEndpointsMax = 1000;

// `pods` are those of the Service's namespace; `slice` is the one that exists, or null. A Service without a
// selector is left alone: its endpoints are written by somebody else.
loop::Decision decide_endpoints(const resource::Kind& slice_kind, const resource::Object& service,
                                const std::vector<resource::ObjectPtr>& pods, const resource::Object* slice);

}  // namespace tidegate::workload

// Whether a pod may be on a node in spite of a taint.
//
// Thread: pure; any thread.
// Source: Kubernetes core/v1 Toleration.ToleratesTaint.

#pragma once

#include "resource/core.h"
#include "resource/pod.h"

namespace tidegate::resource {

bool tolerates(const Toleration& toleration, const Taint& taint);

}  // namespace tidegate::resource

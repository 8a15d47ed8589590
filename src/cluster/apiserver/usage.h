// metrics.k8s.io/v1beta1: what pods and nodes use.
//
// Thread: any.

#pragma once

#include "cluster/apiserver/objects.h"
#include "cluster/kubelet.h"

namespace tidegate::apiserver {

Answer<Response> answer_usage(const Context& context, const cluster::Kubelet& kubelet, const Call& call);

}  // namespace tidegate::apiserver

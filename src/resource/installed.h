// Kinds that installation scripts bring along and that change nothing here: access rules, admission webhooks,
// quotas. They are kept as they are given, so that a script written for a cluster
// runs through and what it installed can be read back.
//
// Thread: pure; any thread.
// Source: Kubernetes rbac.authorization.k8s.io/v1, admissionregistration.k8s.io/v1,
// apiregistration.k8s.io/v1, storage.k8s.io/v1, networking.k8s.io/v1, core/v1.

#pragma once

#include <string_view>
#include <vector>

#include "resource/kind.h"

namespace tidegate::resource {

std::vector<Kind> installed_kinds();

// What whoever creates such an object should know: that it is kept and does not work. Empty for a kind that
// does what it says.
std::string_view kept_only(const Kind& kind);

}  // namespace tidegate::resource

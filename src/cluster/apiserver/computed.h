// Answers that are computed rather than stored: who may do what, and who asks.
//
// There is one user here, who may do everything: whoever holds the token.
//
// Thread: pure.
// Source: authorization.k8s.io/v1, authentication.k8s.io/v1.

#pragma once

#include "cluster/apiserver/objects.h"

namespace tidegate::apiserver {

// SelfSubjectAccessReview and its kin, SelfSubjectRulesReview, SelfSubjectReview.
Answer<Response> answer_review(std::string_view kind, const Call& call);

}  // namespace tidegate::apiserver

// Which pools ask for an API key, and which keys there are.
//
// A pool asks for one if its InferencePool or Service has the annotation tidegate.dev/api-keys: required.
// Keys are the entries of Secrets in its namespace with the label tidegate.dev/api-keys: "true"; each entry
// is one client. What all clients of a Secret may do stands in its annotations. A Secret with an annotation
// that cannot be read gives no keys, with a remark: nobody gets more than was meant.
//
// Thread: pure.

#pragma once

#include <string_view>
#include <vector>

#include "gateway/pools.h"
#include "gateway/snapshot.h"

namespace tidegate::gateway {

inline constexpr std::string_view kApiKeys =
    "tidegate.dev/api-keys";  // the pool's annotation, the Secret's label
inline constexpr std::string_view kModelsAnnotation = "tidegate.dev/models";  // "sql-lora, tweet-*"
inline constexpr std::string_view kTokensPerMinuteAnnotation = "tidegate.dev/tokens-per-minute";
inline constexpr std::string_view kTokensPerDayAnnotation = "tidegate.dev/tokens-per-day";
inline constexpr std::string_view kRequestsPerMinuteAnnotation = "tidegate.dev/requests-per-minute";

void mark_guarded(const Inputs& inputs, std::vector<Pool>& pools, std::vector<Remark>& remarks);

}  // namespace tidegate::gateway

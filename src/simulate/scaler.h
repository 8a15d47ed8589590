// The rules that are compared, as the objects that a user would write: an HPA by SM utilisation, an HPA by
// requests per pod, our demand rule.
//
// Thread: values.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/autoscale/decide.h"

namespace tidegate::simulate {

inline constexpr std::string_view kSmUtilization = "DCGM_CUSTOM_PROCESS_SM_UTIL";
inline constexpr std::string_view kRequestsPerPod = "vllm:num_requests";

struct Scaler {
  enum class Kind { kUtilization, kRequests, kDemand };
  Kind kind = Kind::kDemand;
  std::int64_t min = 1;
  std::int64_t max = 1;
  double target = 50;              // of the metric, per pod; not for kDemand
  std::optional<double> capacity;  // of one replica, in requests; only for kDemand; empty: learned
  std::optional<Duration> period;  // empty: the rule's own

  std::string title() const;  // "HPA, SM utilisation 50"
  resource::HorizontalPodAutoscaler hpa() const;
  autoscale::Rule rule() const;
};

}  // namespace tidegate::simulate

// Reading numbers out of what sources answer: Prometheus text pages (engines, DCGM exporters, the gateway's
// statistics port) and answers of Prometheus' query API.
//
// All input is hostile: sizes are bounded, a line that cannot be read is skipped.
//
// Thread: pure.
// Source: Prometheus text format 0.0.4; Prometheus HTTP API, "Instant queries".

#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::sources {

using Labels = std::map<std::string, std::string>;

struct Series {
  std::string name;
  Labels labels;
  double value = 0;
};

// Most series taken from one page.
inline constexpr std::size_t kSeriesMax = 20'000;

// The series whose names `wanted` accepts; values that are no number are left out.
std::vector<Series> read_page(std::string_view page, const std::function<bool(std::string_view)>& wanted);

// The values of an instant query: a vector or a scalar. Errors: kUnavailable with what Prometheus says.
Result<std::vector<Series>> read_query(std::string_view answer);

}  // namespace tidegate::sources

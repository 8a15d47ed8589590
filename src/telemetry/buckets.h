// Bounds of the house's histograms. A threshold that somebody promises (an SLO) must be one of the bounds, or
// the share of requests within it cannot be read exactly.
//
// Source: OpenTelemetry's GenAI conventions, extended where long answers go past their last bound; Envoy's
// millisecond bounds for istio_request_duration_milliseconds.

#pragma once

#include <vector>

namespace tidegate::telemetry {

// Seconds to the first token.
inline std::vector<double> ttft_bounds() {
  return {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60};
}

// Seconds of a whole request: 0.01 doubling to 655.36.
inline std::vector<double> duration_bounds() {
  return {.01,  .02,   .04,   .08,   .16,   .32,    .64,    1.28,  2.56,
          5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36};
}

// Seconds between two tokens of one answer.
inline std::vector<double> per_token_bounds() {
  return {.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5};
}

// Seconds that the gateway itself adds.
inline std::vector<double> overhead_bounds() {
  return {.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05, .25};
}

// Milliseconds of a request, as Istio's standard metric has them.
inline std::vector<double> istio_duration_bounds_ms() {
  return {.5,   1,    5,     10,    25,    50,     100,    250,     500,    1000,
          2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};
}

// Tokens of one request: powers of 4.
inline std::vector<double> token_bounds() {
  return {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
}

// Bytes of a body: 1 KiB to 64 MiB by 4.
inline std::vector<double> byte_bounds() {
  return {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
}

}  // namespace tidegate::telemetry

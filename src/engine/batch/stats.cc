#include "engine/batch/stats.h"

#include <algorithm>

namespace tidegate::batch {
namespace {

const std::vector<double> kFirstToken = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                                         1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
const std::vector<double> kPerToken = {.01, .025, .05, .075, .1,  .15, .2, .3, .4, .5,
                                       .75, 1,    2.5, 5,    7.5, 10,  20, 40, 80};
const std::vector<double> kRequest = {.3, .5, .8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                      30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const std::vector<double> kStepTokens = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

}  // namespace

void Histogram::observe(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
  ++count_;
  sum_ += value;
}

std::vector<double> one_two_five(std::size_t max) {
  std::vector<double> bounds;
  for (double decade = 1; decade <= static_cast<double>(max); decade *= 10) {
    for (const double mantissa : {1, 2, 5}) {
      if (mantissa * decade <= static_cast<double>(max)) bounds.push_back(mantissa * decade);
    }
  }
  return bounds;
}

Stats::Stats(std::size_t context_max)
    : request_prompt_tokens(one_two_five(context_max)),
      request_generation_tokens(one_two_five(context_max)),
      request_max_generation_tokens(one_two_five(context_max)),
      request_max_tokens(one_two_five(context_max)),
      request_prefill_computed(one_two_five(context_max)),
      request_n({1, 2, 5, 10, 20}),
      step_tokens(kStepTokens),
      first_token_s(kFirstToken),
      inter_token_s(kPerToken),
      per_output_token_s(kPerToken),
      e2e_s(kRequest),
      queue_s(kRequest),
      inference_s(kRequest),
      prefill_s(kRequest),
      decode_s(kRequest) {}

}  // namespace tidegate::batch

#include "gateway/pick/scorers/tokens.h"

namespace tidegate::pick {

void score_tokens(const Candidates& candidates, std::span<float> out) {
  // A few hundred tokens more or less are nothing: an engine computes them in one step beside others.
  constexpr float kFew = 8192;
  const float k = kFew + candidates.mean_prefill;
  for (std::size_t i = 0; i < candidates.size(); ++i) out[i] = k / (k + candidates.prefill[i]);
}

}  // namespace tidegate::pick

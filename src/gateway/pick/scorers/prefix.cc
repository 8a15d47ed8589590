#include "gateway/pick/scorers/prefix.h"

#include <algorithm>

namespace tidegate::pick {

void score_prefix(const Candidates& candidates, std::span<float> out) {
  const float scale = 1 / candidates.prefix_full;
  const float per_rise = 1 / candidates.rise_at;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const float bound = candidates.load_bound * std::clamp(candidates.prefix[i] * per_rise, 1.0F, 2.0F);
    out[i] = candidates.load[i] <= bound ? candidates.prefix[i] * scale : 0;
  }
}

}  // namespace tidegate::pick

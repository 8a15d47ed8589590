#include "gateway/pick/scorers/prefix.h"

namespace tidegate::pick {

void score_prefix(const Candidates& candidates, std::span<float> out) {
  const float scale = 1 / candidates.prefix_full;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    out[i] = candidates.load[i] <= candidates.load_bound ? candidates.prefix[i] * scale : 0;
}

}  // namespace tidegate::pick

#include "gateway/pick/scorers/kv.h"

namespace tidegate::pick {

void score_kv(const Candidates& candidates, std::span<float> out) {
  for (std::size_t i = 0; i < candidates.size(); ++i) out[i] = 1 - candidates.kv[i];
}

}  // namespace tidegate::pick

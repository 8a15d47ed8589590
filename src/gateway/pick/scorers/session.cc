#include "gateway/pick/scorers/session.h"

namespace tidegate::pick {

void score_session(const Candidates& candidates, std::span<float> out) {
  for (std::size_t i = 0; i < candidates.size(); ++i)
    out[i] = candidates.session[i] != 0 && candidates.load[i] <= candidates.load_bound ? 1 : 0;
}

}  // namespace tidegate::pick

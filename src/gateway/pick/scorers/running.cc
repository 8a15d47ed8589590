#include "gateway/pick/scorers/running.h"

#include "gateway/pick/scorers/all.h"

namespace tidegate::pick {

void score_running(const Candidates& candidates, std::span<float> out) {
  score_counts(candidates.running, candidates.mean_running, out);
}

}  // namespace tidegate::pick

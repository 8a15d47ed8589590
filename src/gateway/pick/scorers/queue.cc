#include "gateway/pick/scorers/queue.h"

#include "gateway/pick/scorers/all.h"

namespace tidegate::pick {

void score_queue(const Candidates& candidates, std::span<float> out) {
  score_counts(candidates.queue, candidates.mean_queue, out);
}

}  // namespace tidegate::pick

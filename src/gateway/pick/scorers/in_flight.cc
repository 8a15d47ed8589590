#include "gateway/pick/scorers/in_flight.h"

#include "gateway/pick/scorers/all.h"

namespace tidegate::pick {

void score_in_flight(const Candidates& candidates, std::span<float> out) {
  score_counts(candidates.in_flight, candidates.mean_in_flight, out);
}

}  // namespace tidegate::pick

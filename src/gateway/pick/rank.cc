#include "gateway/pick/rank.h"

#include <algorithm>

#include "gateway/pick/scorers/all.h"

namespace tidegate::pick {

Ranking Picker::rank(const PickRequest& request, Random& random, std::size_t wanted) {
  candidates_.fill(facts_, request.criticality, settings_);
  const std::size_t count = candidates_.size();
  total_.assign(count, 0);
  score_.resize(count);
  for (const Scorer& scorer : scorers()) {
    const float weight = settings_.weights.*scorer.weight;
    if (weight == 0 || (scorer.weight == &Weights::prefix && !candidates_.any_prefix)) continue;
    scorer.score(candidates_, score_);
    for (std::size_t i = 0; i < count; ++i) total_[i] += weight * score_[i];
  }

  // The best few by insertion. Equal totals are ordered by a hash of the place that changes with every call.
  const std::uint64_t salt = random.next();
  const auto better = [&](std::uint32_t a, std::uint32_t b) {
    if (total_[a] != total_[b]) return total_[a] > total_[b];
    return mix64(salt + a) < mix64(salt + b);
  };
  Ranking ranking;
  wanted = std::min(wanted, Ranking::kMax);
  for (std::uint32_t i = 0; i < count && wanted > 0; ++i) {
    if (ranking.count_ == wanted) {
      if (!better(i, ranking.index_[wanted - 1])) continue;
      --ranking.count_;
    }
    std::size_t place = ranking.count_++;
    for (; place > 0 && better(i, ranking.index_[place - 1]); --place)
      ranking.index_[place] = ranking.index_[place - 1];
    ranking.index_[place] = i;
  }
  for (std::size_t i = 0; i < ranking.count_; ++i) ranking.index_[i] = candidates_.index[ranking.index_[i]];
  return ranking;
}

}  // namespace tidegate::pick

#include "gateway/pick/rank.h"

#include <algorithm>
#include <cmath>

#include "gateway/pick/scorers/all.h"

namespace tidegate::pick {

// Totals become keys whose order is the draw: u^(1/total) takes an endpoint of twice the total twice as
// often.
void Picker::order_by_chance(Choice choice, Random& random) {
  for (float& total : total_) {
    const double draw = random.unit();
    total = static_cast<float>(choice == Choice::kRandom ? draw
                               : total > 0               ? std::pow(draw, 1 / static_cast<double>(total))
                                                         : draw - 1);
  }
}

Ranking Picker::rank(const PickRequest& request, Random& random, std::size_t wanted) {
  const Settings& settings = request.settings != nullptr ? *request.settings : settings_;
  candidates_.fill(facts_, request.criticality, request.prompt_bytes, settings);
  const std::size_t count = candidates_.size();
  total_.assign(count, 0);
  score_.resize(count);
  for (const Scorer& scorer : scorers()) {
    const float weight = settings.weights.*scorer.weight;
    if (weight == 0 || (scorer.weight == &Weights::prefix && !candidates_.any_prefix)) continue;
    scorer.score(candidates_, score_);
    for (std::size_t i = 0; i < count; ++i) total_[i] += weight * score_[i];
  }

  if (settings.choice != Choice::kBest) order_by_chance(settings.choice, random);

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

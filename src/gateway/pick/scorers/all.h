// The scorers, in one explicit list. A scorer gives each candidate 0 to 1, more is better; the weight beside
// it says how much that counts.
//
// Counts (queue, running, in flight) are scored K / (K + count) with K a few more than the candidates' mean.
// That never saturates, so a burst of any size still tells the fuller from the emptier endpoint, and it needs
// no idea of what an engine can bear. Equal endpoints get exactly equal scores.
//
// Thread: pure.

#pragma once

#include <span>
#include <string_view>

#include "gateway/pick/candidates.h"
#include "gateway/pick/settings.h"

namespace tidegate::pick {

struct Scorer {
  std::string_view name;
  float Weights::*weight;
  void (*score)(const Candidates& candidates, std::span<float> out);  // out has one place per candidate
};

std::span<const Scorer> scorers();

// K / (K + count) for a whole column.
void score_counts(std::span<const float> counts, float mean, std::span<float> out);

}  // namespace tidegate::pick

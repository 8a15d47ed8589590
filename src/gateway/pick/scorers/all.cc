#include "gateway/pick/scorers/all.h"

#include <array>

#include "gateway/pick/scorers/in_flight.h"
#include "gateway/pick/scorers/kv.h"
#include "gateway/pick/scorers/lora.h"
#include "gateway/pick/scorers/prefix.h"
#include "gateway/pick/scorers/queue.h"
#include "gateway/pick/scorers/running.h"
#include "gateway/pick/scorers/session.h"
#include "gateway/pick/scorers/tokens.h"

namespace tidegate::pick {

std::span<const Scorer> scorers() {
  static constexpr std::array kAll = {
      Scorer{"queue", &Weights::queue, score_queue},
      Scorer{"running", &Weights::running, score_running},
      Scorer{"kv", &Weights::kv, score_kv},
      Scorer{"in_flight", &Weights::in_flight, score_in_flight},
      Scorer{"lora", &Weights::lora, score_lora},
      Scorer{"prefix", &Weights::prefix, score_prefix},
      Scorer{"tokens", &Weights::tokens, score_tokens},
      Scorer{"session", &Weights::session, score_session},
  };
  return kAll;
}

void score_counts(std::span<const float> counts, float mean, std::span<float> out) {
  // One request more or less on a nearly idle endpoint should not outweigh everything else.
  constexpr float kFew = 4;
  const float k = kFew + mean;
  for (std::size_t i = 0; i < counts.size(); ++i) out[i] = k / (k + counts[i]);
}

}  // namespace tidegate::pick

#include "gateway/pick/scorers/lora.h"

namespace tidegate::pick {

void score_lora(const Candidates& candidates, std::span<float> out) {
  // By AdapterPlace: not asked, resident, room, full.
  static constexpr float kWorth[] = {0, 1, 0.5F, 0};
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const float worth = kWorth[static_cast<std::size_t>(candidates.adapter[i])];
    out[i] = candidates.load[i] <= candidates.load_bound ? worth : 0;
  }
}

}  // namespace tidegate::pick

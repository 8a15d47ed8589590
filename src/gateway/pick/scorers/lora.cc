#include "gateway/pick/scorers/lora.h"

namespace tidegate::pick {

void score_lora(const Candidates& candidates, std::span<float> out) {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const bool counts = candidates.load[i] <= candidates.load_bound;
    switch (candidates.adapter[i]) {
      case AdapterPlace::kNotAsked:
        out[i] = 0;
        break;
      case AdapterPlace::kResident:
        out[i] = counts ? 1 : 0;
        break;
      case AdapterPlace::kRoom:
        out[i] = counts ? 0.5F : 0;
        break;
      case AdapterPlace::kFull:
        out[i] = 0;
        break;
    }
  }
}

}  // namespace tidegate::pick

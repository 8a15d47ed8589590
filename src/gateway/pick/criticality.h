// How much it matters that a request is served now. Unset in an object means standard.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidegate::pick {

enum class Criticality : std::uint8_t { kCritical, kStandard, kSheddable };

constexpr std::string_view name_of(Criticality criticality) {
  switch (criticality) {
    case Criticality::kCritical:
      return "Critical";
    case Criticality::kStandard:
      return "Standard";
    case Criticality::kSheddable:
      return "Sheddable";
  }
  return "Standard";
}

}  // namespace tidegate::pick

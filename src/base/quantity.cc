#include "base/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace tidegate {
namespace {

struct Suffix {
  std::string_view text;
  double factor;
};

constexpr std::array<Suffix, 15> kSuffixes{{{"", 1},
                                            {"n", 1e-9},
                                            {"u", 1e-6},
                                            {"m", 1e-3},
                                            {"k", 1e3},
                                            {"M", 1e6},
                                            {"G", 1e9},
                                            {"T", 1e12},
                                            {"P", 1e15},
                                            {"Ki", 1024.0},
                                            {"Mi", 1048576.0},
                                            {"Gi", 1073741824.0},
                                            {"Ti", 1099511627776.0},
                                            {"Pi", 1125899906842624.0},
                                            {"E", 1e18}}};

constexpr std::array<Suffix, 5> kBinary{{{"Pi", 1125899906842624.0},
                                         {"Ti", 1099511627776.0},
                                         {"Gi", 1073741824.0},
                                         {"Mi", 1048576.0},
                                         {"Ki", 1024.0}}};

tl::unexpected<Error> malformed(std::string_view text) {
  return invalid("", "is \"" + std::string(text.substr(0, 64)) +
                         "\"; write a number with an optional suffix such as 500m, 2, 12Gi or 1e3");
}

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
  const std::string_view whole = text;
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::general);
  if (error != std::errc{} || !std::isfinite(number)) return malformed(whole);
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Suffix& candidate : kSuffixes) {
    if (candidate.text != suffix) continue;
    const double milli = std::ceil(number * candidate.factor * 1000 - 1e-6);
    if (std::abs(milli) > 9.2e18) return malformed(whole);
    return Quantity{static_cast<std::int64_t>(milli)};
  }
  return malformed(whole);
}

std::string Quantity::text() const {
  if (milli % 1000 != 0) return std::to_string(milli) + "m";
  const std::int64_t units = milli / 1000;
  for (const Suffix& suffix : kBinary) {
    const auto factor = static_cast<std::int64_t>(suffix.factor);
    if (units != 0 && units % factor == 0) return std::to_string(units / factor) + std::string(suffix.text);
  }
  return std::to_string(units);
}

}  // namespace tidegate

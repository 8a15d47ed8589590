// Numbers of a schema, with bounds.
//
// Whole numbers between bounds are written digit by digit. Numbers with a point are followed between whole
// inclusive bounds only, and then without an exponent.

#include <algorithm>
#include <cmath>

#include "engine/guide/schema_compiler.h"

namespace tidegate::guide {
namespace {

constexpr std::int64_t kMost = 999'999'999'999'999'999;  // 18 digits, as JsonText has them
constexpr double kExactMax =
    9'007'199'254'740'992;  // 2^53: beyond, a double is not the number that was written
constexpr std::uint32_t kFractionDigitsMax = 16;

ByteSet digit() {
  ByteSet set;
  for (char c = '0'; c <= '9'; ++c) set.set(static_cast<unsigned char>(c));
  return set;
}

struct Bounds {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool open_least = false, open_most = false;
};

std::int64_t whole(double bound) {
  return static_cast<std::int64_t>(
      std::clamp(bound, -static_cast<double>(kMost), static_cast<double>(kMost)));
}

}  // namespace

// Requires: least <= most.
NodeId SchemaCompiler::magnitudes(std::uint64_t least, std::uint64_t most, NodeId next) {
  std::optional<NodeId> start;
  std::uint64_t first = 0;  // of the numbers with this many digits
  for (std::uint64_t last = 9; first <= most; first = last + 1, last = last * 10 + 9) {
    const std::uint64_t low = std::max(first, least), high = std::min(last, most);
    if (low > high) continue;
    const NodeId one = builder_.between(std::to_string(low), std::to_string(high), '0', '9', next);
    start = start ? builder_.either(*start, one) : one;
  }
  return *start;
}

// Numbers with or without a fraction, from least to most, both whole.
NodeId SchemaCompiler::decimals(std::uint64_t least, std::uint64_t most, NodeId next) {
  const auto fraction = [&](const ByteSet& digits) {
    const NodeId after =
        builder_.repeat(1, kFractionDigitsMax, next, [&](NodeId at) { return builder_.bytes(digits, at); });
    return builder_.either(builder_.byte('.', after), next);
  };
  const NodeId last = builder_.text(std::to_string(most), fraction(ByteSet().set('0')));
  if (least == most) return last;
  return builder_.either(magnitudes(least, most - 1, fraction(digit())), last);
}

Result<NodeId> SchemaCompiler::number(const Place& at, Object schema, bool integer, NodeId next) {
  Bounds bounds;
  bool bounded = false;
  for (const std::string_view keyword : {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}) {
    Json given;
    if (schema.at_key(keyword).get(given) != simdjson::SUCCESS) continue;
    double bound = 0;
    if (given.get(bound) != simdjson::SUCCESS) return refuse(at, keyword, "needs a number");
    if (std::abs(bound) >= kExactMax) return refuse(at, keyword, "is too large to be followed");
    const bool open = keyword.starts_with("exclusive"), low = keyword.ends_with("inimum");
    double& side = low ? bounds.least : bounds.most;
    bool& side_open = low ? bounds.open_least : bounds.open_most;
    if (low ? bound >= side : bound <= side) {
      side_open = open || (side_open && bound == side);
      side = bound;
    }
    bounded = true;
  }
  if (!bounded) return integer ? json_.integer(next) : json_.number(next);
  std::int64_t least = whole(std::ceil(bounds.least)), most = whole(std::floor(bounds.most));
  if (integer) {
    if (bounds.open_least && std::ceil(bounds.least) == bounds.least) ++least;
    if (bounds.open_most && std::floor(bounds.most) == bounds.most) --most;
  } else if (bounds.open_least || bounds.open_most || std::ceil(bounds.least) != bounds.least ||
             std::floor(bounds.most) != bounds.most) {
    return refuse(
        at, "", "has bounds that cannot be followed; numbers are bounded by whole minimum and maximum only");
  }
  if (least > most) return refuse(at, "", "has bounds that no number satisfies");
  std::optional<NodeId> start;
  const auto offer = [&](std::int64_t low, std::int64_t high,
                         NodeId (SchemaCompiler::*make)(std::uint64_t, std::uint64_t, NodeId), bool minus) {
    const NodeId one = (this->*make)(static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high), next);
    const NodeId way = minus ? builder_.byte('-', one) : one;
    start = start ? builder_.either(*start, way) : way;
  };
  const auto make = integer ? &SchemaCompiler::magnitudes : &SchemaCompiler::decimals;
  if (most >= 0) offer(std::max<std::int64_t>(least, 0), most, make, false);
  // Without whole minus zero; a number may be minus a half.
  const std::int64_t least_below = std::max<std::int64_t>(-most, integer ? 1 : 0);
  if (least < 0) offer(least_below, -least, make, true);
  return *start;
}

}  // namespace tidegate::guide

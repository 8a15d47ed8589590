// How one model name becomes one of several targets: the weights of a canary.
//
// A Split is built from the targetModels of an InferenceModel or the targets of an InferenceModelRewrite
// rule. Each request draws once. Draws are independent, so shares are unbiased over time but not exact over
// any window; nothing is shared between workers, and a restart changes nothing.
//
// The caller supplies the point of the draw. A point from Random gives an independent draw; a hash of a
// header's value (sticky_point) gives a sticky one, and the same user then moves between targets only as far
// as the weights move.
//
// A target of weight 0 is kept but never drawn: it drains. When every weight is 0 the name is reserved and
// nothing is drawn (InferenceModel v1alpha1; v1alpha2 does not let 0 in).
//
// Thread: immutable once made; any thread may draw.
// Source: Gateway API Inference Extension, InferenceModel v1alpha1 and v1alpha2 (weights on all targets or on
// none, up to 1,000,000).

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::rewrite {

inline constexpr std::uint32_t kWeightMax = 1'000'000;

struct Target {
  std::string model;                    // what the engine is asked for: an adapter, or the base model itself
  std::optional<std::uint32_t> weight;  // relative share; unset on every target means equal shares
  std::string token;                    // `model` as a JSON string with its quotes; filled by Split::make
};

class Split {
 public:
  // `field` is the path of the target list, for error messages.
  // Errors: kInvalid if the list is empty, a name is empty, a weight is above kWeightMax, or only some
  // targets have one.
  static Result<Split> make(std::string_view field, std::vector<Target> targets);

  // The target whose slice holds `point`; null if every weight is 0. Slices lie in list order and fill [0,
  // 2^64) in proportion to the weights.
  const Target* draw(std::uint64_t point) const;

  // Expected share of a target, 0 to 1. Requires: index < targets().size().
  double share(std::size_t index) const;

  const std::vector<Target>& targets() const { return targets_; }

 private:
  Split(std::vector<Target> targets, std::vector<std::uint64_t> ends);

  std::vector<Target> targets_;
  std::vector<std::uint64_t> ends_;  // ends_[i] = sum of the weights of targets 0..i
};

// A point that stays the same for a value (a user's header) and a salt (the logical model, so that a user
// does not land in the same slice of every split). Well spread, not secret.
std::uint64_t sticky_point(std::string_view value, std::string_view salt);

}  // namespace tidegate::rewrite

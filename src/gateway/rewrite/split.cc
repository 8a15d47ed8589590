#include "gateway/rewrite/split.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/random.h"
#include "gateway/dialect/json_text.h"

namespace tidegate::rewrite {
namespace {

std::string at(std::string_view field, std::size_t index, std::string_view member) {
  return std::string(field) + "[" + std::to_string(index) + "]." + std::string(member);
}

std::uint64_t hash(std::string_view text, std::uint64_t seed) {
  std::uint64_t state = mix64(seed ^ text.size());
  while (!text.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(text.size(), sizeof word);
    std::memcpy(&word, text.data(), size);
    state = mix64(state ^ word);
    text.remove_prefix(size);
  }
  return state;
}

}  // namespace

Result<Split> Split::make(std::string_view field, std::vector<Target> targets) {
  if (targets.empty()) return invalid(std::string(field), "has no targets; name at least one model");

  const bool weighted = targets.front().weight.has_value();
  std::vector<std::uint64_t> ends;
  ends.reserve(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Target& target = targets[i];
    if (target.model.empty())
      return invalid(at(field, i, "name"), "is empty; name an adapter or the base model");
    if (target.weight.has_value() != weighted) {
      return invalid(at(field, i, "weight"), "is set on some targets only; set it on all of them or on none");
    }
    const std::uint32_t weight = target.weight.value_or(1);
    if (weight > kWeightMax) {
      return invalid(at(field, i, "weight"),
                     "is " + std::to_string(weight) + "; use at most " + std::to_string(kWeightMax));
    }
    target.token = dialect::json_token(target.model);
    ends.push_back((ends.empty() ? 0 : ends.back()) + weight);
  }
  return Split(std::move(targets), std::move(ends));
}

Split::Split(std::vector<Target> targets, std::vector<std::uint64_t> ends)
    : targets_(std::move(targets)), ends_(std::move(ends)) {}

const Target* Split::draw(std::uint64_t point) const {
  if (ends_.back() == 0) return nullptr;
  // Scales the point to [0, total) without division; the bias is below total / 2^64.
  const auto scaled =
      static_cast<std::uint64_t>((static_cast<unsigned __int128>(point) * ends_.back()) >> 64);
  const auto end = std::upper_bound(ends_.begin(), ends_.end(), scaled);
  return &targets_[static_cast<std::size_t>(end - ends_.begin())];
}

double Split::share(std::size_t index) const {
  if (ends_.back() == 0) return 0;
  const std::uint64_t start = index == 0 ? 0 : ends_[index - 1];
  return static_cast<double>(ends_[index] - start) / static_cast<double>(ends_.back());
}

std::uint64_t sticky_point(std::string_view value, std::string_view salt) {
  return hash(value, hash(salt, 0x7469'6465'6761'7465));
}

}  // namespace tidegate::rewrite

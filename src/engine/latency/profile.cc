#include "engine/latency/profile.h"

#include <algorithm>
#include <cmath>

#include "base/ascii.h"

namespace tidegate::latency {
namespace {

using Linear = std::array<LinearPoint, 9>;

// A line while memory-bound and another while compute-bound, given as W = a + b * N.
constexpr Linear two_lines(double a, double b, double a2, double b2) {
  return {{{1, a + b}, {128, a + 128 * b}, {512, a2 + 512 * b2}, {2048, a2 + 2048 * b2}}};
}

constexpr Linear kLlama2A100 = {
    {{1, 9.3}, {64, 9.7}, {128, 12.2}, {256, 17.8}, {512, 33.4}, {1024, 67.9}, {2048, 133}, {4096, 258}}};
constexpr Linear kLlama2H100 = {
    {{1, 5.6}, {64, 5.9}, {128, 6.4}, {256, 9.2}, {512, 12.0}, {1024, 21.0}, {2048, 40.3}, {4096, 83.5}}};
constexpr Linear kLlama2A40 = {
    {{1, 23.9}, {64, 30.1}, {128, 30.3}, {256, 44.6}, {512, 71.1}, {1024, 137}, {2048, 259}, {4096, 523}}};
constexpr Linear kLlama3A100 = {
    {{1, 9.7}, {64, 11.2}, {128, 13.2}, {256, 19.5}, {512, 34.6}, {1024, 75.1}, {2048, 146}, {4096, 274}}};
constexpr Linear kInternA100 = {
    {{1, 26.1}, {64, 28.1}, {128, 37.4}, {256, 47.5}, {512, 99.9}, {1024, 196}, {2048, 360}, {4096, 685}}};
constexpr Linear kInternH100 = {
    {{1, 15.4}, {64, 15.5}, {128, 16.7}, {256, 21.4}, {512, 32.8}, {1024, 60}, {2048, 122}, {4096, 243}}};

constexpr std::size_t kKiB = 1024;

Profile make(std::string_view name, Linear linear, double context_us, double sequence_ms, double gpu_gib,
             double weights_gib, std::size_t kv_kib, std::size_t context_max) {
  Profile profile;
  profile.name = name;
  profile.linear = linear;
  profile.context_us = context_us;
  profile.prefill_square_ms = 4e-6;
  profile.sequence_ms = sequence_ms;
  profile.gpu_gib = gpu_gib;
  profile.weights_gib = weights_gib;
  profile.kv_bytes_per_token = kv_kib * kKiB;
  profile.context_max = context_max;
  return profile;
}

Profile instant() {
  Profile profile = make("instant", {}, 0, 0, 80, 12.6, 512, 4096);
  profile.fixed_ms = 0;
  profile.prefill_square_ms = 0;
  profile.adapter_base = 1;
  profile.adapter_each = 0;
  profile.slot_load_ms = 0;
  profile.adapter_read_ms = 0;
  profile.jitter = 0;
  return profile;
}

// Llama-2-7B on A10, A10G, L4 and V100 and Qwen2.5 on the same are derived by roofline, +-30 %.
const std::vector<Profile>& table() {
  static const std::vector<Profile> all = {
      make("llama-2-7b-a10", two_lines(28, .03, 6, .19), 1.1, .06, 24, 12.6, 512, 4096),
      make("llama-2-7b-a10g", two_lines(28, .05, 8, .26), 1.1, .06, 24, 12.6, 512, 4096),
      make("llama-2-7b-l4", two_lines(55, .05, 12, .21), 2.2, .06, 24, 12.6, 512, 4096),
      make("llama-2-7b-v100", two_lines(19, .03, 5, .19), .8, .06, 32, 12.6, 512, 4096),
      make("llama-2-7b-a40", kLlama2A40, .97, .06, 48, 12.6, 512, 4096),
      make("llama-2-7b-a100", kLlama2A100, .37, .05, 80, 12.6, 512, 4096),
      make("llama-2-7b-h100", kLlama2H100, .22, .04, 80, 12.6, 512, 4096),
      make("llama-3-8b-a10", two_lines(31, .03, 8, .20), .28, .05, 24, 15.0, 128, 8192),
      make("llama-3-8b-a100", kLlama3A100, .09, .04, 80, 15.0, 128, 8192),
      make("llama-3-8b-h100", two_lines(7.9, .01, 5, .022), .06, .034, 64, 15.0, 128, 131072),
      make("qwen2.5-7b-a10", two_lines(28, .03, 6, .19), .23, .05, 24, 14.2, 56, 32768),
      make("qwen2.5-7b-v100", two_lines(19, .03, 5, .19), .16, .05, 32, 14.2, 56, 32768),
      make("qwen2.5-7b-a100", two_lines(9.3, .029, 4, .064), .077, .045, 80, 14.2, 56, 32768),
      make("qwen2.5-7b-h100", two_lines(8.0, .011, 4, .020), .05, .038, 80, 14.2, 56, 131072),
      make("qwen2.5-0.5b-a100", two_lines(.7, .003, .4, .006), .02, .02, 80, .93, 12, 32768),
      make("opt-13b-a100", two_lines(21, .05, 19.6, .1405), .59, .061, 80, 24, 800, 2048),
      make("internlm-20b-a100", kInternA100, .9, .08, 80, 37, 1200, 4096),
      make("internlm-20b-h100", kInternH100, .54, .06, 80, 37, 1200, 4096),
      instant(),
  };
  return all;
}

// W at `tokens`: straight lines between the points, the last line prolonged.
double linear_ms(const Linear& points, double tokens) {
  std::size_t count = 0;
  while (count < points.size() && points[count].tokens > 0) ++count;
  if (count == 0) return 0;
  if (count == 1 || tokens <= points[0].tokens) return points[0].ms;
  std::size_t right = 1;
  while (right + 1 < count && points[right].tokens < tokens) ++right;
  const LinearPoint& a = points[right - 1];
  const LinearPoint& b = points[right];
  return a.ms + (b.ms - a.ms) * (tokens - a.tokens) / (b.tokens - a.tokens);
}

}  // namespace

double step_ms(const Profile& profile, const StepShape& shape) {
  std::size_t prefilled = 0;
  double squares = 0;
  for (const auto& [start, tokens] : shape.prefill) {
    prefilled += tokens;
    squares += static_cast<double>(tokens) * static_cast<double>(2 * start + tokens);
  }
  const std::size_t tokens = prefilled + shape.decodes;
  if (tokens == 0) return 0;
  double ms = profile.fixed_ms + linear_ms(profile.linear, static_cast<double>(tokens)) +
              profile.prefill_square_ms * squares +
              profile.context_us / 1000 * static_cast<double>(shape.decode_context) +
              profile.sequence_ms * static_cast<double>(shape.decodes) +
              profile.prefill_token_ms * static_cast<double>(prefilled);
  if (prefilled > 0) ms += profile.prefill_fixed_ms;
  if (shape.adapters > 0) {
    ms *= profile.adapter_base + profile.adapter_each * static_cast<double>(shape.adapters);
  }
  const std::size_t sequences = shape.decodes + shape.prefill.size();
  if (shape.sequences_max > 1) {
    ms *= 1 + (profile.load_factor - 1) * static_cast<double>(sequences - 1) /
                  static_cast<double>(shape.sequences_max - 1);
  }
  return ms + profile.slot_load_ms * static_cast<double>(shape.slot_loads);
}

std::span<const Profile> profiles() { return table(); }

Result<Profile> find_profile(std::string_view name) {
  std::string names;
  for (const Profile& profile : table()) {
    if (ascii::equals_ignoring_case(profile.name, name)) return profile;
    names += names.empty() ? "" : ", ";
    names += profile.name;
  }
  return fail(Code::kNotFound, "names no latency profile; choose one of " + names, std::string(name));
}

Profile profile_for_model(std::string_view model) {
  const std::string name = ascii::to_lower(model);
  const auto has = [&name](std::string_view part) { return name.find(part) != std::string::npos; };
  std::string_view profile = "llama-2-7b-a10";
  if (has("0.5b") || has("1.5b") || has("1.8b")) {
    profile = "qwen2.5-0.5b-a100";
  } else if (has("qwen")) {
    profile = "qwen2.5-7b-a10";
  } else if (has("llama-3") || has("llama3") || has("8b")) {
    profile = "llama-3-8b-a10";
  } else if (has("13b") || has("14b")) {
    profile = "opt-13b-a100";
  }
  return *find_profile(profile);
}

std::size_t kv_blocks(const Profile& profile, double utilization, std::size_t block_tokens,
                      std::size_t adapter_slots, std::size_t adapter_rank, std::size_t gpus) {
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  constexpr double kActivationsGib = 0.8;
  // About 50, 94 and 182 MiB per slot at ranks 8, 16 and 32 were measured.
  const double slot_gib = (6 + 5.5 * static_cast<double>(adapter_rank)) / 1024;
  const double left_gib = profile.gpu_gib * static_cast<double>(gpus) * utilization - profile.weights_gib -
                          kActivationsGib * static_cast<double>(gpus) -
                          slot_gib * static_cast<double>(adapter_slots);
  const double block_bytes = static_cast<double>(profile.kv_bytes_per_token * block_tokens);
  const double fit = std::floor(left_gib * kGiB / block_bytes);
  const double least = std::ceil(2048.0 / static_cast<double>(block_tokens));
  return static_cast<std::size_t>(std::max(fit, least)) + 1;
}

}  // namespace tidegate::latency

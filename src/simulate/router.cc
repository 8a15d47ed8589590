#include "simulate/router.h"

#include <algorithm>

namespace tidegate::simulate {
namespace {

using pick::EndpointFacts;

// The index with the highest score; of equal ones each is as likely.
template <typename Score>
std::size_t best(std::span<const EndpointFacts> facts, Random& random, const Score& score) {
  std::size_t chosen = 0;
  double most = 0;
  std::uint64_t equal = 0;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const double value = score(facts[i]);
    if (equal > 0 && value < most) continue;
    equal = equal > 0 && value == most ? equal + 1 : 1;
    if (random.below(equal) == 0) chosen = i;
    most = value;
  }
  return chosen;
}

std::size_t by_reference(std::span<const EndpointFacts> facts, std::uint32_t prompt_bytes, Random& random) {
  const auto [least, most] = std::minmax_element(
      facts.begin(), facts.end(),
      [](const EndpointFacts& a, const EndpointFacts& b) { return a.waiting < b.waiting; });
  const double low = least->waiting;
  const double range = most->waiting - low;
  return best(facts, random, [&](const EndpointFacts& f) {
    const double queue = range > 0 ? 1 - (f.waiting - low) / range : 1;
    const double prefix = prompt_bytes > 0 ? static_cast<double>(f.prefix_bytes) / prompt_bytes : 0;
    return 2 * queue + 2 * (1 - static_cast<double>(f.kv_usage)) + 3 * prefix;
  });
}

}  // namespace

std::string_view name_of(Router router) {
  switch (router) {
    case Router::kRoundRobin:
      return "round robin";
    case Router::kLeastRequest:
      return "least request";
    case Router::kReference:
      return "reference, its default weights";
    case Router::kOurs:
      return "tidegate";
  }
  return "";
}

std::size_t choose(Router router, std::span<const EndpointFacts> facts, std::uint64_t turn,
                   std::uint32_t prompt_bytes, Random& random) {
  if (router == Router::kRoundRobin) return turn % facts.size();
  if (router == Router::kReference) return by_reference(facts, prompt_bytes, random);
  return best(facts, random, [](const EndpointFacts& f) { return -static_cast<double>(f.in_flight); });
}

}  // namespace tidegate::simulate

#include "control/workload/names.h"

#include <nlohmann/json.hpp>

namespace tidegate::workload {
namespace {

constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
constexpr std::size_t kSuffix = 5;
constexpr std::size_t kNameMax = 63;

// 32-bit FNV-1a: short, and this is a label, not a secret.
std::uint32_t fnv1a(std::string_view bytes) {
  std::uint32_t hash = 2166136261u;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 16777619u;
  }
  return hash;
}

}  // namespace

std::string safe_letters(std::uint64_t number) {
  std::string decimal = std::to_string(number);
  for (char& digit : decimal) digit = kLetters[static_cast<std::size_t>(digit) % kLetters.size()];
  return decimal;
}

std::string template_hash(const resource::Json& pod_template, std::int64_t collisions) {
  std::string content = nlohmann::json(pod_template).dump();
  if (collisions > 0) content += std::to_string(collisions);
  return safe_letters(fnv1a(content));
}

std::string name_with_suffix(std::string_view base, Random& random) {
  std::string name(base.substr(0, kNameMax - kSuffix));
  for (std::size_t i = 0; i < kSuffix; ++i) name += kLetters[random.below(kLetters.size())];
  return name;
}

}  // namespace tidegate::workload

#include "control/externalgrpc/group.h"

#include <cmath>

namespace tidegate::externalgrpc {
namespace {

constexpr std::size_t kIdMax = 512;
constexpr std::size_t kTextMax = 300;
constexpr double kPriceMax = 1e6;

std::string out_of_range(const std::string& what, std::int64_t value) {
  return what + " of " + std::to_string(value) + ", which is not between 0 and " + std::to_string(kSizeMax);
}

// The length of the well-formed UTF-8 sequence at `at`; 0 if there is none.
std::size_t sequence(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first < 0xe0   ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(at + 1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return 0;
  return length;
}

}  // namespace

std::string flaw(const Group& group) {
  if (group.min < 0 || group.min > kSizeMax) return out_of_range("a minimum", group.min);
  if (group.max < 0) return out_of_range("a maximum", group.max);
  if (group.min > group.max)
    return "a minimum of " + std::to_string(group.min) + " above its maximum of " + std::to_string(group.max);
  if (group.target < 0 || group.target > kSizeMax) return out_of_range("a target size", group.target);
  if (group.instances.size() > kSizeMax)
    return out_of_range("a number of instances", static_cast<std::int64_t>(group.instances.size()));
  std::set<std::string> ids;
  for (const Instance& instance : group.instances) {
    if (instance.id.empty()) return "an instance without an id";
    if (instance.id.size() > kIdMax)
      return "an instance with an id of more than " + std::to_string(kIdMax) + " bytes";
    if (!ids.insert(instance.id).second) return "the instance " + clean(instance.id) + " twice";
  }
  if (group.price && !(*group.price >= 0 && *group.price <= kPriceMax)) return "an impossible price";
  return {};
}

std::string clean(const std::string& text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence(text, at);
    if (plain.size() + std::max<std::size_t>(length, 1) > kTextMax) return plain + " ...";
    const auto first = static_cast<unsigned char>(text[at]);
    if (length == 0 || first == 0x7f) {
      plain += '?';
    } else if (first < 0x20) {
      plain += ' ';
    } else {
      plain.append(text, at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return plain;
}

}  // namespace tidegate::externalgrpc

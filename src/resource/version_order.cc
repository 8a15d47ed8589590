#include "resource/version_order.h"

#include <charconv>
#include <optional>
#include <tuple>

namespace tidegate::resource {
namespace {

struct Parts {
  int stability = 0;  // 2: none is named, 1: beta, 0: alpha
  int major = 0;
  int minor = 0;
};

std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return value;
}

std::optional<Parts> parts_of(std::string_view text) {
  if (!text.starts_with('v')) return std::nullopt;
  text.remove_prefix(1);
  const auto major = take_number(text);
  if (!major) return std::nullopt;
  if (text.empty()) return Parts{2, *major, 0};
  const int stability = text.starts_with("beta") ? 1 : text.starts_with("alpha") ? 0 : -1;
  if (stability < 0) return std::nullopt;
  text.remove_prefix(stability == 1 ? 4 : 5);
  const auto minor = take_number(text);
  if (!minor || !text.empty()) return std::nullopt;
  return Parts{stability, *major, *minor};
}

}  // namespace

bool version_before(std::string_view a, std::string_view b) {
  const auto first = parts_of(a);
  const auto second = parts_of(b);
  if (first.has_value() != second.has_value()) return first.has_value();
  if (!first) return a < b;
  return std::tie(first->stability, first->major, first->minor) >
         std::tie(second->stability, second->major, second->minor);
}

}  // namespace tidegate::resource

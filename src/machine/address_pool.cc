#include "machine/address_pool.h"

#include <arpa/inet.h>

#include <charconv>
#include <optional>

namespace tidegate::machine {
namespace {

constexpr int kBitsMin = 8;
constexpr std::uint32_t kEveryonesRange = 127u << 24;
constexpr int kBitsMax = 24;  // 256 addresses or more

std::optional<std::uint32_t> to_number(std::string_view text) {
  in_addr raw{};
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), &raw) != 1) return std::nullopt;
  return ntohl(raw.s_addr);
}

std::string to_text(std::uint32_t number) {
  const in_addr raw{htonl(number)};
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &raw, text, sizeof text);
  return text;
}

// Some programs read an address that ends in 0 or 255 as a network or a broadcast.
bool usable(std::uint32_t number) { return (number & 0xff) != 0 && (number & 0xff) != 0xff; }

}  // namespace

Result<AddressPool> AddressPool::make(std::string_view range, std::uint64_t cursor) {
  const std::size_t slash = range.find('/');
  const auto first = to_number(range.substr(0, slash));
  int bits = 0;
  const std::string_view digits =
      slash == std::string_view::npos ? std::string_view() : range.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const bool is_range = first && error == std::errc{} && end == digits.data() + digits.size();
  if (!is_range || bits < kBitsMin || bits > kBitsMax || (*first >> 24) != 127) {
    return invalid("--pod-range",
                   "'" + std::string(range) +
                       "' is no range of loopback addresses; use one inside 127.0.0.0/8 with a prefix "
                       "of 8 to 24, such as 127.64.0.0/10");
  }
  const std::uint32_t size = std::uint32_t{1} << (32 - bits);
  if ((*first & ~(size - 1)) == kEveryonesRange) {
    return invalid("--pod-range",
                   "'" + std::string(range) +
                       "' holds 127.0.0.1, where everything else listens; use another, such as "
                       "127.64.0.0/10");
  }
  return AddressPool(*first & ~(size - 1), size, cursor);
}

Result<std::string> AddressPool::take() {
  for (std::uint32_t tries = 0; tries < size_; ++tries) {
    const std::uint32_t number = first_ + static_cast<std::uint32_t>(cursor_);
    cursor_ = (cursor_ + 1) % size_;
    if (usable(number) && taken_.insert(number).second) return to_text(number);
  }
  return fail(Code::kExhausted, "every address of the pod range is taken; give a larger --pod-range");
}

void AddressPool::reserve(std::string_view address) {
  const auto number = to_number(address);
  if (number && *number - first_ < size_) taken_.insert(*number);
}

void AddressPool::release(std::string_view address) {
  if (const auto number = to_number(address)) taken_.erase(*number);
}

}  // namespace tidegate::machine

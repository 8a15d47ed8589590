#include "base/random.h"

#include <sys/random.h>

#include <bit>
#include <cstring>

#include "base/check.h"

namespace tidegate {
namespace {

constexpr char kHex[] = "0123456789abcdef";

}  // namespace

std::uint64_t mix64(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

Random::Random(std::uint64_t seed) {
  for (std::size_t i = 0; i < state_.size(); ++i) state_[i] = mix64(seed + i * 0x9e3779b97f4a7c15);
}

Random Random::from_system() {
  std::uint64_t seed = 0;
  TG_CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return Random(seed);
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::string random_hex(Random& random, std::size_t bytes) {
  std::string text(bytes * 2, '0');
  std::uint64_t pool = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 16 == 0) pool = random.next();
    text[i] = kHex[pool & 15];
    pool >>= 4;
  }
  return text;
}

std::string random_uuid(Random& random) {
  // Where the bytes' digits go: between them stand the four dashes.
  static constexpr std::array<std::uint8_t, 16> kPlace = {0,  2,  4,  6,  9,  11, 14, 16,
                                                          19, 21, 24, 26, 28, 30, 32, 34};
  std::array<std::uint64_t, 2> pool = {random.next(), random.next()};
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), pool.data(), bytes.size());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text(36, '-');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[kPlace[i]] = kHex[bytes[i] >> 4];
    text[kPlace[i] + 1U] = kHex[bytes[i] & 15];
  }
  return text;
}

std::string secure_bytes(std::size_t bytes) {
  std::string text(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const ssize_t got = getrandom(text.data() + have, bytes - have, 0);
    TG_CHECK(got > 0);
    have += static_cast<std::size_t>(got);
  }
  return text;
}

}  // namespace tidegate

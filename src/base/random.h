// Chance is handed in: whoever draws takes a Random&, so a run can be repeated from its seed.
//
// xoshiro256** seeded through SplitMix64 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018).
// Not for secrets: keys and tokens come from the operating system (secure_bytes).
//
// Thread: one Random belongs to one thread.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace tidegate {

class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed);
  static Random from_system();

  std::uint64_t next();

  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // Uniform in [0, bound) with a bias below bound / 2^64. Requires: bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

  // The standard library's generator interface, for std::shuffle and distributions in tests.
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() { return next(); }

 private:
  std::array<std::uint64_t, 4> state_;
};

// One round of SplitMix64: a cheap, well-mixed hash of a 64-bit value.
std::uint64_t mix64(std::uint64_t value);

// Lower-case hex of `bytes` random bytes; for request ids, span ids and trace ids.
std::string random_hex(Random& random, std::size_t bytes);

// RFC 9562 version 4.
std::string random_uuid(Random& random);

// From the operating system's generator, for tokens and keys.
std::string secure_bytes(std::size_t bytes);

}  // namespace tidegate

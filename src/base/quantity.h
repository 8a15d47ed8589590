// Kubernetes quantities: "500m" CPUs, "12Gi" of memory, "1" GPU.
//
// Held in thousandths as a signed 64-bit integer, rounded up where the text is finer, which is enough for 9 PB in
// bytes. Source: Kubernetes API conventions, resource.Quantity.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate {

struct Quantity {
  std::int64_t milli = 0;

  // Errors: kInvalid with what would be right.
  static Result<Quantity> parse(std::string_view text);

  // Rounded up to whole units.
  std::int64_t whole() const { return milli >= 0 ? (milli + 999) / 1000 : milli / 1000; }

  // "500m", "2", "12Gi": binary suffixes where they divide evenly.
  std::string text() const;

  auto operator<=>(const Quantity&) const = default;
  Quantity operator+(Quantity other) const { return {milli + other.milli}; }
  Quantity operator-(Quantity other) const { return {milli - other.milli}; }
};

}  // namespace tidegate

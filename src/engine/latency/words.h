// The words that are one token for the simulator's tokenizer: common English, and what made-up answers are
// made of.
//
// Thread: constant data.

#pragma once

#include <span>
#include <string_view>

namespace tidegate::latency {

// Sorted, without duplicates.
std::span<const std::string_view> common_words();

}  // namespace tidegate::latency

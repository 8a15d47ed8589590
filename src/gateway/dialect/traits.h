// What one engine endpoint can do, learned from its answers.
//
// We assume the best and step down: an engine that answers 400 to a request into which we put members it does
// not know is asked again without them, and the endpoint remembers. vLLM took stream_options.include_usage in
// 0.4.3 and continuous_usage_stats in 0.5.4; strict servers refuse unknown members.
//
// Thread: values. A fleet keeps one AtomicTraits per endpoint; any thread.

#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "gateway/dialect/body_facts.h"

namespace tidegate::dialect {

struct EngineTraits {
  bool include_usage = true;
  bool continuous_usage = true;
  bool operator==(const EngineTraits&) const = default;
};

// What we added to a request beyond the client's own wishes, under these traits.
struct Injected {
  bool include_usage = false;
  bool continuous_usage = false;
  bool any() const { return include_usage || continuous_usage; }
};
Injected injected_by(const BodyFacts& facts, const EngineTraits& traits);

// Reads the refusal of a request into which `injected` was put. Returns the traits to believe from now on:
// equal to `before` when the refusal is not about our members (then it is the client's and must be passed
// on), smaller when it is (then the request may be sent again). `body` is the start of the answer; 4 KiB are
// enough.
EngineTraits learn_from_refusal(const EngineTraits& before, const Injected& injected, int status,
                                std::string_view body);

class AtomicTraits {
 public:
  EngineTraits load() const {
    const std::uint8_t bits = bits_.load(std::memory_order_relaxed);
    return {(bits & 1) == 0, (bits & 2) == 0};
  }
  // Traits only shrink; forget() starts anew, for an endpoint whose engine was replaced.
  void shrink(const EngineTraits& to) {
    bits_.fetch_or(static_cast<std::uint8_t>((to.include_usage ? 0 : 1) | (to.continuous_usage ? 0 : 2)),
                   std::memory_order_relaxed);
  }
  void forget() { bits_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint8_t> bits_{0};  // set bit: not supported
};

}  // namespace tidegate::dialect

// Every number the gateway tells, in one place. Logic says what happened; names, labels and units are here.
//
// Istio's and ASM's names stand as their dashboards expect them; ours begin with tidegate_. Label values are
// names from configuration (pools, models, routes) and fixed words, never text from a request: a model that
// nobody configured or serves is "unknown".
//
// Thread: a Probe belongs to one worker (one shard of the registry).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "gateway/usage/meter.h"
#include "telemetry/metrics.h"

namespace tidegate::gateway {

// How a request ended.
struct Report {
  std::string_view service;  // "pool.namespace", or empty if no pool was reached
  std::string_view model;    // that served: the target; "unknown" if none was resolved
  int status = 0;            // 0: the client left before there was one
  std::string_view flags;    // Envoy's response flags, or empty
  bool streamed = false;
  usage::Counted counted;
  bool counts_tokens = false;        // an API that reports usage, answered with 200
  std::optional<Duration> overhead;  // spent in the gateway before the request was sent on
};

class Probe {
 public:
  Probe(telemetry::Registry& registry, std::size_t shard);

  void request(const Report& report);
  void refused(int status);  // never became a request
  void retry(std::string_view reason);
  void rejected(std::string_view reason);
  // For a first endpoint ("held") or for room ("queued"), whatever came of it.
  void waited(const std::string& service, std::string_view how, Duration time);
  // `key` tells the endpoint apart from the same address in another pool.
  void pick(const std::string& key, const std::string& service, const std::string& address);
  // A prompt that was looked up: its bytes, and those that the endpoint it goes to holds; `told` by its engine
  // or guessed.
  void prefix(const std::string& service, std::uint32_t prompt_bytes, std::uint32_t held_bytes, bool told);
  void connections(int delta) { connections_.add(delta); }
  void active(int delta) { active_.add(delta); }

  // Forgets cached handles; after label sets were removed.
  void forget() {
    requests_.clear();
    models_.clear();  // they point into requests_
    picks_.clear();
    prefixes_.clear();
  }

 private:
  struct Requests {
    telemetry::Counter total;
    telemetry::Histogram duration_ms;
  };
  struct Tokens {
    telemetry::Counter prompt;
    telemetry::Counter completion;
    telemetry::Counter cached;
    telemetry::Counter unknown;
    telemetry::Histogram first_token;
    telemetry::Histogram per_token;
  };
  // Of one service and model. Nearly every answer has no flags and the status of the one before, so one
  // look-up finds all that is counted.
  struct Model {
    Requests* usual = nullptr;  // without flags and with this status
    int usual_status = 0;
    std::optional<Tokens> tokens;  // once a request counts them
  };
  struct Hash {
    using is_transparent = void;
    // Of names from configuration; what the standard library does against hostile keys costs four times that.
    std::size_t operator()(std::string_view text) const {
      std::uint64_t sum = text.size();
      const auto add = [&sum](std::uint64_t word) {
        sum = (sum ^ word) * 0x9e3779b97f4a7c15;
        sum ^= sum >> 32;
      };
      std::uint64_t word = 0;
      std::size_t at = 0;
      for (; at + sizeof word <= text.size(); at += sizeof word) {
        std::memcpy(&word, text.data() + at, sizeof word);
        add(word);
      }
      for (word = 0; at < text.size(); ++at) word = word << 8 | static_cast<unsigned char>(text[at]);
      add(word);
      return sum;
    }
  };
  template <typename T>
  using Cache = std::unordered_map<std::string, T, Hash, std::equal_to<>>;

  Model& model_for(const Report& report);
  Requests& requests_for(Model& model, const Report& report);
  Requests make_requests(const Report& report);
  Tokens& tokens_for(Model& model, const Report& report);

  telemetry::Registry& registry_;
  std::size_t shard_;
  std::string key_;
  Cache<Requests> requests_;
  Cache<Model> models_;
  Cache<telemetry::Counter> picks_;
  struct Prefixes {
    telemetry::Counter prompt;
    telemetry::Counter held;
    telemetry::Counter told;
    telemetry::Counter guessed;
  };
  Cache<Prefixes> prefixes_;
  telemetry::Histogram overhead_;
  telemetry::Gauge connections_;
  telemetry::Gauge active_;
};

}  // namespace tidegate::gateway

// API keys: whose they are, which models they may ask for and how much of each.
//
// Thread: immutable once made; any thread.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tidegate::guard {

// Per client and model. 0: no limit.
struct Limits {
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t tokens_per_day = 0;
  std::uint64_t requests_per_minute = 0;
  bool any() const { return tokens_per_minute > 0 || tokens_per_day > 0 || requests_per_minute > 0; }
};

// Model names, each exact or ending in '*'. None: every model.
class ModelRules {
 public:
  ModelRules() = default;
  explicit ModelRules(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}
  // "sql-lora, tweet-*"
  static ModelRules parse(std::string_view text);

  bool all() const { return patterns_.empty(); }
  bool allows(std::string_view model) const;

 private:
  std::vector<std::string> patterns_;
};

struct Client {
  std::string name;  // "namespace/secret/entry"
  ModelRules models;
  Limits limits;
};

class Ring {
 public:
  // Keys shorter than this are not taken: they can be guessed.
  static constexpr std::size_t kKeyBytesMin = 8;
  static constexpr std::size_t kKeyBytesMax = 1024;

  // Of two clients with one key the first has it. False if the key is too short or too long.
  bool add(std::string_view key, std::shared_ptr<const Client> client);

  // Null if nobody has this key.
  const Client* find(std::string_view key) const;

  std::size_t size() const { return entries_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view key);
  static std::uint64_t bucket_of(const Digest& digest);

  struct Entry {
    Digest digest;
    std::shared_ptr<const Client> client;
  };
  std::unordered_map<std::uint64_t, Entry> entries_;  // by the digest's first bytes
};

}  // namespace tidegate::guard

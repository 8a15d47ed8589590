// A model for tests of the stepper: token text is one letter, the next token is the sum of what the blocks
// hold, so a wrong block table, a lost block or a stale prefix changes the output.
//
// It keeps, per block row, the token whose keys would lie there, mixed with the adapter. A drawn token
// depends on every row of the sequence and on nothing else.

#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "engine/batch/model.h"
#include "engine/batch/tokenizer.h"

namespace tidegate::batch::testing {

class FakeAdapter final : public Adapter {
 public:
  std::uint64_t weight = 0;
};

class FakeModel final : public Model {
 public:
  static constexpr Token kEos = 26;

  explicit FakeModel(std::size_t context_max = 4096) {
    facts_.vocabulary = 27;
    facts_.context_max = context_max;
    facts_.kv_bytes_per_token = 8;
    facts_.simulated = true;
  }

  const ModelFacts& facts() const override { return facts_; }

  Result<void> reserve(const Capacity& capacity) override {
    capacity_ = capacity;
    rows_.assign(capacity.blocks * capacity.block_tokens, 0);
    slots_.assign(capacity.adapter_slots, nullptr);
    return {};
  }

  Result<std::unique_ptr<const Adapter>> load_adapter(const AdapterSpec& spec) override {
    auto adapter = std::make_unique<FakeAdapter>();
    adapter->digest = spec.path;
    adapter->weight = std::hash<std::string>{}(spec.path);
    adapter->load_modelled = load_time;
    return adapter;
  }

  void place_adapter(std::int32_t slot, const Adapter& adapter) override {
    slots_.at(static_cast<std::size_t>(slot)) = &static_cast<const FakeAdapter&>(adapter);
  }
  void clear_adapter(std::int32_t slot) override { slots_.at(static_cast<std::size_t>(slot)) = nullptr; }

  Result<void> step(std::span<const Segment> segments, StepResult& result) override {
    result.samples.clear();
    result.prompt.clear();
    result.modelled = step_time;
    std::size_t tokens = 0;
    std::vector<std::uint32_t> sequences;
    std::vector<std::int32_t> adapters;
    for (const Segment& segment : segments) {
      TG_CHECK(segment.start < segment.end && segment.end <= segment.history.size());
      TG_CHECK(segment.sample == (segment.end == segment.history.size()));
      TG_CHECK(segment.blocks.size() * capacity_.block_tokens >= segment.end);
      tokens += segment.end - segment.start;
      sequences.push_back(segment.sequence);
      adapters.push_back(segment.adapter_slot);
      for (std::size_t p = segment.start; p < segment.end; ++p) row(segment, p) = key(segment, p);
    }
    std::sort(sequences.begin(), sequences.end());
    TG_CHECK(std::adjacent_find(sequences.begin(), sequences.end()) == sequences.end());
    TG_CHECK(sequences.size() <= capacity_.sequences_max);
    TG_CHECK(tokens <= capacity_.step_tokens_max);
    for (const Segment& segment : segments) {
      if (!segment.sample) continue;
      for (std::size_t p = 0; p < segment.end; ++p) TG_CHECK(row(segment, p) == key(segment, p));
      Sample sample;
      sample.token = next(segment.history, weight(segment), segment.sampling->seed);
      if (segment.request == fails && segment.history.size() > segment.prompt_tokens)
        sample.failure = "has none";
      result.samples.push_back(std::move(sample));
    }
    return {};
  }

  // What a sequence draws after `history`, whatever the batch.
  static Token next(std::span<const Token> history, std::uint64_t weight, std::uint64_t seed) {
    std::uint64_t sum = weight ^ seed;
    for (const Token token : history) sum = mix64(sum + static_cast<std::uint64_t>(token));
    return static_cast<Token>(sum % 26);
  }

  Duration step_time = std::chrono::milliseconds(10);
  Duration load_time{0};
  std::uint64_t fails = 0;  // a request that gets one token and then none

 private:
  std::uint64_t weight(const Segment& segment) const {
    if (segment.adapter_slot == kBaseModel) return 0;
    const FakeAdapter* adapter = slots_.at(static_cast<std::size_t>(segment.adapter_slot));
    TG_CHECK(adapter != nullptr);
    return adapter->weight;
  }
  std::uint64_t key(const Segment& segment, std::size_t p) const {
    return mix64(weight(segment) + static_cast<std::uint64_t>(segment.history[p]) * 1000003 + p);
  }
  std::uint64_t& row(const Segment& segment, std::size_t p) {
    const BlockId block = segment.blocks[p / capacity_.block_tokens];
    TG_CHECK(block != 0);
    return rows_.at(block * capacity_.block_tokens + p % capacity_.block_tokens);
  }

  ModelFacts facts_;
  Capacity capacity_;
  std::vector<std::uint64_t> rows_;
  std::vector<const FakeAdapter*> slots_;
};

// Token t is the letter 'a' + t; kEos has no text.
class FakeTokenizer final : public Tokenizer {
 public:
  std::size_t vocabulary() const override { return 27; }
  std::vector<Token> encode(std::string_view text, bool) const override {
    std::vector<Token> tokens;
    for (const char c : text) tokens.push_back((c - 'a') % 26);
    return tokens;
  }
  std::unique_ptr<Decoder> decoder(std::span<const Token>, bool) const override {
    return std::make_unique<Letters>();
  }
  std::string piece(Token token) const override { return bytes(token); }
  std::string bytes(Token token) const override {
    return token == FakeModel::kEos ? "" : std::string(1, static_cast<char>('a' + token));
  }
  bool special(Token token) const override { return token == FakeModel::kEos; }
  std::span<const Token> eos() const override { return eos_; }
  Result<std::string> render_chat(const ChatPrompt&) const override { return std::string("chat"); }

 private:
  class Letters final : public Decoder {
   public:
    void push(Token token, std::string& text) override {
      if (token != FakeModel::kEos) text += static_cast<char>('a' + token);
    }
    void finish(std::string&) override {}
  };
  std::vector<Token> eos_ = {FakeModel::kEos};
};

}  // namespace tidegate::batch::testing

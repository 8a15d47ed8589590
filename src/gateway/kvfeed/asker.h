// Asks engines which tokens a prompt has (POST /tokenize), beside its request, and teaches the token map.
//
//   worker:   if (asker.may_ask(key, bytes, seen_before, now)) asker.ask(std::move(question));
//
// The body of the request itself is the question: of completions and chat completions vLLM's /tokenize takes
// what it needs and passes over the rest. What an engine refuses or answers too late is not learnt; the same
// prompt is not asked for again within ten seconds.
//
// Bounds: a budget of bytes a second, 64 questions under way, answers of 16 MiB in five seconds.
//
// Thread: may_ask() and ask() any; the rest the loop's.

#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "gateway/kvfeed/budget.h"
#include "gateway/pick/token_map.h"
#include "gateway/upstream/connection.h"
#include "net/address.h"
#include "net/buffer_pool.h"
#include "net/loop.h"
#include "net/task.h"

namespace tidegate::kvfeed {

struct Question {
  net::Address address;
  std::string host;  // as the head names it
  upstream::SecuredPtr secured;
  std::string body;
  pick::PromptKeys keys;
  std::string adapter;                       // empty: the base model
  std::uint32_t stride = 16;                 // the engine's block size
  std::function<void()> answered = nullptr;  // called on the loop when all is done, whatever came of it
};

// The numbers of "tokens" in an answer. Errors: kInvalid.
Result<std::vector<std::uint32_t>> read_tokens(std::string_view answer);

class Asker {
 public:
  // References outlive the asker. `bytes_per_second`, of each engine; 0: nothing is ever asked.
  Asker(net::Loop& loop, pick::TokenMap& map, std::uint64_t bytes_per_second);

  // How many there are to share the work.
  void set_engines(std::size_t engines) { budget_.set_engines(engines); }

  // `key` stands for what would be learnt.
  bool may_ask(std::uint64_t key, std::uint64_t bytes, bool seen_before, TimePoint now);
  // Requires: may_ask().
  void ask(Question question);

  net::Task<void> stop();

  std::uint64_t learnt() const { return learnt_.load(std::memory_order_relaxed); }
  std::uint64_t failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  struct Asked {
    std::uint64_t key = 0;
    TimePoint at{};
  };
  net::Task<void> carry(std::shared_ptr<Question> question);
  void learn(const Question& question, const Result<std::string>& answer);
  net::Task<Result<std::string>> exchange(Question& question);
  net::Task<Result<std::string>> converse(upstream::Connection& connection, std::string& request);

  net::Loop& loop_;
  pick::TokenMap& map_;
  Budget budget_;
  net::BufferPool buffers_;
  http::HeadLimits head_limits_;
  std::unordered_set<upstream::Connection*> open_;
  net::TaskGroup tasks_;
  bool stopped_ = false;

  std::atomic<int> under_way_{0};
  std::atomic<std::uint64_t> learnt_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::mutex mutex_;
  std::array<Asked, 1024> asked_{};  // lately, each in the place of its key
};

}  // namespace tidegate::kvfeed

// What clients have had of which model, in this minute and this day.
//
// Windows are those of the wall clock, minutes and days of UTC. Usage is charged when it is known, to the
// window that is then.
//
// Thread: Ledger any (a lock, taken when a worker meets a client and model for the first time); Account any,
// lock-free; Books one worker's.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "gateway/guard/ring.h"

namespace tidegate::guard {

// A count that starts anew with every window.
class Window {
 public:
  explicit Window(std::int64_t length_s) : length_s_(length_s) {}
  std::uint64_t used(WallTime now) const;
  void add(std::uint64_t amount, WallTime now);
  Duration resets_in(WallTime now) const;

 private:
  static constexpr int kUsedBits = 40;
  static constexpr std::uint64_t kUsedMax = (std::uint64_t{1} << kUsedBits) - 1;
  std::uint64_t index(WallTime now) const;

  std::int64_t length_s_;
  std::atomic<std::uint64_t> state_{0};  // the window's number above, what was used in it below
};

// How a client stands against one limit. limit 0: there is none.
struct Standing {
  std::uint64_t limit = 0;
  std::uint64_t remaining = 0;
  Duration resets_in{};
};

class Account {
 public:
  enum class Verdict : std::uint8_t { kGo, kTokens, kTokensOfDay, kRequests };
  // Whether one more request may go on; if so it is counted.
  Verdict enter(const Limits& limits, WallTime now);
  void charge(std::uint64_t tokens, WallTime now);

  // Of the token limit that is nearer to its end, and of the requests.
  Standing tokens(const Limits& limits, WallTime now) const;
  Standing requests(const Limits& limits, WallTime now) const;

 private:
  Window minute_tokens_{60};
  Window day_tokens_{86'400};
  Window minute_requests_{60};
};

class Ledger {
 public:
  std::shared_ptr<Account> account(const std::string& client_and_model);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Account>> accounts_;  // guarded by mutex_
};

class Books {
 public:
  explicit Books(Ledger& ledger) : ledger_(ledger) {}
  // `model` must be a name from configuration or an engine, never a client's text: accounts are kept.
  std::shared_ptr<Account> account(const Client& client, std::string_view model);

 private:
  Ledger& ledger_;
  std::string key_;
  std::unordered_map<std::string, std::shared_ptr<Account>> known_;
};

}  // namespace tidegate::guard

#include "gateway/guard/ledger.h"

#include <algorithm>

namespace tidegate::guard {
namespace {

std::int64_t unix_s(WallTime now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
}

Standing standing(const Window& window, std::uint64_t limit, WallTime now) {
  const std::uint64_t used = window.used(now);
  return {limit, limit - std::min(limit, used), window.resets_in(now)};
}

}  // namespace

std::uint64_t Window::index(WallTime now) const {
  constexpr std::uint64_t kIndexMask = (std::uint64_t{1} << (64 - kUsedBits)) - 1;
  return static_cast<std::uint64_t>(unix_s(now) / length_s_) & kIndexMask;
}

std::uint64_t Window::used(WallTime now) const {
  const std::uint64_t state = state_.load(std::memory_order_relaxed);
  return state >> kUsedBits == index(now) ? state & kUsedMax : 0;
}

void Window::add(std::uint64_t amount, WallTime now) {
  const std::uint64_t number = index(now);
  std::uint64_t state = state_.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    const std::uint64_t before = state >> kUsedBits == number ? state & kUsedMax : 0;
    next = number << kUsedBits | std::min(kUsedMax, before + std::min(amount, kUsedMax));
  } while (!state_.compare_exchange_weak(state, next, std::memory_order_relaxed));
}

Duration Window::resets_in(WallTime now) const {
  const auto since = now.time_since_epoch() % std::chrono::seconds(length_s_);
  return std::chrono::seconds(length_s_) - std::chrono::duration_cast<Duration>(since);
}

Account::Verdict Account::enter(const Limits& limits, WallTime now) {
  if (limits.tokens_per_day > 0 && day_tokens_.used(now) >= limits.tokens_per_day)
    return Verdict::kTokensOfDay;
  if (limits.tokens_per_minute > 0 && minute_tokens_.used(now) >= limits.tokens_per_minute)
    return Verdict::kTokens;
  if (limits.requests_per_minute > 0 && minute_requests_.used(now) >= limits.requests_per_minute)
    return Verdict::kRequests;
  minute_requests_.add(1, now);
  return Verdict::kGo;
}

void Account::charge(std::uint64_t tokens, WallTime now) {
  minute_tokens_.add(tokens, now);
  day_tokens_.add(tokens, now);
}

Standing Account::tokens(const Limits& limits, WallTime now) const {
  const Standing minute = standing(minute_tokens_, limits.tokens_per_minute, now);
  const Standing day = standing(day_tokens_, limits.tokens_per_day, now);
  if (day.limit == 0) return minute;
  if (minute.limit == 0) return day;
  return day.remaining < minute.remaining ? day : minute;
}

Standing Account::requests(const Limits& limits, WallTime now) const {
  return standing(minute_requests_, limits.requests_per_minute, now);
}

std::shared_ptr<Account> Ledger::account(const std::string& client_and_model) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Account>& account = accounts_[client_and_model];
  if (!account) account = std::make_shared<Account>();
  return account;
}

std::shared_ptr<Account> Books::account(const Client& client, std::string_view model) {
  key_.assign(client.name).push_back('\0');
  key_.append(model);
  const auto found = known_.find(key_);
  if (found != known_.end()) return found->second;
  return known_.emplace(key_, ledger_.account(key_)).first->second;
}

}  // namespace tidegate::guard

// What the gateway holds about one endpoint for as long as it exists, whatever snapshot names it: its
// counters, what its engine can do, and whether it answers.
//
// Health is learned from traffic as much as from probes. A connection that is refused or breaks before an
// answer takes the endpoint out at once; a scrape that succeeds brings it back. Where nothing scrapes (a
// Service), or only the page is broken, it may be tried again after a pause that doubles with each failure.
// One that scrapes cannot even connect to is not: a request would find the same.
//
// Thread: any, wait-free, unless a member says otherwise.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "gateway/dialect/traits.h"
#include "gateway/fleet/breaker.h"
#include "gateway/flow/gate.h"
#include "gateway/pick/endpoint.h"
#include "gateway/pick/prefix_index.h"
#include "gateway/upstream/secured.h"
#include "net/address.h"

namespace tidegate::fleet {

// When an endpoint is left though it is there.
struct Guard {
  BreakerLimits breaker;
  Duration hang = std::chrono::seconds(60);  // without a byte for anyone; 0: never
};

class Live {
 public:
  Live(std::string key, net::Address address, std::uint32_t adapter_slots, pick::PrefixSlot prefixes = {},
       std::string name = {}, Guard guard = {}, upstream::SecuredPtr secured = nullptr)
      : key_(std::move(key)),
        address_(address),
        address_text_(address.text()),
        name_(name.empty() ? address_text_ : std::move(name)),
        cell_(adapter_slots),
        prefixes_(std::move(prefixes)),
        guard_(guard),
        secured_(std::move(secured)) {}

  const std::string& key() const { return key_; }
  const net::Address& address() const { return address_; }
  const std::string& address_text() const { return address_text_; }
  // The pod's "namespace/name", with "-rank-1" for the second of several ports; the address where there is no
  // pod.
  const std::string& name() const { return name_; }

  // How it is spoken to; null: plain text.
  const upstream::SecuredPtr& secured() const { return secured_; }

  pick::EndpointCell& cell() { return cell_; }
  const pick::EndpointCell& cell() const { return cell_; }
  dialect::AtomicTraits& traits() { return traits_; }
  // Its place in the prefix index.
  pick::PrefixSlot& prefixes() { return prefixes_; }
  pick::PrefixId prefix_id() const { return prefixes_.id(); }

  // How many requests of ours it should have under way.
  flow::Gate& gate() { return gate_; }
  // How many more it takes; scrapes older than `stale` hold nothing back.
  std::uint32_t room(std::uint32_t in_flight, TimePoint now, Duration stale) const {
    const std::uint32_t room = gate_.room(in_flight);
    if (room > 0) return room;
    const pick::EndpointFacts seen = facts(pick::kNoAdapter, now);
    const bool is_stale = seen.age_s > seconds(stale) && seen.age_s < 1e30F;
    return is_stale ? flow::Gate::kOpen : 0;
  }

  // As the picker should see it now.
  pick::EndpointFacts facts(pick::AdapterId adapter, TimePoint now) const {
    pick::EndpointFacts facts;
    observe(adapter, now, facts);
    return facts;
  }
  // The same into a place of the picker's list; `tried` and `prefix_bytes` stay.
  void observe(pick::AdapterId adapter, TimePoint now, pick::EndpointFacts& facts) const {
    cell_.observe(adapter, now, facts);
    if (!facts.healthy && !unreachable_.load(std::memory_order_relaxed))
      facts.healthy = now.time_since_epoch().count() >= retry_at_ns_.load(std::memory_order_relaxed);
    facts.ejected = breaker_.blocks(now) || cell_.hangs(now, guard_.hang);
  }

  // How requests ended there, for the breaker. True if that opened or closed it.
  bool request_failed(TimePoint now) { return breaker_.failed(now, guard_.breaker); }
  bool request_succeeded(TimePoint now) { return breaker_.succeeded(now); }
  void request_sent(TimePoint now) { breaker_.sent(now, guard_.breaker); }
  const Breaker& breaker() const { return breaker_; }
  bool hangs(TimePoint now) const { return cell_.hangs(now, guard_.hang); }

  // It refused, reset or garbled a request. True if it was healthy until now.
  bool failed(TimePoint now) {
    const std::uint32_t before = failures_.fetch_add(1, std::memory_order_relaxed);
    const Duration pause = kFirstPause * (std::int64_t{1} << std::min<std::uint32_t>(before, kDoublingsMax));
    retry_at_ns_.store((now + pause).time_since_epoch().count(), std::memory_order_relaxed);
    const bool was_healthy = cell_.healthy();
    cell_.set_healthy(false);
    return was_healthy;
  }
  // Scrapes go on and cannot connect; only one that succeeds, or an answer, brings it back.
  void set_unreachable() { unreachable_.store(true, std::memory_order_relaxed); }
  // It answered. True if it was unhealthy until now.
  bool answered() {
    if (cell_.healthy()) return false;
    failures_.store(0, std::memory_order_relaxed);
    unreachable_.store(false, std::memory_order_relaxed);
    cell_.set_healthy(true);
    note_trouble({});
    return true;
  }

  // A request found its list of models to be no longer true.
  void doubt_models() { models_doubted_.store(true, std::memory_order_relaxed); }
  bool models_doubted() const { return models_doubted_.load(std::memory_order_relaxed); }
  void believe_models() { models_doubted_.store(false, std::memory_order_relaxed); }

  // Why it is out, for people; empty if it is not. Both take a lock: for when things go wrong. True if that
  // was not known.
  bool note_trouble(std::string_view why) {
    const std::lock_guard held(trouble_mutex_);
    if (trouble_ == why) return false;
    trouble_ = why;
    return true;
  }
  std::string trouble() const {
    const std::lock_guard held(trouble_mutex_);
    return trouble_;
  }

 private:
  static constexpr Duration kFirstPause = std::chrono::milliseconds(500);
  static constexpr std::uint32_t kDoublingsMax = 6;  // up to 32 s

  std::string key_;
  net::Address address_;
  std::string address_text_;
  std::string name_;
  pick::EndpointCell cell_;
  pick::PrefixSlot prefixes_;
  Guard guard_;
  Breaker breaker_;
  const upstream::SecuredPtr secured_;
  dialect::AtomicTraits traits_;
  flow::Gate gate_;
  std::atomic<std::uint32_t> failures_{0};
  std::atomic<std::int64_t> retry_at_ns_{0};
  std::atomic<bool> unreachable_{false};
  std::atomic<bool> models_doubted_{false};
  mutable std::mutex trouble_mutex_;
  std::string trouble_;  // guarded by trouble_mutex_
};

}  // namespace tidegate::fleet

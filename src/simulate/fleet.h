// Modelled engines behind the gateway's own picker: every request is placed by gateway/pick over cells that
// are scraped in virtual time.
//
// A scrape happens for every endpoint at each multiple of the interval. As an engine's state changes only at
// its own events, a scrape is written down just before the first change after it, or when a pick needs it:
// the picker sees what it would have seen, for a fraction of the events.
//
// Thread: one thread.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "gateway/admit/admit.h"
#include "gateway/pick/prefix_index.h"
#include "gateway/pick/rank.h"
#include "simulate/agenda.h"
#include "simulate/engine.h"
#include "simulate/router.h"

namespace tidegate::simulate {

struct FleetSpec {
  EngineSpec engine;
  pick::Settings pick;
  admit::Limits limits;
  Duration scrape_interval = std::chrono::milliseconds(50);
  Router router = Router::kOurs;
  std::uint32_t content_tokens = 512;  // of one block of Job::content
};

using EndpointId = std::uint32_t;

class Fleet {
 public:
  Fleet(FleetSpec spec, std::uint64_t seed);

  EndpointId add(TimePoint now);
  void drain(EndpointId id);  // takes nothing new
  void remove(EndpointId id);

  // Where the job went; or why it went nowhere.
  struct Dispatch {
    std::optional<EndpointId> endpoint;
    admit::Reason refused = admit::Reason::kNone;
  };
  Dispatch dispatch(const Job& job, TimePoint now);

  TimePoint next() const { return agenda_.soonest(); }
  // Goes to next(); returns whose news these are.
  EndpointId advance(std::vector<News>& news);

  const Engine& engine(EndpointId id) const { return *endpoints_[id]->engine; }
  std::uint32_t in_flight(EndpointId id) const { return endpoints_[id]->cell.in_flight(); }
  bool draining(EndpointId id) const { return endpoints_[id]->cell.draining(); }
  std::size_t ready() const { return ready_; }  // that take requests

 private:
  struct Endpoint {
    explicit Endpoint(const EngineSpec& spec) : engine(std::make_unique<Engine>(spec)) {}
    std::unique_ptr<Engine> engine;
    pick::EndpointCell cell;
    pick::PrefixSlot prefix;
    std::int64_t scraped = -1;  // number of the last scrape
  };

  // A job at its endpoint, as the gateway counts it there.
  struct Sent {
    pick::EndpointCell::Ticket ticket = 0;
    std::uint64_t prefill_bytes = 0;  // that have to be computed before its first token
  };

  void scrape(Endpoint& endpoint, TimePoint now) const;
  bool look_up(const Job& job);
  std::optional<std::size_t> pick(std::uint32_t prompt_bytes);
  void note(Endpoint& endpoint, const News& news);

  FleetSpec spec_;
  Random random_;
  pick::Picker picker_;
  pick::PrefixIndex prefixes_;
  pick::PromptKeys keys_;
  pick::PrefixMatch match_;
  std::uint64_t turn_ = 0;
  Agenda agenda_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;  // null: removed, to be used again
  std::vector<EndpointId> listed_;                    // those that are there
  std::vector<Sent> sent_;                            // by job
  std::size_t ready_ = 0;
};

}  // namespace tidegate::simulate

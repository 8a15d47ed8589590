#include "gateway/pick/rank.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <list>
#include <map>
#include <memory>

#include "gateway/pick/scorers/all.h"

namespace tidegate::pick {
namespace {

TimePoint at(std::int64_t ms) { return TimePoint{} + std::chrono::milliseconds(ms); }

EndpointFacts fresh(float waiting = 0, float running = 0, float kv = 0) {
  EndpointFacts facts;
  facts.waiting = waiting;
  facts.running = running;
  facts.kv_usage = kv;
  facts.age_s = 0;
  return facts;
}

Ranking rank(std::vector<EndpointFacts> facts, PickRequest request = {}, std::size_t wanted = 8) {
  Picker picker;
  picker.facts() = std::move(facts);
  Random random(1);
  return picker.rank(request, random, wanted);
}

std::vector<std::uint32_t> order(const Ranking& ranking) {
  return {ranking.view().begin(), ranking.view().end()};
}

TEST(Rank, EachFactMattersAlone) {
  EXPECT_EQ(rank({fresh(3), fresh(1), fresh(2)}).at(0), 1U);
  EXPECT_EQ(rank({fresh(0, 30), fresh(0, 10), fresh(0, 20)}).at(0), 1U);
  EXPECT_EQ(rank({fresh(0, 0, 0.9F), fresh(0, 0, 0.1F)}).at(0), 1U);
  std::vector<EndpointFacts> facts(3, fresh());
  facts[0].in_flight = facts[2].in_flight = 2;
  EXPECT_EQ(rank(facts).at(0), 1U);
  facts = std::vector<EndpointFacts>(3, fresh());
  facts[0].adapter = AdapterPlace::kFull;
  facts[1].adapter = AdapterPlace::kRoom;
  facts[2].adapter = AdapterPlace::kResident;
  EXPECT_EQ(order(rank(facts)), (std::vector<std::uint32_t>{2, 1, 0}));
  facts = std::vector<EndpointFacts>(3, fresh());
  facts[0].prefix_bytes = 1024;
  facts[1].prefix_bytes = 4096;
  EXPECT_EQ(order(rank(facts)), (std::vector<std::uint32_t>{1, 0, 2}));
}

TEST(Rank, WhatCannotServeIsLeftOut) {
  std::vector<EndpointFacts> facts(4, fresh());
  facts[0].draining = true;
  facts[1].tried = true;
  facts[2].healthy = false;
  EXPECT_EQ(order(rank(facts)), (std::vector<std::uint32_t>{3}));
  facts[3].tried = true;  // only the unhealthy one is left: better tried than nothing
  EXPECT_EQ(order(rank(facts)), (std::vector<std::uint32_t>{2}));
  facts[2].draining = true;
  EXPECT_TRUE(rank(facts).empty());
  EXPECT_TRUE(rank({}).empty());
}

TEST(Rank, SheddableRequestsKeepAwayFromBusyEndpoints) {
  // By score alone the first would win: its queue is long but everything else is better.
  std::vector<EndpointFacts> facts = {fresh(6, 0, 0), fresh(5, 90, 0.8F)};
  EXPECT_EQ(rank(facts).at(0), 0U);
  EXPECT_EQ(order(rank(facts, {Criticality::kSheddable})), (std::vector<std::uint32_t>{1}));
  facts[1].kv_usage = 0.81F;
  EXPECT_EQ(rank(facts, {Criticality::kSheddable}).size(), 2U);
}

TEST(Rank, EqualEndpointsShareAlike) {
  Picker picker;
  Random random(3);
  std::map<std::uint32_t, int> first;
  for (int i = 0; i < 10'000; ++i) {
    picker.facts().assign(5, fresh(1, 2, 0.3F));
    ++first[picker.rank({}, random, 1).at(0)];
  }
  for (const auto& [index, count] : first) EXPECT_NEAR(count, 2000, 200) << index;
}

TEST(Rank, EqualInputsGiveEqualAnswers) {
  std::vector<EndpointFacts> facts(7, fresh(1));
  EXPECT_EQ(order(rank(facts)), order(rank(facts)));
}

TEST(Rank, StaleFactsFadeToAverageAndTrafficGoesOn) {
  Settings settings;
  EXPECT_FLOAT_EQ(confidence(0, settings), 1);
  EXPECT_FLOAT_EQ(confidence(0.5F, settings), 1);
  EXPECT_GT(confidence(2, settings), confidence(4, settings));
  EXPECT_FLOAT_EQ(confidence(10, settings), 0);
  EXPECT_FLOAT_EQ(confidence(std::numeric_limits<float>::infinity(), settings), 0);

  // An idle-looking endpoint that fell silent is no longer the first choice, nor the last.
  std::vector<EndpointFacts> facts = {fresh(0), fresh(2), fresh(8)};
  EXPECT_EQ(rank(facts).at(0), 0U);
  facts[0].age_s = 60;
  EXPECT_EQ(order(rank(facts)), (std::vector<std::uint32_t>{1, 0, 2}));
  // With no scrape at all our own counts decide.
  for (EndpointFacts& f : facts) f.age_s = std::numeric_limits<float>::infinity();
  facts[0].in_flight = 5;
  facts[1].in_flight = 1;
  facts[2].in_flight = 3;
  EXPECT_EQ(order(rank(facts)), (std::vector<std::uint32_t>{1, 2, 0}));
}

TEST(Rank, AHeldPrefixOutweighsASmallLeadInLoadButNotTheBound) {
  std::vector<EndpointFacts> facts(4, fresh(0, 8));
  facts[0].prefix_bytes = 40'000;
  facts[0].unseen = facts[0].in_flight = 2;
  EXPECT_EQ(rank(facts).at(0), 0U);
  facts[0].unseen = facts[0].in_flight = 6;
  EXPECT_NE(rank(facts).at(0), 0U);
}

TEST(Rank, AnEndpointWithMuchToComputeIsAvoidedUnlessItHoldsThePrompt) {
  std::vector<EndpointFacts> facts(3, fresh());
  facts[0].prefill_bytes = facts[1].prefill_bytes = 60'000;
  EXPECT_EQ(rank(facts, {.prompt_bytes = 30'000}).at(0), 2U);
  facts[1].prefix_bytes = 30'000;
  EXPECT_EQ(rank(facts, {.prompt_bytes = 30'000}).at(0), 1U);
}

TEST(Rank, ASessionStaysOrIsPinned) {
  Settings settings;
  settings.weights.session = 3;
  std::vector<EndpointFacts> facts(4, fresh(0, 8));
  facts[2].session = true;
  facts[2].running = 9;
  EXPECT_EQ(rank(facts, {.settings = &settings}).at(0), 2U);
  facts[2].waiting = 50;
  EXPECT_NE(rank(facts, {.settings = &settings}).at(0), 2U);
  settings.session.pins = true;
  EXPECT_EQ(order(rank(facts, {.settings = &settings})), (std::vector<std::uint32_t>{2}));
  facts[2].draining = true;
  EXPECT_EQ(rank(facts, {.settings = &settings}).size(), 3U);
}

TEST(Rank, ChanceMayChoose) {
  Settings settings;
  settings.weights = {0, 0, 1, 0, 0, 0, 0, 0};  // free KV cache alone
  std::vector<EndpointFacts> facts = {fresh(0, 0, 0.2F), fresh(0, 0, 0.8F), fresh(0, 0, 1)};
  for (const Choice choice : {Choice::kRandom, Choice::kWeightedRandom}) {
    settings.choice = choice;
    Picker picker(settings);
    Random random(5);
    std::map<std::uint32_t, int> first;
    for (int i = 0; i < 10'000; ++i) {
      picker.facts() = facts;
      ++first[picker.rank({}, random, 1).at(0)];
    }
    const bool even = choice == Choice::kRandom;
    EXPECT_NEAR(first[0], even ? 3333 : 8000, 250);
    EXPECT_NEAR(first[1], even ? 3333 : 2000, 250);
    EXPECT_NEAR(first[2], even ? 3333 : 0, 250);
  }
}

TEST(Rank, AffinityEndsAtTheLoadBound) {
  std::vector<EndpointFacts> facts(4, fresh(0, 8));
  for (EndpointFacts& f : facts) f.adapter = AdapterPlace::kFull;
  facts[0].adapter = AdapterPlace::kResident;
  EXPECT_EQ(rank(facts).at(0), 0U);
  facts[0].unseen = facts[0].in_flight = 6;  // load 14 of a mean 9.5: over 1.25 * 9.5 + 2
  EXPECT_NE(rank(facts).at(0), 0U);
}

TEST(Rank, ALongPrefixIsLeftLaterThanAShortOne) {
  std::vector<EndpointFacts> facts(4, fresh(0, 4));
  const auto goes_to_holder = [&](std::uint32_t held, std::uint32_t load) {
    facts[0].prefix_bytes = held;
    facts[0].unseen = facts[0].in_flight = load;
    Settings settings;
    settings.weights.prefix = 100;
    settings.weights.tokens = 0;
    Picker picker(settings);
    picker.facts() = facts;
    Random random(1);
    return picker.rank({.prompt_bytes = 300'000}, random, 1).at(0) == 0;
  };
  EXPECT_FALSE(goes_to_holder(8'000, 10));  // load 14 of a mean 6.5: over 1.25 * 6.5 + 2, not over twice that
  EXPECT_FALSE(goes_to_holder(64'000, 10));
  EXPECT_TRUE(goes_to_holder(120'000, 10));
  EXPECT_TRUE(goes_to_holder(300'000, 10));
  EXPECT_FALSE(goes_to_holder(300'000, 40));
}

// However much affinity weighs: everybody wants what one endpoint holds, and nothing ever ends.
TEST(Rank, WhatAllWantDoesNotDrownItsHolder) {
  Settings settings;
  settings.weights.prefix = settings.weights.lora = 1000;
  Picker picker(settings);
  Random random(11);
  std::vector<std::uint32_t> sent(8);
  for (std::uint32_t i = 0; i < 2000; ++i) {
    picker.facts().assign(sent.size(), fresh());
    for (std::size_t e = 0; e < sent.size(); ++e) {
      picker.facts()[e].unseen = picker.facts()[e].in_flight = sent[e];
      picker.facts()[e].adapter = AdapterPlace::kFull;
    }
    picker.facts()[0].adapter = AdapterPlace::kResident;
    picker.facts()[0].prefix_bytes = 100'000;
    const float mean = static_cast<float>(i) / 8;
    const float bound =
        100'000.0F / 65'536 * (settings.affinity_load_max * mean + settings.affinity_load_slack);
    ++sent[picker.rank({}, random, 1).at(0)];
    ASSERT_LE(static_cast<float>(sent[0]), bound + 1) << i;
  }
  EXPECT_GT(sent[0], 300U);  // and up to the bound it is preferred
}

// The twin: the same definition, written as plainly as it can be, over every endpoint and fully sorted.
struct Scored {
  double total;
  std::uint32_t index;
};

std::vector<Scored> plain_rank(const std::vector<EndpointFacts>& facts, Criticality criticality,
                               std::uint32_t prompt_bytes, const Settings& s) {
  std::vector<std::uint32_t> usable;
  for (std::uint32_t i = 0; i < facts.size(); ++i) {
    if (!facts[i].draining && !facts[i].tried) usable.push_back(i);
  }
  const auto keep = [&](auto passes) {
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t i : usable) {
      if (passes(facts[i])) kept.push_back(i);
    }
    if (!kept.empty()) usable = kept;
  };
  keep([](const EndpointFacts& f) { return f.healthy; });
  if (s.session.pins) keep([](const EndpointFacts& f) { return f.session; });
  if (criticality == Criticality::kSheddable) {
    keep([&](const EndpointFacts& f) {
      return f.waiting + static_cast<float>(f.unseen) <= s.headroom_waiting && f.kv_usage <= s.headroom_kv;
    });
  }
  const auto trust = [&](const EndpointFacts& f) -> double {
    if (f.age_s <= 0.5) return 1;
    return f.age_s >= 10 ? 0 : (10 - f.age_s) / 9.5;
  };
  const auto blended = [&](std::uint32_t i, auto value) {
    double sum = 0;
    double weight = 0;
    for (const std::uint32_t j : usable) {
      sum += trust(facts[j]) * value(facts[j]);
      weight += trust(facts[j]);
    }
    const double average = weight > 0 ? sum / weight : 0;
    return trust(facts[i]) * value(facts[i]) + (1 - trust(facts[i])) * average;
  };
  const auto queue = [&](std::uint32_t i) {
    return blended(i, [](const EndpointFacts& f) { return f.waiting; }) + facts[i].unseen;
  };
  const auto running = [&](std::uint32_t i) {
    return blended(i, [](const EndpointFacts& f) { return f.running; });
  };
  const auto in_flight = [&](std::uint32_t i) { return static_cast<double>(facts[i].in_flight); };
  const auto load = [&](std::uint32_t i) { return std::max(queue(i) + running(i), in_flight(i)); };
  const auto mean = [&](auto value) {
    double sum = 0;
    for (const std::uint32_t j : usable) sum += value(j);
    return usable.empty() ? 0 : sum / static_cast<double>(usable.size());
  };
  const auto count_score = [&](std::uint32_t i, auto value) {
    const double k = 4 + mean(value);
    return k / (k + value(i));
  };
  const auto prefill = [&](std::uint32_t i) {
    return static_cast<double>(facts[i].prefill_bytes) +
           std::max(0.0, static_cast<double>(prompt_bytes) - facts[i].prefix_bytes);
  };
  std::vector<Scored> scored;
  double longest = s.prefix_full_bytes;
  for (const std::uint32_t i : usable) longest = std::max<double>(longest, facts[i].prefix_bytes);
  for (const std::uint32_t i : usable) {
    double lora = 0;
    if (load(i) <= s.affinity_load_max * mean(load) + s.affinity_load_slack) {
      if (facts[i].adapter == AdapterPlace::kResident) lora = 1;
      if (facts[i].adapter == AdapterPlace::kRoom) lora = 0.5;
    }
    const bool bounded = load(i) <= s.affinity_load_max * mean(load) + s.affinity_load_slack;
    const double rise = std::clamp(facts[i].prefix_bytes / 65'536.0, 1.0, 2.0);
    const bool counts = load(i) <= rise * (s.affinity_load_max * mean(load) + s.affinity_load_slack);
    const double prefix = counts ? facts[i].prefix_bytes / longest : 0;
    const double kv = 1 - blended(i, [](const EndpointFacts& f) { return f.kv_usage; });
    scored.push_back({s.weights.queue * count_score(i, queue) + s.weights.running * count_score(i, running) +
                          s.weights.kv * kv + s.weights.in_flight * count_score(i, in_flight) +
                          s.weights.lora * lora + s.weights.prefix * prefix +
                          s.weights.tokens * (8192 + mean(prefill)) / (8192 + mean(prefill) + prefill(i)) +
                          s.weights.session * (bounded && facts[i].session ? 1 : 0),
                      i});
  }
  std::sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) { return a.total > b.total; });
  return scored;
}

TEST(Rank, AgreesWithThePlainDefinition) {
  Random random(99);
  for (int round = 0; round < 3000; ++round) {
    std::vector<EndpointFacts> facts(random.below(24));
    for (EndpointFacts& f : facts) {
      f = fresh(static_cast<float>(random.below(20)), static_cast<float>(random.below(64)),
                static_cast<float>(random.unit()));
      const auto age = random.below(4);
      f.age_s = age == 0   ? std::numeric_limits<float>::infinity()
                : age == 1 ? static_cast<float>(random.unit() * 12)
                           : 0.1F;
      f.in_flight = static_cast<std::uint32_t>(random.below(40));
      f.unseen = static_cast<std::uint32_t>(random.below(f.in_flight + 1));
      f.healthy = random.below(5) != 0;
      f.draining = random.below(8) == 0;
      f.tried = random.below(8) == 0;
      f.adapter = static_cast<AdapterPlace>(random.below(4));
      f.prefill_bytes = random.below(100'000);
      f.session = random.below(6) == 0;
      f.prefix_bytes = random.below(2) == 0 ? 0 : static_cast<std::uint32_t>(random.below(5000));
      if (random.below(4) == 0) f.prefix_bytes *= 40;
    }
    const auto criticality = static_cast<Criticality>(random.below(3));
    Settings settings;
    settings.weights.session = 2;
    settings.session.pins = random.below(4) == 0;
    const auto expected = plain_rank(facts, criticality, 3000, settings);
    const std::size_t wanted = random.below(Ranking::kMax + 1);
    const Ranking got = rank(facts, {criticality, 3000, &settings}, wanted);
    ASSERT_EQ(got.size(), std::min(wanted, expected.size()));
    std::map<std::uint32_t, double> total;
    for (const Scored& scored : expected) total[scored.index] = scored.total;
    for (std::size_t place = 0; place < got.size(); ++place) {
      ASSERT_TRUE(total.contains(got.at(place)));
      // Float sums may swap two that are all but equal.
      ASSERT_NEAR(total[got.at(place)], expected[place].total, 1e-4)
          << "round " << round << " place " << place;
    }
  }
}

// A pool of cells driven as the gateway drives it.
struct Pool {
  explicit Pool(std::size_t size, std::uint32_t slots = 4) {
    for (std::size_t i = 0; i < size; ++i) cells.push_back(std::make_unique<EndpointCell>(slots));
  }
  std::uint32_t pick(AdapterId adapter, TimePoint now) {
    picker.facts().clear();
    for (const auto& cell : cells) picker.facts().push_back(cell->facts(adapter, now));
    return picker.rank({}, random, 1).at(0);
  }
  std::vector<std::unique_ptr<EndpointCell>> cells;
  Picker picker;
  Random random{17};
};

TEST(Herd, ABurstBetweenTwoScrapesSpreadsEvenly) {
  for (const std::size_t size : {2U, 10U, 37U}) {
    Pool pool(size);
    for (const auto& cell : pool.cells) cell->publish({0, 0, 0}, cell->mark(), at(0));
    std::vector<int> count(size);
    for (int i = 0; i < 1000; ++i) {
      const std::uint32_t chosen = pool.pick(kNoAdapter, at(10));
      pool.cells[chosen]->dispatch();
      ++count[chosen];
    }
    const auto [least, most] = std::minmax_element(count.begin(), count.end());
    EXPECT_LE(*most - *least, 1) << size;
  }
}

TEST(Herd, AnEmptierEndpointIsFilledUpNotFlooded) {
  Pool pool(4);
  for (std::size_t i = 0; i < 4; ++i) {
    pool.cells[i]->publish({i == 0 ? 0.0F : 40.0F, 0, 0}, pool.cells[i]->mark(), at(0));
  }
  std::vector<int> count(4);
  for (int i = 0; i < 200; ++i) {
    const std::uint32_t chosen = pool.pick(kNoAdapter, at(10));
    pool.cells[chosen]->dispatch();
    ++count[chosen];
  }
  EXPECT_GT(count[0], 55);  // it takes the lion's share until it is as full as the others
  EXPECT_LT(count[0], 100);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_GT(count[i], 25);
}

// Requests of fixed length over endpoints that hold `slots` adapters each, scraped every 50 ms with vLLM's
// view (running counts). Counts the adapter loads an engine would make.
struct Affinity {
  int loads = 0;
  double busiest_over_mean = 0;   // of requests served
  std::uint32_t peak_excess = 0;  // most requests one endpoint held above the pool's mean
};

Affinity run_affinity(bool use_picker, std::size_t endpoints, std::size_t adapters, int per_tick) {
  constexpr std::uint32_t kSlots = 4;
  Pool pool(endpoints, kSlots);
  struct Running {
    std::int64_t ends;
    std::uint32_t endpoint;
    EndpointCell::Ticket ticket;
  };
  std::deque<Running> running;
  std::vector<std::list<AdapterId>> engine(endpoints);  // the engine's own LRU of loaded adapters
  std::vector<int> served(endpoints);
  Affinity result;
  Random draw(5);
  for (std::int64_t ms = 0; ms < 20'000; ++ms) {
    while (!running.empty() && running.front().ends <= ms) {
      pool.cells[running.front().endpoint]->finish(running.front().ticket);
      running.pop_front();
    }
    if (ms % 50 == 0) {
      for (const auto& cell : pool.cells) {
        cell->publish({0, static_cast<float>(cell->in_flight()), 0.1F}, cell->mark(), at(ms));
      }
    }
    if (ms % 5 != 0) continue;
    for (int i = 0; i < per_tick; ++i) {
      const auto adapter = static_cast<AdapterId>(1 + draw.below(adapters));
      const std::uint32_t chosen =
          use_picker ? pool.pick(adapter, at(ms)) : static_cast<std::uint32_t>(draw.below(endpoints));
      running.push_back({ms + 300, chosen, pool.cells[chosen]->dispatch()});
      pool.cells[chosen]->residency().touch(adapter, at(ms));
      ++served[chosen];
      auto& loaded = engine[chosen];
      const auto place = std::find(loaded.begin(), loaded.end(), adapter);
      if (place == loaded.end()) {
        ++result.loads;
      } else {
        loaded.erase(place);
      }
      loaded.push_front(adapter);
      if (loaded.size() > kSlots) loaded.pop_back();
      const auto mean = static_cast<std::uint32_t>(running.size() / endpoints);
      const std::uint32_t held = pool.cells[chosen]->in_flight();
      if (held > mean) result.peak_excess = std::max(result.peak_excess, held - mean);
    }
  }
  double sum = 0;
  for (const int count : served) sum += count;
  result.busiest_over_mean =
      *std::max_element(served.begin(), served.end()) / (sum / static_cast<double>(endpoints));
  return result;
}

TEST(Affinity, AdaptersStayWhereTheyAreWithoutOverloadingAnyone) {
  for (const int per_tick : {1, 4}) {
    for (const std::size_t endpoints : {3U, 6U}) {
      const Affinity picked = run_affinity(true, endpoints, 10, per_tick);
      const Affinity random = run_affinity(false, endpoints, 10, per_tick);
      EXPECT_LT(picked.loads * 10, random.loads) << endpoints << " endpoints, " << per_tick << " per tick";
      EXPECT_LT(picked.busiest_over_mean, 1.25) << endpoints << " endpoints, " << per_tick << " per tick";
      std::printf(
          "%zu endpoints, %d per 5 ms: %d loads (random %d), busiest %.2f of the mean (random %.2f), peak "
          "excess %u (random %u)\n",
          endpoints, per_tick, picked.loads, random.loads, picked.busiest_over_mean, random.busiest_over_mean,
          picked.peak_excess, random.peak_excess);
    }
  }
}

}  // namespace
}  // namespace tidegate::pick

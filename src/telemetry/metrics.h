// Counters, gauges and histograms for workers that share nothing.
//
//   Registry registry(workers + 1);                         // one shard per writing thread
//   CounterFamily& requests = registry.counter("istio_requests_total", "Requests answered.", {"model",
//   "code"}); Counter ok = requests.with(shard, {"lora-request", "200"});   // once, at set-up ok.add(); //
//   per request: load, add, store
//
// A handle (Counter, Gauge, Histogram) writes memory that belongs to its shard alone; a scrape adds the
// shards up. What a scrape reads is each word's latest value, not one moment over all words; a histogram's
// _count is the sum of the buckets it just read, so `+Inf` always equals `_count`.
//
// Label values come from configuration (routes, models, endpoints), never straight from a request. As a
// second guard every family has a limit of label sets; further ones fold into "other" and are counted in
// tidegate_telemetry_folded_label_sets_total. Values are cut at 256 bytes and repaired to valid UTF-8,
// because one bad byte would fail the whole scrape.
//
// remove() forgets a label set whose subject went (an endpoint). Handles to it stay safe to use, and their
// additions go nowhere.
//
// Thread: Registry and families from any thread (one lock, set-up and scrape only). A handle belongs to one
// thread. A handle must not outlive its Registry; a default-made handle accepts and drops everything.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/cells.h"
#include "telemetry/exposition.h"

namespace tidegate::telemetry {

inline constexpr std::size_t kLabelSetsMax = 1000;  // per family, unless the family says otherwise

namespace detail {

struct Series;
class Family;

inline void add(Word& word, std::uint64_t by) {
  word.store(word.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
inline double as_double(const Word& word) {
  return std::bit_cast<double>(word.load(std::memory_order_relaxed));
}
inline void set_double(Word& word, double value) {
  word.store(std::bit_cast<std::uint64_t>(value), std::memory_order_relaxed);
}

// How many of the bounds lie below `value`, four at a time and without a branch: with a few dozen bounds that
// beats a search. Requires: the array reads on to a multiple of 4 with bounds that are not below anything
// (+Inf).
inline std::size_t bounds_below(const double* bounds, std::size_t count, double value) {
  using Doubles = double __attribute__((vector_size(16)));
  using Masks = std::int64_t __attribute__((vector_size(16)));
  const Doubles wanted = {value, value};
  Masks first = {0, 0};
  Masks second = {0, 0};
  for (std::size_t i = 0; i < count; i += 4) {
    Doubles a;
    Doubles b;
    std::memcpy(&a, bounds + i, sizeof(a));
    std::memcpy(&b, bounds + i + 2, sizeof(b));
    first -= a < wanted;  // a comparison that holds is -1
    second -= b < wanted;
  }
  first += second;
  return static_cast<std::size_t>(first[0] + first[1]);
}

}  // namespace detail

// A total that only grows.
class Counter {
 public:
  Counter() = default;
  void add(std::uint64_t by = 1) {
    if (cell_ != nullptr) [[likely]]
      detail::add(*cell_, by);
  }
  // What this shard has counted; for tests and for decisions on the same thread.
  std::uint64_t value() const { return cell_ == nullptr ? 0 : cell_->load(std::memory_order_relaxed); }

 private:
  friend class CounterFamily;
  Counter(std::shared_ptr<detail::Series> series, Word* cell) : series_(std::move(series)), cell_(cell) {}
  std::shared_ptr<detail::Series> series_;  // keeps the memory
  Word* cell_ = nullptr;
};

// A level. The value scraped is the sum over the shards: workers add and subtract what they hold, or one
// thread sets.
class Gauge {
 public:
  Gauge() = default;
  void set(double value) {
    if (cell_ != nullptr) [[likely]]
      detail::set_double(*cell_, value);
  }
  void add(double by = 1) {
    if (cell_ != nullptr) [[likely]]
      detail::set_double(*cell_, detail::as_double(*cell_) + by);
  }
  double value() const { return cell_ == nullptr ? 0 : detail::as_double(*cell_); }

 private:
  friend class GaugeFamily;
  Gauge(std::shared_ptr<detail::Series> series, Word* cell) : series_(std::move(series)), cell_(cell) {}
  std::shared_ptr<detail::Series> series_;
  Word* cell_ = nullptr;
};

// A distribution over fixed bounds. A value equal to a bound belongs to that bound's bucket (`le`).
class Histogram {
 public:
  Histogram() = default;
  void observe(double value) {
    if (buckets_ == nullptr || value != value) [[unlikely]]
      return;  // NaN would poison the sum for ever
    const std::size_t bucket = detail::bounds_below(bounds_, bounds_count_, value);
    detail::add(buckets_[bucket], 1);
    Word& sum = buckets_[bounds_count_ + 1];
    detail::set_double(sum, detail::as_double(sum) + value);
  }
  std::uint64_t count() const;

 private:
  friend class HistogramFamily;
  Histogram(std::shared_ptr<detail::Series> series, Word* buckets, const double* bounds, std::size_t count)
      : series_(std::move(series)), buckets_(buckets), bounds_(bounds), bounds_count_(count) {}
  std::shared_ptr<detail::Series> series_;
  Word* buckets_ = nullptr;         // one per bound, one for +Inf, then the sum as the bits of a double
  const double* bounds_ = nullptr;  // padded, see detail::bounds_below
  std::size_t bounds_count_ = 0;
};

// Label values in the order of the family's label names.
using LabelValues = std::vector<std::string>;

// What the three kinds of family have in common. Made by Registry, lives as long.
class FamilyBase {
 public:
  explicit FamilyBase(detail::Family& family) : family_(&family) {}
  // Forgets one label set; true if there was one.
  bool remove(const LabelValues& values);
  // Forgets every label set whose label `name` has this value (an endpoint in many models); how many there
  // were.
  std::size_t remove_where(std::string_view name, std::string_view value);
  std::size_t size() const;

 protected:
  detail::Family* family_;
};

class CounterFamily final : public FamilyBase {
 public:
  using FamilyBase::FamilyBase;
  // The handle of one label set on one shard; makes it at 0, so that it shows before its first event.
  // Requires: shard < the registry's shards, one value per label.
  Counter with(std::size_t shard, const LabelValues& values = {});
};

class GaugeFamily final : public FamilyBase {
 public:
  using FamilyBase::FamilyBase;
  Gauge with(std::size_t shard, const LabelValues& values = {});
};

class HistogramFamily final : public FamilyBase {
 public:
  using FamilyBase::FamilyBase;
  Histogram with(std::size_t shard, const LabelValues& values = {});
};

struct FamilyOptions {
  std::size_t label_sets_max = kLabelSetsMax;
  // The labels that become "other" beyond the limit; empty means all of them.
  std::vector<std::string> folds = {};
};

class Registry {
 public:
  // One shard per thread that writes. Requires: shards > 0.
  explicit Registry(std::size_t shards);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Asking twice for a name gives the same family. Requires: names legal in Prometheus, the same kind, labels
  // and bounds each time; bounds ascending, finite and at most 64.
  CounterFamily& counter(std::string_view name, std::string_view help, std::vector<std::string> labels = {},
                         FamilyOptions options = {});
  GaugeFamily& gauge(std::string_view name, std::string_view help, std::vector<std::string> labels = {},
                     FamilyOptions options = {});
  HistogramFamily& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                             std::vector<std::string> labels = {}, FamilyOptions options = {});

  // Asked at every scrape, on the scraping thread, for families whose values are read rather than counted
  // (process, fleet). It writes whole families of names that nobody else uses and must not call this
  // registry.
  void add_collector(std::function<void(ExpositionWriter&)> collector);

  // All families in the order they were made, then the collectors', as one document.
  std::string scrape(Format format) const;

  std::size_t shards() const;
  std::size_t bytes() const;  // memory held for cells

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::telemetry

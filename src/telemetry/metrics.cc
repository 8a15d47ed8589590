#include "telemetry/metrics.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <mutex>

#include "base/check.h"

namespace tidegate::telemetry {
namespace detail {

// One lock for set-up and scrape, and the memory of each shard. Handles never take the lock to write.
struct Core {
  explicit Core(std::size_t shards) : arenas(shards) {}
  std::mutex mutex;
  std::vector<CellArena> arenas;
};

// One label set of a family: its values and, per shard that asked, its words.
struct Series {
  Series(std::shared_ptr<Core> owner, std::size_t run_words, LabelValues label_values)
      : core(std::move(owner)),
        words(run_words),
        values(std::move(label_values)),
        cells(core->arenas.size()) {}
  Series(const Series&) = delete;
  Series& operator=(const Series&) = delete;

  // Runs when the family has forgotten the label set and the last handle is gone; takes the lock, so nobody
  // may drop the last reference while holding it.
  ~Series() {
    const std::lock_guard lock(core->mutex);
    for (std::size_t shard = 0; shard < cells.size(); ++shard) {
      if (cells[shard] != nullptr) core->arenas[shard].release(cells[shard], words);
    }
  }

  std::shared_ptr<Core> core;
  std::size_t words;
  LabelValues values;
  std::vector<Word*> cells;  // by shard; null where no handle was asked for
};

class Family {
 public:
  Family(std::shared_ptr<Core> core, Kind kind, std::string_view name, std::string_view help,
         std::vector<std::string> labels, std::vector<double> bounds, FamilyOptions options)
      : core_(std::move(core)),
        kind_(kind),
        name_(name),
        help_(help),
        labels_(std::move(labels)),
        bounds_(std::move(bounds)),
        padded_bounds_(bounds_),
        sets_max_(options.label_sets_max) {
    padded_bounds_.resize((bounds_.size() + 3) / 4 * 4, std::numeric_limits<double>::infinity());
    for (const std::string& label : labels_) {
      TG_CHECK(is_label_name(label) && label != "le");
      folds_.push_back(options.folds.empty() ||
                       std::count(options.folds.begin(), options.folds.end(), label) > 0);
    }
  }

  // The face that set-up code holds; the family's kind says which one is given out.
  CounterFamily counter{*this};
  GaugeFamily gauge{*this};
  HistogramFamily histogram{*this};

  bool same(Kind kind, const std::vector<std::string>& labels, const std::vector<double>& bounds) const {
    return kind_ == kind && labels_ == labels && bounds_ == bounds;
  }
  const std::string& name() const { return name_; }
  const double* padded_bounds() const { return padded_bounds_.data(); }
  std::size_t bounds_count() const { return bounds_.size(); }
  std::uint64_t folded() const { return folded_; }  // under the lock

  std::pair<std::shared_ptr<Series>, Word*> with(std::size_t shard, const LabelValues& values) {
    TG_CHECK(shard < core_->arenas.size() && values.size() == labels_.size());
    LabelValues clean;
    clean.reserve(values.size());
    for (const std::string& value : values) clean.push_back(clean_label_value(value));
    const std::lock_guard lock(core_->mutex);
    std::shared_ptr<Series> series = find_or_make(std::move(clean));
    Word*& cell = series->cells[shard];
    if (cell == nullptr) cell = core_->arenas[shard].allocate(series->words);
    return {series, cell};
  }

  std::size_t remove_if(const std::function<bool(const LabelValues&)>& matches) {
    std::vector<std::shared_ptr<Series>> gone;  // destroyed after the lock is free
    {
      const std::lock_guard lock(core_->mutex);
      for (auto it = series_.begin(); it != series_.end();) {
        if (matches(it->first)) {
          gone.push_back(std::move(it->second));
          it = series_.erase(it);
        } else {
          ++it;
        }
      }
    }
    return gone.size();
  }

  std::size_t label_index(std::string_view name) const {
    const auto found = std::find(labels_.begin(), labels_.end(), name);
    TG_CHECK(found != labels_.end());
    return static_cast<std::size_t>(found - labels_.begin());
  }

  std::size_t size() const {
    const std::lock_guard lock(core_->mutex);
    return series_.size();
  }

  // Under the lock.
  void write(ExpositionWriter& writer) const {
    if (series_.empty()) return;
    writer.family(kind_, name_, help_);
    std::vector<std::pair<std::string_view, std::string_view>> pairs(labels_.size());
    for (const auto& [values, series] : series_) {
      for (std::size_t i = 0; i < labels_.size(); ++i) pairs[i] = {labels_[i], values[i]};
      write_series(writer, pairs, *series);
    }
  }

 private:
  std::size_t run_words() const { return kind_ == Kind::kHistogram ? bounds_.size() + 2 : 1; }

  std::shared_ptr<Series> find_or_make(LabelValues values) {
    if (const auto found = series_.find(values); found != series_.end()) return found->second;
    if (series_.size() >= sets_max_ && !labels_.empty()) {
      ++folded_;
      // Labels that do not fold could still multiply; past twice the limit all of them fold.
      const bool all = series_.size() >= 2 * sets_max_;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (all || folds_[i]) values[i] = "other";
      }
      if (const auto found = series_.find(values); found != series_.end()) return found->second;
    }
    auto series = std::make_shared<Series>(core_, run_words(), values);
    series_.emplace(std::move(values), series);
    return series;
  }

  void write_series(ExpositionWriter& writer, ExpositionWriter::Labels pairs, const Series& series) const {
    if (kind_ == Kind::kHistogram) {
      std::vector<std::uint64_t> counts(bounds_.size() + 1, 0);
      double sum = 0;
      for (const Word* cell : series.cells) {
        if (cell == nullptr) continue;
        for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += cell[i].load(std::memory_order_relaxed);
        sum += as_double(cell[counts.size()]);
      }
      writer.histogram(pairs, bounds_, counts, sum);
      return;
    }
    std::uint64_t whole = 0;
    double level = 0;
    for (const Word* cell : series.cells) {
      if (cell == nullptr) continue;
      if (kind_ == Kind::kCounter) {
        whole += cell->load(std::memory_order_relaxed);
      } else {
        level += as_double(*cell);
      }
    }
    if (kind_ == Kind::kCounter) {
      writer.sample(pairs, whole);
    } else {
      writer.sample(pairs, level);
    }
  }

  std::shared_ptr<Core> core_;
  Kind kind_;
  std::string name_;
  std::string help_;
  std::vector<std::string> labels_;
  std::vector<bool> folds_;  // by label
  std::vector<double> bounds_;
  std::vector<double> padded_bounds_;  // up to a multiple of 4 with +Inf, for detail::bounds_below
  std::size_t sets_max_;
  std::map<LabelValues, std::shared_ptr<Series>> series_;
  std::uint64_t folded_ = 0;
};

}  // namespace detail

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  if (buckets_ == nullptr) return total;
  for (std::size_t i = 0; i <= bounds_count_; ++i) total += buckets_[i].load(std::memory_order_relaxed);
  return total;
}

bool FamilyBase::remove(const LabelValues& values) {
  LabelValues clean;
  for (const std::string& value : values) clean.push_back(clean_label_value(value));
  return family_->remove_if([&](const LabelValues& candidate) { return candidate == clean; }) > 0;
}

std::size_t FamilyBase::remove_where(std::string_view name, std::string_view value) {
  const std::size_t index = family_->label_index(name);
  const std::string clean = clean_label_value(value);
  return family_->remove_if([&](const LabelValues& candidate) { return candidate[index] == clean; });
}

std::size_t FamilyBase::size() const { return family_->size(); }

Counter CounterFamily::with(std::size_t shard, const LabelValues& values) {
  auto [series, cell] = family_->with(shard, values);
  return {std::move(series), cell};
}

Gauge GaugeFamily::with(std::size_t shard, const LabelValues& values) {
  auto [series, cell] = family_->with(shard, values);
  return {std::move(series), cell};
}

Histogram HistogramFamily::with(std::size_t shard, const LabelValues& values) {
  auto [series, cell] = family_->with(shard, values);
  return {std::move(series), cell, family_->padded_bounds(), family_->bounds_count()};
}

struct Registry::State {
  explicit State(std::size_t shards) : core(std::make_shared<detail::Core>(shards)) {}

  detail::Family& family(Kind kind, std::string_view name, std::string_view help,
                         std::vector<std::string> labels, std::vector<double> bounds, FamilyOptions options) {
    TG_CHECK(is_metric_name(name));
    const std::lock_guard lock(core->mutex);
    if (const auto known = by_name.find(name); known != by_name.end()) {
      TG_CHECK(known->second->same(kind, labels, bounds));
      return *known->second;
    }
    detail::Family& made = families.emplace_back(core, kind, name, help, std::move(labels), std::move(bounds),
                                                 std::move(options));
    by_name.emplace(made.name(), &made);
    return made;
  }

  std::shared_ptr<detail::Core> core;
  std::deque<detail::Family> families;  // a deque, because references must stay
  std::map<std::string_view, detail::Family*> by_name;
  std::mutex collectors_mutex;  // held while collectors run, so they may wait for locks of their own
  std::vector<std::function<void(ExpositionWriter&)>> collectors;
};

Registry::Registry(std::size_t shards) : state_(std::make_unique<State>(shards)) { TG_CHECK(shards > 0); }
Registry::~Registry() = default;

CounterFamily& Registry::counter(std::string_view name, std::string_view help,
                                 std::vector<std::string> labels, FamilyOptions options) {
  return state_->family(Kind::kCounter, name, help, std::move(labels), {}, std::move(options)).counter;
}

GaugeFamily& Registry::gauge(std::string_view name, std::string_view help, std::vector<std::string> labels,
                             FamilyOptions options) {
  return state_->family(Kind::kGauge, name, help, std::move(labels), {}, std::move(options)).gauge;
}

HistogramFamily& Registry::histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                     std::vector<std::string> labels, FamilyOptions options) {
  TG_CHECK(bounds.size() <= 64);
  TG_CHECK(std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end());
  TG_CHECK(std::all_of(bounds.begin(), bounds.end(), [](double bound) { return std::isfinite(bound); }));
  return state_
      ->family(Kind::kHistogram, name, help, std::move(labels), std::move(bounds), std::move(options))
      .histogram;
}

void Registry::add_collector(std::function<void(ExpositionWriter&)> collector) {
  const std::lock_guard lock(state_->collectors_mutex);
  state_->collectors.push_back(std::move(collector));
}

std::string Registry::scrape(Format format) const {
  ExpositionWriter writer(format);
  {
    const std::lock_guard lock(state_->core->mutex);
    for (const detail::Family& family : state_->families) family.write(writer);
    writer.family(Kind::kCounter, "tidegate_telemetry_folded_label_sets_total",
                  "Requests for a label set beyond the family's limit, answered with the set named other.");
    for (const detail::Family& family : state_->families) {
      if (family.folded() == 0) continue;
      const std::pair<std::string_view, std::string_view> label{"family", family.name()};
      writer.sample({&label, 1}, family.folded());
    }
  }
  const std::lock_guard lock(state_->collectors_mutex);
  for (const auto& collector : state_->collectors) collector(writer);
  return std::move(writer).finish();
}

std::size_t Registry::shards() const { return state_->core->arenas.size(); }

std::size_t Registry::bytes() const {
  const std::lock_guard lock(state_->core->mutex);
  std::size_t total = 0;
  for (const CellArena& arena : state_->core->arenas) total += arena.bytes();
  return total;
}

}  // namespace tidegate::telemetry

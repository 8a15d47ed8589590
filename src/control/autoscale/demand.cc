#include "control/autoscale/demand.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

namespace tidegate::autoscale {
namespace {

// Until something is known: an engine that batches serves a few at once.
constexpr double kUnknownCapacity = 4;
constexpr Duration kDemandPeriod = std::chrono::seconds(1);
constexpr Duration kPeriodMin = std::chrono::milliseconds(100);
constexpr Duration kPeriodMax = std::chrono::hours(1);
constexpr Duration kTtftMin = std::chrono::milliseconds(100);
constexpr Duration kTtftMax = std::chrono::minutes(10);

std::string number_text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", number);
  return text;
}

std::int64_t replicas_for(double demand, double capacity) {
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  // What is a whole number but for rounding is that number.
  return static_cast<std::int64_t>(std::clamp(std::ceil(demand / capacity - 1e-9), 0.0, kMost));
}

const std::string* find(const std::map<std::string, std::string>& annotations, std::string_view name) {
  const auto found = annotations.find(std::string(name));
  return found == annotations.end() ? nullptr : &found->second;
}

tl::unexpected<Error> wrong(std::string_view annotation, const std::string& value, std::string_view use) {
  return invalid("metadata.annotations[\"" + std::string(annotation) + "\"]",
                 "is \"" + value.substr(0, 60) + "\"; use " + std::string(use));
}

// Fewer replicas are slower, so that the same requests stay longer and more of them are there at once: demand
// seen with many understates what few will have. Where that was too much, growth follows at once; then such
// a step is not tried again for some windows.
void watch_replicas(Memory& memory, std::int64_t current, Duration shrink_window, WallTime now) {
  constexpr int kMistaken = 2;  // windows within which growth takes a shrink back
  constexpr int kWary = 3;      // windows
  const std::int64_t before = memory.replicas.value_or(current);
  memory.replicas = current;
  // Going to sleep is no mistake, however soon somebody comes.
  if (current < before) memory.shrunk = current > 0 ? std::optional(now) : std::nullopt;
  if (current > before && memory.shrunk && now - *memory.shrunk <= kMistaken * shrink_window) {
    memory.wary_until = now + kWary * shrink_window;
  }
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  double amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc{} || amount < 0 || amount > 1e9) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const double factor = unit == "ms"  ? 1e6
                        : unit == "s" ? 1e9
                        : unit == "m" ? 60e9
                        : unit == "h" ? 3600e9
                                      : 0;
  if (factor == 0 || amount * factor > 9e18) return std::nullopt;
  return Duration(static_cast<std::int64_t>(amount * factor));
}

Result<Rule> read_rule(const std::map<std::string, std::string>& annotations, const Settings& settings) {
  Rule rule;
  rule.period = settings.sync_period;
  if (const std::string* name = find(annotations, kRuleAnnotation)) {
    if (*name == "demand") {
      rule.demand.emplace();
      rule.period = kDemandPeriod;
    } else if (*name != "hpa") {
      return wrong(kRuleAnnotation, *name, "demand or hpa");
    }
  }
  if (const std::string* text = find(annotations, kPeriodAnnotation)) {
    const auto period = parse_duration(*text);
    if (!period || *period < kPeriodMin || *period > kPeriodMax) {
      return wrong(kPeriodAnnotation, *text, "100ms to 1h");
    }
    rule.period = *period;
  }
  if (!rule.demand) return rule;
  if (const std::string* text = find(annotations, kCapacityAnnotation)) {
    double capacity = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), capacity);
    if (error != std::errc{} || end != text->data() + text->size() || !(capacity > 0) || capacity > 1e6) {
      return wrong(kCapacityAnnotation, *text, "the requests one replica serves at once, like 8");
    }
    rule.demand->capacity = capacity;
  }
  if (const std::string* text = find(annotations, kIdleAnnotation)) {
    rule.demand->idle_after = parse_duration(*text);
    if (!rule.demand->idle_after) return wrong(kIdleAnnotation, *text, "a duration like 30s");
  }
  if (const std::string* text = find(annotations, kTtftAnnotation)) {
    const auto target = parse_duration(*text);
    if (!target || *target < kTtftMin || *target > kTtftMax)
      return wrong(kTtftAnnotation, *text, "100ms to 10m");
    rule.demand->ttft_target = *target;
  }
  return rule;
}

Result<DemandVerdict> by_demand(const DemandRule& rule, const DemandReading& reading, std::int64_t current,
                                Duration shrink_window, WallTime now, Memory& memory) {
  if (reading.error) return fail(Code::kUnavailable, *reading.error);
  DemandVerdict verdict;
  verdict.demand = reading.in_flight + reading.queued + reading.held;
  verdict.capacity = std::max(rule.capacity.value_or(reading.capacity.value_or(kUnknownCapacity)), 1e-3);
  const auto text_of = number_text;
  verdict.text =
      "demand of " + text_of(verdict.demand) + " requests at " + text_of(verdict.capacity) + " per replica";

  // As for metrics, what is there counts as the first recommendation: a restart shrinks nothing at once.
  if (memory.demands.empty()) memory.demands.push_back({current, now});

  // In the memory stands what each demand would need as spare room; the most of the window counts.
  const std::int64_t fits = replicas_for(verdict.demand, rule.shrink_to * verdict.capacity);
  const Duration idle_after = rule.idle_after.value_or(shrink_window);
  const Duration longest = std::max(shrink_window, idle_after);
  std::erase_if(memory.demands, [&](const auto& old) { return old.time <= now - longest; });
  std::int64_t most = fits;
  bool asked = fits > 0;  // by anybody, within idle_after
  for (const Memory::Recommendation& past : memory.demands) {
    if (past.time > now - shrink_window) most = std::max(most, past.replicas);
    if (past.time > now - idle_after) asked = asked || past.replicas > 0;
  }
  // One entry per second and value is enough, however short the period.
  if (memory.demands.empty() || memory.demands.back().replicas != fits ||
      now - memory.demands.back().time >= std::chrono::seconds(1)) {
    memory.demands.push_back({fits, now});
  }

  watch_replicas(memory, current, shrink_window, now);
  const bool wary = most > 0 && memory.wary_until && now < *memory.wary_until;
  const std::int64_t needed = replicas_for(verdict.demand, rule.grow_at * verdict.capacity);
  if (needed > current) {
    verdict.replicas = needed;
  } else if (rule.idle_after && !asked && !reading.partial) {
    verdict.replicas = 0;  // however long the window is: that is about fewer, this about none
  } else if (most < current && !reading.partial && !wary) {
    verdict.replicas = asked ? std::max<std::int64_t>(most, 1) : most;
  } else {
    verdict.replicas = current;
  }
  return verdict;
}

}  // namespace tidegate::autoscale

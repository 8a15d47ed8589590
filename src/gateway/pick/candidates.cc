#include "gateway/pick/candidates.h"

#include <algorithm>
#include <limits>

#include "gateway/pick/filters.h"

namespace tidegate::pick {
namespace {

class Fading {
 public:
  explicit Fading(const Settings& settings)
      : fresh_(static_cast<float>(seconds(settings.fresh))),
        stale_(static_cast<float>(seconds(settings.stale))) {}
  float operator()(float age_s) const {
    if (age_s <= fresh_) return 1;
    return age_s < stale_ ? (stale_ - age_s) / (stale_ - fresh_) : 0;
  }

 private:
  float fresh_;
  float stale_;
};

}  // namespace

float confidence(float age_s, const Settings& settings) { return Fading(settings)(age_s); }

void Candidates::fill(std::span<const EndpointFacts> facts, Criticality criticality,
                      std::uint32_t prompt_bytes, const Settings& settings) {
  filter(facts, criticality, settings, index);
  const std::size_t count = index.size();
  for (auto* column : {&queue, &running, &kv, &in_flight, &load, &prefix, &prefill}) column->resize(count);
  adapter.resize(count);
  session.resize(count);

  const Fading trust_in(settings);
  // Scraped values first, with each endpoint's confidence parked in `load`.
  float trust = 0;
  float waiting_sum = 0;
  float running_sum = 0;
  float kv_sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const EndpointFacts& f = facts[index[i]];
    const float c = trust_in(f.age_s);
    load[i] = c;
    trust += c;
    waiting_sum += c * f.waiting;
    running_sum += c * f.running;
    kv_sum += c * f.kv_usage;
  }
  const float scale = trust > 0 ? 1 / trust : 0;
  const float mean_waiting = waiting_sum * scale;
  const float mean_scraped_running = running_sum * scale;
  const float mean_kv = kv_sum * scale;
  float queue_total = 0;
  float running_total = 0;
  float in_flight_total = 0;
  float load_total = 0;
  float prefill_total = 0;
  std::uint32_t prefix_most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const EndpointFacts& f = facts[index[i]];
    const float c = load[i];
    // Kept apart for fresh facts, so that equal ones stay exactly equal.
    const bool is_fresh = c == 1;
    const float waits = is_fresh ? f.waiting : c * f.waiting + (1 - c) * mean_waiting;
    queue[i] = waits + static_cast<float>(f.unseen);
    running[i] = is_fresh ? f.running : c * f.running + (1 - c) * mean_scraped_running;
    kv[i] = is_fresh ? f.kv_usage : c * f.kv_usage + (1 - c) * mean_kv;
    in_flight[i] = static_cast<float>(f.in_flight);
    load[i] = std::max(queue[i] + running[i], in_flight[i]);
    adapter[i] = f.adapter;
    prefix[i] = static_cast<float>(f.prefix_bytes);
    // Signed, as that turns into a float in one instruction.
    prefill[i] = static_cast<float>(
        static_cast<std::int64_t>(f.prefill_bytes + prompt_bytes - std::min(f.prefix_bytes, prompt_bytes)));
    prefill_total += prefill[i];
    session[i] = f.session ? 1 : 0;
    prefix_most = std::max(prefix_most, f.prefix_bytes);
    queue_total += queue[i];
    running_total += running[i];
    in_flight_total += in_flight[i];
    load_total += load[i];
  }
  const float share = count > 0 ? 1 / static_cast<float>(count) : 0;
  any_prefix = prefix_most > 0;
  prefix_full = static_cast<float>(std::max({prefix_most, settings.prefix_full_bytes, 1U}));
  mean_prefill = prefill_total * share;
  mean_queue = queue_total * share;
  mean_running = running_total * share;
  mean_in_flight = in_flight_total * share;
  rise_at = settings.affinity_rise_bytes > 0 ? static_cast<float>(settings.affinity_rise_bytes)
                                             : std::numeric_limits<float>::max();
  load_bound = settings.affinity_load_max * load_total * share + settings.affinity_load_slack;
}

}  // namespace tidegate::pick

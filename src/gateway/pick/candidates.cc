#include "gateway/pick/candidates.h"

#include <algorithm>

#include "gateway/pick/filters.h"

namespace tidegate::pick {
namespace {

float mean(const std::vector<float>& values) {
  float sum = 0;
  for (const float value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<float>(values.size());
}

}  // namespace

float confidence(float age_s, const Settings& settings) {
  const auto fresh = static_cast<float>(seconds(settings.fresh));
  const auto stale = static_cast<float>(seconds(settings.stale));
  if (age_s <= fresh) return 1;
  if (!(age_s < stale)) return 0;
  return (stale - age_s) / (stale - fresh);
}

void Candidates::fill(std::span<const EndpointFacts> facts, Criticality criticality,
                      const Settings& settings) {
  filter(facts, criticality, settings, index);
  const std::size_t count = index.size();
  for (auto* column : {&queue, &running, &kv, &in_flight, &load}) column->resize(count);
  adapter.resize(count);

  // Scraped values first, with each endpoint's confidence parked in `load`.
  float trust = 0;
  float waiting_sum = 0;
  float running_sum = 0;
  float kv_sum = 0;
  asks_adapter = false;
  for (std::size_t i = 0; i < count; ++i) {
    const EndpointFacts& f = facts[index[i]];
    const float c = confidence(f.age_s, settings);
    load[i] = c;
    trust += c;
    waiting_sum += c * f.waiting;
    running_sum += c * f.running;
    kv_sum += c * f.kv_usage;
    asks_adapter = asks_adapter || f.adapter != AdapterPlace::kNotAsked;
  }
  const float scale = trust > 0 ? 1 / trust : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const EndpointFacts& f = facts[index[i]];
    const float c = load[i];
    const auto blend = [&](float own, float sum) { return c == 1 ? own : c * own + (1 - c) * sum * scale; };
    queue[i] = blend(f.waiting, waiting_sum) + static_cast<float>(f.unseen);
    running[i] = blend(f.running, running_sum);
    kv[i] = blend(f.kv_usage, kv_sum);
    in_flight[i] = static_cast<float>(f.in_flight);
    load[i] = std::max(queue[i] + running[i], in_flight[i]);
    adapter[i] = f.adapter;
  }
  mean_queue = mean(queue);
  mean_running = mean(running);
  mean_in_flight = mean(in_flight);
  load_bound = settings.affinity_load_max * mean(load) + settings.affinity_load_slack;
}

}  // namespace tidegate::pick

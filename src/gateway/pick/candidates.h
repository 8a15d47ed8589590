// The endpoints that may serve one request, column by column, with what stale and unseen means already worked
// in. This is what scorers read.
//
// A scraped value v of confidence c (1 fresh, 0 stale) counts as c*v + (1-c)*mean, where mean is that of the
// candidates weighted by their own confidence: an endpoint that we know nothing of looks average. Dispatches
// that the scrape cannot show are added in full.
//
// Thread: one worker; memory is reused.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "gateway/pick/criticality.h"
#include "gateway/pick/endpoint.h"
#include "gateway/pick/settings.h"

namespace tidegate::pick {

struct Candidates {
  std::vector<std::uint32_t> index;  // into the facts
  std::vector<float> queue;          // waiting + unseen
  std::vector<float> running;
  std::vector<float> kv;  // 0 to 1
  std::vector<float> in_flight;
  std::vector<float> load;  // queue + running, or our own count where that is more
  std::vector<AdapterPlace> adapter;
  std::vector<float> prefix;  // bytes of the prompt that are held

  float mean_queue = 0;
  float mean_running = 0;
  float mean_in_flight = 0;
  float load_bound = 0;   // affinity counts up to here
  float rise_at = 0;      // bytes of a held prefix from which on that bound is higher
  float prefix_full = 1;  // what of `prefix` counts in full
  bool any_prefix = false;
  std::vector<float> prefill;  // bytes to compute before this request's answer could begin
  float mean_prefill = 0;
  std::vector<std::uint8_t> session;

  std::size_t size() const { return index.size(); }

  // Filters, then fills the columns.
  void fill(std::span<const EndpointFacts> facts, Criticality criticality, std::uint32_t prompt_bytes,
            const Settings& settings);
};

// 1 up to settings.fresh, falling to 0 at settings.stale.
float confidence(float age_s, const Settings& settings);

}  // namespace tidegate::pick

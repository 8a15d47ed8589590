#include "engine/batch/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidegate::batch {
namespace {

std::size_t blocks_for(std::size_t tokens, std::size_t block_tokens) {
  return (tokens + block_tokens - 1) / block_tokens;
}

template <typename T>
bool contains(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

Scheduler::Scheduler(SchedulerConfig config, kv::BlockPool& pool, kv::BlockHasher& hasher,
                     lora::Residency& residency)
    : config_(config), pool_(pool), hasher_(hasher), residency_(residency) {
  free_slots_.reserve(config_.sequences_max);
  for (std::size_t i = config_.sequences_max; i > 0; --i)
    free_slots_.push_back(static_cast<std::uint32_t>(i - 1));
}

// Who is served earlier; among equals, who came first.
bool Scheduler::goes_before(const Sequence& a, const Sequence& b) const {
  if (a.request.priority != b.request.priority) return a.request.priority < b.request.priority;
  if (a.queued != b.queued) return a.queued < b.queued;
  return a.request.id < b.request.id;
}

void Scheduler::add(Sequence& sequence) {
  if (sequence.request.adapter != lora::kBase) residency_.add_user(sequence.request.adapter);
  auto place = waiting_.end();
  if (config_.policy == Policy::kPriority) {
    while (place != waiting_.begin() && goes_before(sequence, **std::prev(place))) --place;
  }
  waiting_.insert(place, &sequence);
}

void Scheduler::remove(Sequence& sequence) {
  if (sequence.running) {
    stop_running(sequence);
  } else {
    if (sequence.deferred) --deferred_;
    waiting_.remove(&sequence);
  }
  if (sequence.request.adapter != lora::kBase) residency_.drop_user(sequence.request.adapter);
}

void Scheduler::stop_running(Sequence& sequence) {
  pool_.release(sequence.blocks);
  sequence.blocks.clear();
  sequence.published = 0;
  sequence.running = false;
  free_slots_.push_back(sequence.slot);
  std::erase(running_, &sequence);
  if (sequence.request.adapter != lora::kBase) {
    residency_.unpin(sequence.request.adapter);
    sequence.adapter_slot = kBaseModel;
  }
}

void Scheduler::plan(TimePoint now, Plan& plan) {
  plan.segments.clear();
  plan.placements.clear();
  plan.preempted = 0;
  std::size_t budget = config_.step_tokens_max;
  plan_running(plan, budget);
  if (plan.preempted == 0) plan_waiting(now, plan, budget);
  plan.tokens = config_.step_tokens_max - budget;
}

std::size_t Scheduler::wanted(const Sequence& sequence, std::size_t budget) const {
  std::size_t count = sequence.history.size() - sequence.computed;
  if (config_.chunk_tokens_max > 0) count = std::min(count, config_.chunk_tokens_max);
  return std::min(count, budget);
}

bool Scheduler::grow(Sequence& sequence, std::size_t end) {
  const std::size_t needed = blocks_for(end, config_.block_tokens);
  return needed <= sequence.blocks.size() || pool_.take(needed - sequence.blocks.size(), sequence.blocks);
}

// The first segments.size() of running_ are planned, in order; preempting keeps it so.
void Scheduler::plan_running(Plan& plan, std::size_t& budget) {
  while (plan.segments.size() < running_.size() && budget > 0) {
    Sequence& sequence = *running_[plan.segments.size()];
    std::size_t count = wanted(sequence, budget);
    while (sequence.running && !grow(sequence, sequence.computed + count)) {
      preempt(victim(), plan, budget);
      count = wanted(sequence, budget);
    }
    if (!sequence.running) continue;
    plan.segments.push_back({&sequence, sequence.computed, sequence.computed + count});
    budget -= count;
  }
}

Sequence& Scheduler::victim() const {
  if (config_.policy == Policy::kFirstCome) return *running_.back();
  return **std::max_element(running_.begin(), running_.end(),
                            [this](const Sequence* a, const Sequence* b) { return goes_before(*a, *b); });
}

void Scheduler::preempt(Sequence& sequence, Plan& plan, std::size_t& budget) {
  const auto planned = std::find_if(plan.segments.begin(), plan.segments.end(),
                                    [&](const Planned& entry) { return entry.sequence == &sequence; });
  if (planned != plan.segments.end()) {
    budget += planned->end - planned->start;
    plan.segments.erase(planned);
  }
  stop_running(sequence);
  sequence.computed = 0;
  ++sequence.preemptions;
  ++preemptions_;
  ++plan.preempted;
  if (config_.policy == Policy::kFirstCome) {
    waiting_.push_front(&sequence);
  } else {
    auto place = waiting_.begin();
    while (place != waiting_.end() && goes_before(**place, sequence)) ++place;
    waiting_.insert(place, &sequence);
  }
}

// Closes as many adapters as there are distinct adapters starved of a slot, the least busy first.
void Scheduler::close_for_the_starved(TimePoint now) {
  std::vector<lora::AdapterId> starved;
  for (const Sequence* sequence : waiting_) {
    const lora::AdapterId id = sequence->request.adapter;
    if (!sequence->deferred_since || now - *sequence->deferred_since < config_.adapter_wait_max) continue;
    if (residency_.place(id) == lora::Place::kSlot || contains(starved, id)) continue;
    starved.push_back(id);
    if (starved.size() >= residency_.slots()) break;
  }
  std::erase_if(closed_, [&](lora::AdapterId id) { return residency_.place(id) != lora::Place::kSlot; });
  if (closed_.size() > starved.size()) closed_.resize(starved.size());
  while (closed_.size() < starved.size()) {
    lora::AdapterId least = lora::kBase;
    for (std::size_t slot = 0; slot < residency_.slots(); ++slot) {
      const lora::AdapterId id = residency_.in_slot(slot);
      if (id == lora::kBase || contains(closed_, id)) continue;
      if (least == lora::kBase || residency_.running(id) < residency_.running(least)) least = id;
    }
    if (least == lora::kBase) break;
    closed_.push_back(least);
  }
}

bool Scheduler::adapter_ready(Sequence& sequence, TimePoint now, Plan& plan) {
  const lora::AdapterId id = sequence.request.adapter;
  if (id == lora::kBase) return true;
  if (contains(closed_, id)) return false;
  const auto answer = residency_.acquire(id, now);
  switch (answer.kind) {
    case lora::Residency::Answer::kReady:
      break;
    case lora::Residency::Answer::kLoading:
      return false;
    case lora::Residency::Answer::kFull:
      if (!sequence.deferred_since) sequence.deferred_since = now;
      return false;
  }
  sequence.deferred_since.reset();
  if (answer.placed) plan.placements.push_back({id, answer.slot});
  sequence.adapter_slot = answer.slot;
  return true;
}

void Scheduler::plan_waiting(TimePoint now, Plan& plan, std::size_t& budget) {
  if (residency_.slots() > 0) close_for_the_starved(now);
  deferred_ = 0;
  bool open = true;
  for (auto place = waiting_.begin(); place != waiting_.end();) {
    Sequence& sequence = **place;
    sequence.deferred = false;
    open = open && budget > 0 && !free_slots_.empty();
    if (!open) {
      ++place;
      continue;
    }
    if (!adapter_ready(sequence, now, plan)) {
      sequence.deferred = true;
      ++deferred_;
      ++place;
      continue;
    }
    if (!admit(sequence, now, budget, plan)) {
      open = false;
      ++place;
      continue;
    }
    place = waiting_.erase(place);
  }
}

void Scheduler::find_prefix(Sequence& sequence, std::vector<kv::BlockId>& found) {
  found.clear();
  if (!config_.prefix_caching) return;
  const Content& current = content(sequence.request.adapter);
  if (sequence.digest_version != current.version) {
    sequence.hashes.clear();
    sequence.digest_version = current.version;
  }
  // Found positions would have no logprobs to report.
  if (sequence.request.sampling.prompt_logprobs >= 0) return;
  hasher_.extend(sequence.hashes, sequence.history, config_.block_tokens, current.digest,
                 sequence.request.cache_salt);
  // The last token is always computed: its output is what the step is for.
  const std::size_t usable =
      std::min(sequence.hashes.size(), (sequence.history.size() - 1) / config_.block_tokens);
  pool_.find(std::span(sequence.hashes).first(usable), found);
}

bool Scheduler::admit(Sequence& sequence, TimePoint now, std::size_t& budget, Plan& plan) {
  find_prefix(sequence, found_);
  const std::size_t hit = found_.size() * config_.block_tokens;
  std::size_t count = sequence.history.size() - hit;
  if (config_.chunk_tokens_max > 0) count = std::min(count, config_.chunk_tokens_max);
  if (!config_.chunked_prefill && count > budget) return false;
  count = std::min(count, budget);

  const std::size_t fresh = blocks_for(hit + count, config_.block_tokens) - found_.size();
  if (fresh + pool_.unheld(found_) > pool_.free()) return false;
  pool_.hold(found_);
  sequence.blocks = found_;
  TG_CHECK(pool_.take(fresh, sequence.blocks));

  if (config_.prefix_caching) {
    prefix_queries_ += sequence.history.size();
    prefix_hits_ += hit;
  }
  if (!sequence.scheduled) sequence.cached_tokens = std::min(hit, sequence.prompt_tokens);
  sequence.computed = hit;
  sequence.published = found_.size();
  sequence.running = true;
  sequence.scheduled = now;
  sequence.slot = free_slots_.back();
  free_slots_.pop_back();
  if (sequence.request.adapter != lora::kBase) residency_.pin(sequence.request.adapter);
  running_.push_back(&sequence);
  plan.segments.push_back({&sequence, hit, hit + count});
  budget -= count;
  return true;
}

void Scheduler::computed(Sequence& sequence, std::size_t end) {
  const std::size_t start = sequence.computed;
  sequence.computed = end;
  if (start < sequence.prompt_tokens)
    sequence.prefill_computed += std::min(end, sequence.prompt_tokens) - start;
  if (!config_.prefix_caching) return;
  const std::size_t full = end / config_.block_tokens;
  if (sequence.published >= full) return;
  hasher_.extend(sequence.hashes, std::span(sequence.history).first(full * config_.block_tokens),
                 config_.block_tokens, content(sequence.request.adapter).digest, sequence.request.cache_salt);
  note_pool_events();  // what was taken for these blocks comes before them
  const std::size_t first = sequence.published;
  for (; sequence.published < full; ++sequence.published) {
    pool_.publish(sequence.blocks[sequence.published], sequence.hashes[sequence.published]);
  }
  if (!pool_.take_events().empty()) note_stored(sequence, first, full);
}

void Scheduler::note_pool_events() {
  for (const kv::BlockPool::Event& event : pool_.take_events()) {
    CacheEvent noted{event.kind, {}};
    if (event.kind != kv::BlockPool::Event::kCleared) noted.blocks.push_back(event.hash);
    cache_events_.push_back(std::move(noted));
  }
}

void Scheduler::note_stored(const Sequence& sequence, std::size_t first, std::size_t end) {
  CacheEvent noted{kv::BlockPool::Event::kStored, {}};
  noted.blocks.assign(sequence.hashes.begin() + static_cast<std::ptrdiff_t>(first),
                      sequence.hashes.begin() + static_cast<std::ptrdiff_t>(end));
  const std::size_t size = config_.block_tokens;
  noted.tokens.assign(sequence.history.begin() + static_cast<std::ptrdiff_t>(first * size),
                      sequence.history.begin() + static_cast<std::ptrdiff_t>(end * size));
  noted.adapter = sequence.request.adapter;
  if (first > 0) {
    noted.parent = sequence.hashes[first - 1];
  } else {
    noted.salt = sequence.request.cache_salt;
  }
  cache_events_.push_back(std::move(noted));
}

std::vector<CacheEvent> Scheduler::take_cache_events() {
  note_pool_events();
  return std::exchange(cache_events_, {});
}

Scheduler::Content& Scheduler::content(lora::AdapterId adapter) {
  if (contents_.size() <= adapter) contents_.resize(adapter + 1);
  return contents_[adapter];
}

void Scheduler::set_digest(lora::AdapterId adapter, std::string digest) {
  Content& current = content(adapter);
  if (current.digest == digest) return;
  current.digest = std::move(digest);
  ++current.version;
}

}  // namespace tidegate::batch

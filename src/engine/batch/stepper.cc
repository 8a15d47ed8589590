#include "engine/batch/stepper.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tidegate::batch {

Result<std::unique_ptr<Stepper>> Stepper::make(StepperConfig config, Model& model,
                                               const Tokenizer& tokenizer) {
  if (config.context_max == 0 || config.context_max > model.facts().context_max) {
    config.context_max = model.facts().context_max;
  }
  // A sequence that is alone must always fit, or it would preempt itself for ever.
  config.context_max = std::min(config.context_max, (config.blocks - 1) * config.scheduler.block_tokens);
  if (!config.scheduler.chunked_prefill) {
    config.scheduler.step_tokens_max = std::max(config.scheduler.step_tokens_max, config.context_max);
  }
  Capacity capacity;
  capacity.blocks = config.blocks;
  capacity.block_tokens = config.scheduler.block_tokens;
  capacity.sequences_max = config.scheduler.sequences_max;
  capacity.step_tokens_max = config.scheduler.step_tokens_max;
  capacity.adapter_slots = config.adapters.slots;
  capacity.adapter_rank_max = config.adapter_rank_max;
  if (auto reserved = model.reserve(capacity); !reserved) return tl::unexpected(reserved.error());
  return std::unique_ptr<Stepper>(new Stepper(std::move(config), model, tokenizer));
}

Stepper::Stepper(StepperConfig config, Model& model, const Tokenizer& tokenizer)
    : config_(std::move(config)),
      model_(model),
      tokenizer_(tokenizer),
      pool_(config_.blocks),
      hasher_(config_.hash_seed),
      residency_(config_.adapters),
      scheduler_(config_.scheduler, pool_, hasher_, residency_),
      adapters_(1),
      stats_(config_.context_max) {}

void Stepper::submit(Submission submission, TimePoint now) {
  TG_CHECK(!submission.prompt.empty() && submission.prompt.size() < config_.context_max);
  auto owned = std::make_unique<Sequence>();
  Sequence& sequence = *owned;
  sequence.request = std::move(submission);
  sequence.history = std::move(sequence.request.prompt);
  sequence.prompt_tokens = sequence.history.size();
  sequence.queued = now;
  sequence.text = std::make_unique<OutputText>(
      tokenizer_.decoder(sequence.history, sequence.request.skip_special), sequence.request.stop);
  const bool fresh = sequences_.try_emplace(sequence.request.id, std::move(owned)).second;
  TG_CHECK(fresh);
  scheduler_.add(sequence);
}

void Stepper::cancel(std::uint64_t id, TimePoint now) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end() || found->second->cancelled) return;
  Sequence& sequence = *found->second;
  finish(sequence, Finish::kAbort, now);
  if (stepping_ && sequence.running) {
    sequence.cancelled = true;
  } else {
    discard(sequence);
  }
}

void Stepper::abort_all(const Error* error, TimePoint now, std::vector<Output>& outputs) {
  stepping_ = false;
  std::vector<Sequence*> all;
  for (const auto& [id, sequence] : sequences_) all.push_back(sequence.get());
  for (Sequence* sequence : all) {
    if (!sequence->cancelled) {
      Output output = output_for(*sequence);
      output.end = std::make_unique<End>();
      output.end->finish = error != nullptr ? Finish::kError : Finish::kAbort;
      if (error != nullptr) output.end->error = *error;
      finish(*sequence, output.end->finish, now);
      outputs.push_back(std::move(output));
    }
    discard(*sequence);
  }
}

Result<Stepper::Begun> Stepper::begin(TimePoint now) {
  TG_CHECK(!stepping_);
  residency_.tick(now);
  scheduler_.plan(now, plan_);
  place_adapters();
  if (plan_.segments.empty()) return Begun{};
  make_segments();
  stepping_ = true;
  if (auto done = model_.step(segments_, result_); !done) return tl::unexpected(done.error());
  return Begun{true, result_.modelled};
}

void Stepper::place_adapters() {
  for (const Placement& placement : plan_.placements) {
    model_.place_adapter(placement.slot, *adapters_[placement.adapter]);
  }
  drop_adapters();
}

// After placing: a slot that another adapter took over no longer refers to the dropped one, every other is
// emptied.
void Stepper::drop_adapters() {
  for (const auto& [id, slot] : residency_.take_dropped()) {
    if (slot >= 0 && residency_.in_slot(static_cast<std::size_t>(slot)) == lora::kBase)
      model_.clear_adapter(slot);
    adapters_[id].reset();
  }
}

void Stepper::make_segments() {
  segments_.clear();
  for (const Planned& planned : plan_.segments) {
    const Sequence& sequence = *planned.sequence;
    Segment segment;
    segment.request = sequence.request.id;
    segment.sequence = sequence.slot;
    segment.history = sequence.history;
    segment.prompt_tokens = sequence.prompt_tokens;
    segment.start = planned.start;
    segment.end = planned.end;
    segment.blocks = sequence.blocks;
    segment.adapter_slot = sequence.adapter_slot;
    segment.sample = planned.end == sequence.history.size();
    segment.sampling = &sequence.request.sampling;
    segments_.push_back(segment);
  }
}

Output Stepper::output_for(const Sequence& sequence) const {
  Output output;
  output.id = sequence.request.id;
  output.prompt_tokens = static_cast<std::uint32_t>(sequence.prompt_tokens);
  output.cached_tokens = static_cast<std::uint32_t>(sequence.cached_tokens);
  output.completion_tokens = static_cast<std::uint32_t>(sequence.drawn());
  return output;
}

void Stepper::end(TimePoint now, std::vector<Output>& outputs) {
  TG_CHECK(stepping_);
  stepping_ = false;
  for (PromptLogprobs& logprobs : result_.prompt) {
    const auto found = sequences_.find(logprobs.request);
    if (found != sequences_.end()) found->second->prompt_logprobs.push_back(std::move(logprobs));
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < plan_.segments.size(); ++i) {
    Sequence& sequence = *plan_.segments[i].sequence;
    const bool sampled = segments_[i].sample;
    const std::size_t sample = next;
    next += sampled;
    if (sequence.cancelled) {
      discard(sequence);
      continue;
    }
    scheduler_.computed(sequence, plan_.segments[i].end);
    if (!sampled) continue;
    Output output = output_for(sequence);
    take_sample(sequence, result_.samples[sample], now, output);
    const bool ended = output.end != nullptr;
    if (ended) finish(sequence, output.end->finish, now);
    outputs.push_back(std::move(output));
    if (ended) discard(sequence);
  }
  ++stats_.steps;
  stats_.step_tokens.observe(static_cast<double>(plan_.tokens));
}

void Stepper::take_sample(Sequence& sequence, Sample& sample, TimePoint now, Output& output) {
  if (!sample.failure.empty()) {
    output.end = std::make_unique<End>();
    output.end->finish = Finish::kError;
    output.end->error = {Code::kInvalid, "the constraint on the output", std::move(sample.failure)};
    return;
  }
  sequence.history.push_back(sample.token);
  output.token = sample.token;
  output.completion_tokens = static_cast<std::uint32_t>(sequence.drawn());
  ++stats_.generation_tokens;
  if (!sequence.first_token) {
    sequence.first_token = now;
    stats_.first_token_s.observe(seconds(now - sequence.request.arrival));
    stats_.prompt_tokens += sequence.prompt_tokens;
    stats_.prompt_tokens_cached += sequence.cached_tokens;
  } else {
    stats_.inter_token_s.observe(seconds(now - sequence.last_token));
  }
  sequence.last_token = now;

  const Sampling& sampling = sequence.request.sampling;
  if (sampling.logprobs >= 0 || !sequence.prompt_logprobs.empty()) {
    output.logprobs = std::make_unique<Logprobs>();
    output.logprobs->prompt = std::exchange(sequence.prompt_logprobs, {});
    output.logprobs->sample = std::move(sample);
  }

  output.end = end_after(sequence, *output.token);
  const bool stop_token = output.end != nullptr && output.end->finish == Finish::kStop;
  if (!stop_token || sequence.request.stop.include_in_output) {
    const bool search = sequence.drawn() >= sampling.min_tokens;
    if (const std::string* match = sequence.text->push(*output.token, search, output.text)) {
      output.end = std::make_unique<End>();
      output.end->finish = Finish::kStop;
      output.end->stop_string = *match;
    }
  }
  if (output.end != nullptr && output.end->stop_string.empty()) sequence.text->finish(output.text);
}

// Whether the sequence ends with `token`, stop strings aside.
std::unique_ptr<End> Stepper::end_after(const Sequence& sequence, Token token) const {
  const Sampling& sampling = sequence.request.sampling;
  const std::size_t drawn = sequence.drawn();
  auto end = std::make_unique<End>();
  if (drawn >= sampling.min_tokens) {
    const auto eos = tokenizer_.eos();
    const auto& stops = sampling.stop_token_ids;
    if (!sampling.ignore_eos && std::find(eos.begin(), eos.end(), token) != eos.end()) {
      end->finish = Finish::kStop;
      return end;
    }
    if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
      end->finish = Finish::kStop;
      end->stop_token = token;
      return end;
    }
  }
  if (drawn >= sampling.max_tokens || sequence.history.size() >= config_.context_max) {
    end->finish = Finish::kLength;
    return end;
  }
  return nullptr;
}

void Stepper::finish(Sequence& sequence, Finish reason, TimePoint now) {
  ++stats_.finished[static_cast<std::size_t>(reason)];
  const std::size_t drawn = sequence.drawn();
  stats_.request_prompt_tokens.observe(static_cast<double>(sequence.prompt_tokens));
  stats_.request_generation_tokens.observe(static_cast<double>(drawn));
  stats_.request_max_generation_tokens.observe(static_cast<double>(drawn));
  stats_.request_max_tokens.observe(static_cast<double>(sequence.request.sampling.max_tokens));
  stats_.request_n.observe(static_cast<double>(sequence.request.choices));
  stats_.e2e_s.observe(seconds(now - sequence.request.arrival));
  if (!sequence.first_token) return;
  stats_.request_prefill_computed.observe(static_cast<double>(sequence.prefill_computed));
  stats_.prompt_tokens_recomputed +=
      sequence.preemptions > 0 && sequence.prefill_computed + sequence.cached_tokens > sequence.prompt_tokens
          ? sequence.prefill_computed + sequence.cached_tokens - sequence.prompt_tokens
          : 0;
  // After a preemption the last admission may be later than the first token; the intervals stay non-negative.
  const TimePoint scheduled = std::min(*sequence.scheduled, *sequence.first_token);
  stats_.queue_s.observe(seconds(scheduled - sequence.queued));
  stats_.prefill_s.observe(seconds(*sequence.first_token - scheduled));
  stats_.decode_s.observe(seconds(sequence.last_token - *sequence.first_token));
  stats_.inference_s.observe(seconds(sequence.last_token - scheduled));
  if (drawn > 1) {
    stats_.per_output_token_s.observe(seconds(sequence.last_token - *sequence.first_token) /
                                      static_cast<double>(drawn - 1));
  }
}

void Stepper::discard(Sequence& sequence) {
  scheduler_.remove(sequence);
  sequences_.erase(sequence.request.id);
  drop_adapters();
}

lora::AdapterId Stepper::add_adapter(std::string name) {
  const lora::AdapterId id = residency_.add(std::move(name));
  adapters_.resize(id + 1);
  return id;
}

void Stepper::remove_adapter(lora::AdapterId id) {
  residency_.remove(id);
  drop_adapters();
}

void Stepper::adapter_loaded(lora::AdapterId id, Result<std::shared_ptr<const Adapter>> adapter,
                             TimePoint now, std::vector<Output>& outputs) {
  drop_adapters();
  if (adapter) {
    ++stats_.adapter_loads;
    adapters_[id] = *std::move(adapter);
    scheduler_.set_digest(id, adapters_[id]->digest);
    residency_.loaded(id, now + adapters_[id]->load_modelled, now);
    return;
  }
  ++stats_.adapter_load_failures;
  residency_.failed(id);
  std::vector<Sequence*> waiting;
  for (Sequence* sequence : scheduler_.waiting()) {
    if (sequence->request.adapter == id) waiting.push_back(sequence);
  }
  for (Sequence* sequence : waiting) {
    Output output = output_for(*sequence);
    output.end = std::make_unique<End>();
    output.end->finish = Finish::kError;
    output.end->error = adapter.error();
    finish(*sequence, Finish::kError, now);
    outputs.push_back(std::move(output));
    discard(*sequence);
  }
}

const Stats& Stepper::stats() {
  stats_.running = scheduler_.running().size();
  stats_.waiting = scheduler_.waiting().size();
  stats_.deferred = scheduler_.deferred();
  stats_.kv_usage = pool_.usage();
  stats_.prefix_queries = scheduler_.prefix_queries();
  stats_.prefix_hits = scheduler_.prefix_hits();
  stats_.preemptions = scheduler_.preemptions();
  stats_.adapter_swaps = residency_.swaps();
  stats_.adapters.clear();
  for (lora::AdapterId id = 1; id < residency_.size(); ++id) {
    if (residency_.place(id) == lora::Place::kRetired) continue;
    const std::size_t running = residency_.running(id);
    stats_.adapters.push_back({id, residency_.place(id), running, residency_.users(id) - running});
  }
  return stats_;
}

}  // namespace tidegate::batch

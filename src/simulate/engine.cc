#include "simulate/engine.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace tidegate::simulate {
namespace {

constexpr double kUtilization = 0.9;  // --gpu-memory-utilization

Duration of_ms(double ms) { return Duration(static_cast<std::int64_t>(ms * 1e6)); }

}  // namespace

std::size_t EngineSpec::context_max() const {
  return std::min(profile.context_max, (blocks - 1) * block_tokens);
}

EngineSpec engine_spec(const latency::Profile& profile) {
  EngineSpec spec;
  spec.profile = profile;
  spec.blocks = latency::kv_blocks(profile, kUtilization, spec.block_tokens, 0, 0, 1);
  return spec;
}

Engine::Engine(EngineSpec spec) : spec_(spec), blocks_(spec.blocks, spec.prefix_caching) {
  shape_.sequences_max = spec_.sequences_max;
}

void Engine::submit(const Job& job, TimePoint now) {
  TG_CHECK(job.prompt > 0 && job.answer > 0 && job.prompt + job.answer <= spec_.context_max());
  // While others wait, only an end lets somebody in, and a run never goes beyond the next end.
  const bool first = waiting_.empty();
  waiting_.push_back({.job = job, .history = job.prompt, .table = {}});
  if (next_ == TimePoint::max()) {
    begin(now);
  } else if (first && steps_ > 1) {
    steps_ = std::min(steps_, steps_until(now));
    next_ = began_ + of_ms(run_ms(steps_));
  }
}

void Engine::advance(std::vector<News>& news) {
  const TimePoint now = next_;
  end_step(now, news);
  begin(now);
}

double Engine::kv_usage(TimePoint now) const {
  double held = static_cast<double>(blocks_.capacity() - blocks_.free());
  if (steps_ > 1 && next_ != TimePoint::max()) {
    const double share = static_cast<double>((now - began_).count()) /
                         static_cast<double>(std::max<std::int64_t>((next_ - began_).count(), 1));
    held += std::clamp(share, 0.0, 1.0) * steps_ * static_cast<double>(running_.size()) /
            static_cast<double>(spec_.block_tokens);
  }
  return std::min(held / static_cast<double>(blocks_.capacity()), 1.0);
}

Duration Engine::busy(TimePoint now) const {
  return next_ == TimePoint::max() ? busy_ : busy_ + (now - began_);
}

void Engine::begin(TimePoint now) {
  plan_running();
  if (preempted_ == 0) plan_waiting();
  queued_ = waiting_.size();
  began_ = now;
  steps_ = 1;
  if (running_.empty()) {
    next_ = TimePoint::max();
    return;
  }
  measure();
  next_ = began_ + of_ms(run_ms(steps_));
}

// As Scheduler::plan_running: with first come first served the victim is never one that is planned already.
void Engine::plan_running() {
  budget_ = spec_.step_tokens_max;
  preempted_ = 0;
  only_decodes_ = true;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    while (i < running_.size()) {
      Sequence& sequence = running_[i];
      const auto count = std::min<std::size_t>(sequence.history - sequence.computed, budget_);
      if (blocks_.grow(sequence.table, blocks_for(sequence.computed + count))) {
        only_decodes_ = only_decodes_ && sequence.decoding() && count == 1;
        sequence.planned = static_cast<std::uint32_t>(count);
        budget_ -= count;
        break;
      }
      preempt_last();
    }
  }
}

void Engine::preempt_last() {
  Sequence victim = std::move(running_.back());
  running_.pop_back();
  blocks_.release(victim.table);
  victim.computed = 0;
  victim.planned = 0;
  waiting_.push_front(std::move(victim));
  ++preempted_;
  ++preemptions_;
}

void Engine::plan_waiting() {
  while (!waiting_.empty() && budget_ > 0 && running_.size() < spec_.sequences_max && admit()) {
    only_decodes_ = false;
  }
}

bool Engine::admit() {
  Sequence& sequence = waiting_.front();
  // The last token is always computed: its output is what the step is for.
  const std::size_t usable =
      std::min(sequence.job.content.size(), (sequence.history - 1) / spec_.block_tokens);
  const auto wanted = [&](std::uint32_t found) {
    const std::size_t hit = found * spec_.block_tokens;
    return blocks_for(hit + std::min<std::size_t>(sequence.history - hit, budget_));
  };
  const auto found = blocks_.start(sequence.table, sequence.job.content.first(usable), wanted);
  if (!found) return false;
  const auto hit = static_cast<std::uint32_t>(*found * spec_.block_tokens);
  sequence.computed = hit;
  sequence.planned = static_cast<std::uint32_t>(std::min<std::size_t>(sequence.history - hit, budget_));
  budget_ -= sequence.planned;
  if (!std::exchange(sequence.admitted, true)) {
    prompt_tokens_ += sequence.job.prompt;
    cached_tokens_ += hit;
  }
  running_.push_back(std::move(sequence));
  waiting_.pop_front();
  return true;
}

// How long the planned step takes, and how many like it follow before anything else can happen.
void Engine::measure() {
  shape_.prefill.clear();
  shape_.decodes = 0;
  shape_.decode_context = 0;
  for (const Sequence& sequence : running_) {
    if (sequence.planned == 0) continue;
    if (sequence.computed < sequence.job.prompt || sequence.planned > 1) {
      shape_.prefill.push_back({sequence.computed, sequence.planned});
      prefilled_tokens_ += sequence.planned;
    } else {
      ++shape_.decodes;
      shape_.decode_context += sequence.computed + 1;
    }
  }
  first_ms_ = latency::step_ms(spec_.profile, shape_) * spec_.profile.time_scale;
  growth_ms_ = 0;
  if (only_decodes_ && preempted_ == 0 && budget_ > 0) stretch(shape_.decode_context);
}

void Engine::stretch(std::size_t context) {
  const std::size_t count = running_.size();
  std::uint32_t least = running_.front().left();
  for (const Sequence& sequence : running_) least = std::min(least, sequence.left());
  // Each sequence takes a block every block_tokens steps.
  const std::size_t room = blocks_.free() / count * spec_.block_tokens;
  steps_ = static_cast<std::uint32_t>(std::min<std::size_t>(least, 1 + room));
  if (steps_ == 1) return;
  shape_.decode_context = context + count;
  growth_ms_ = latency::step_ms(spec_.profile, shape_) * spec_.profile.time_scale - first_ms_;
}

double Engine::run_ms(std::uint32_t steps) const {
  const double k = steps;
  return k * first_ms_ + growth_ms_ * k * (k - 1) / 2;
}

// How many steps of the run have ended or are under way at `now`; at least one.
std::uint32_t Engine::steps_until(TimePoint now) const {
  const double ms = milliseconds(now - began_);
  const double half = growth_ms_ / 2;
  const double b = first_ms_ - half;
  const double k = half > 0 ? (std::sqrt(b * b + 4 * half * ms) - b) / (2 * half) : b > 0 ? ms / b : 1;
  auto steps = static_cast<std::uint32_t>(std::clamp(std::ceil(k), 1.0, static_cast<double>(steps_)));
  while (steps > 1 && began_ + of_ms(run_ms(steps - 1)) >= now) --steps;
  while (steps < steps_ && began_ + of_ms(run_ms(steps)) < now) ++steps;
  return steps;
}

void Engine::end_step(TimePoint now, std::vector<News>& news) {
  busy_ += now - began_;
  std::size_t kept = 0;
  for (Sequence& sequence : running_) {
    const std::uint32_t drawn_before = sequence.history - sequence.job.prompt;
    sequence.computed += sequence.planned;
    if (sequence.planned > 0 && sequence.computed == sequence.history) {
      sequence.history += steps_;
      sequence.computed += steps_ - 1;
    }
    if (steps_ > 1) TG_CHECK(blocks_.grow(sequence.table, blocks_for(sequence.computed)));
    sequence.planned = 0;
    blocks_.publish(sequence.table, sequence.job.content,
                    std::min(sequence.computed, sequence.job.prompt) / spec_.block_tokens);
    if (drawn_before == 0 && sequence.history > sequence.job.prompt) {
      news.push_back({News::Kind::kFirstToken, sequence.job.id, now});
    }
    if (sequence.left() == 0) {
      news.push_back({News::Kind::kEnd, sequence.job.id, now});
      blocks_.release(sequence.table);
      continue;
    }
    Sequence& place = running_[kept++];
    if (&place != &sequence) place = std::move(sequence);
  }
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(kept), running_.end());
}

}  // namespace tidegate::simulate

#include "gateway/usage/meter.h"

#include <algorithm>

namespace tidegate::usage {
namespace {

// Choices whose running counts are kept apart; vLLM allows more, and only cut streams with more are counted
// short.
constexpr std::size_t kChoicesMax = 256;

}  // namespace

void Meter::on_event(const dialect::UsageSse::Verdict& event, TimePoint now) {
  if (event.done || event.error) return;
  if (!event.usage) {
    // Without running usage every event counts as output.
    if (!first_) first_ = now;
    last_ = now;
    return;
  }
  if (event.is_final) {
    final_ = event.usage;
    return;
  }
  running(event);
  // vLLM's first chat event names the role and has no token yet.
  if (event.usage->completion == 0) return;
  if (!first_) first_ = now;
  last_ = now;
}

void Meter::running(const dialect::UsageSse::Verdict& event) {
  if (event.choice == 0) {
    dialect::Usage usage = *event.usage;
    if (event.adds && choice0_) {
      usage.prompt = std::max(usage.prompt, choice0_->prompt);
      if (!usage.cached) usage.cached = choice0_->cached;
    }
    choice0_ = usage;
    return;
  }
  const auto same = [&](const auto& pair) { return pair.first == event.choice; };
  const auto found = std::find_if(more_choices_.begin(), more_choices_.end(), same);
  if (found != more_choices_.end()) {
    found->second = *event.usage;
  } else if (more_choices_.size() < kChoicesMax) {
    more_choices_.emplace_back(event.choice, *event.usage);
  }
}

void Meter::on_body(std::string_view piece, TimePoint now) {
  if (!first_) first_ = now;
  last_ = now;
  has_body_ = true;
  body_.feed(piece);
}

Counted Meter::finish(End end, TimePoint now) const {
  Counted counted;
  counted.total = now - start_;
  if (first_) counted.first_token = *first_ - start_;

  const auto take = [&counted](const dialect::Usage& usage) {
    counted.known = true;
    counted.prompt = usage.prompt;
    counted.completion = usage.completion;
    counted.cached = usage.cached;
  };
  if (final_) {
    take(*final_);
    counted.exact = true;
  } else if (has_body_ && body_.result()) {
    take(*body_.result());
    counted.exact = true;
  } else if (choice0_ || !more_choices_.empty()) {
    // Each choice reports its own output and the same prompt.
    take(choice0_ ? *choice0_ : more_choices_.front().second);
    counted.completion = choice0_ ? choice0_->completion : 0;
    for (const auto& [choice, usage] : more_choices_) {
      counted.completion += usage.completion;
      counted.prompt = std::max(counted.prompt, usage.prompt);
    }
    // A stream that ended by itself reported its last count on its last chunk.
    counted.exact = end == End::kDone;
  }
  if (counted.known && counted.completion > 1 && first_ && last_ && !has_body_) {
    counted.per_output = (*last_ - *first_) / static_cast<std::int64_t>(counted.completion - 1);
  }
  return counted;
}

}  // namespace tidegate::usage

#include "engine/sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace tidegate::sample {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kGreedyBelow = 1e-5F;
constexpr float kTemperatureMin = 0.01F;

bool inside(Token token, std::size_t vocabulary) {
  return token >= 0 && static_cast<std::size_t>(token) < vocabulary;
}

// Likelier first, then the lower id.
bool likelier(const batch::TokenLogprob& a, const batch::TokenLogprob& b) {
  return a.logprob != b.logprob ? a.logprob > b.logprob : a.token < b.token;
}

Token largest_token(std::span<const float> logits, const ops::Kernels& kernels) {
  const float best = kernels.largest(logits.data(), logits.size());
  return static_cast<Token>(std::find(logits.begin(), logits.end(), best) - logits.begin());
}

// What stays is finite, so that the likeliest is one of them.
void keep_allowed(std::span<float> logits, const guide::Mask& mask) {
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!mask.allows(static_cast<Token>(i))) {
      logits[i] = kNever;
    } else if (logits[i] == kNever) {
      logits[i] = std::numeric_limits<float>::lowest();
    }
  }
}

}  // namespace

double uniform(std::uint64_t seed, std::uint64_t position) {
  const std::uint64_t bits = mix64(mix64(seed) + position * 0x9E3779B97F4A7C15ULL);
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

batch::Sample Sampler::draw(std::span<float> logits, const Draw& d, const ops::Kernels& kernels) {
  for (float& logit : logits) {
    if (std::isnan(logit)) logit = kNever;
  }
  if (d.guide != nullptr) keep_allowed(logits, *d.guide);
  const std::int32_t reported = d.sampling->logprobs;
  batch::Sample sample;
  if (reported >= 0) raw_.assign(logits.begin(), logits.end());
  const Token likeliest = largest_token(logits, kernels);
  mask(logits, d);
  penalise(logits, d);
  sample.token = pick(logits, d, kernels);
  if (sample.token < 0) sample.token = likeliest;
  sample.chosen.token = sample.token;
  if (reported >= 0) describe(raw_, sample.token, reported, kernels, sample.chosen, sample.top);
  return sample;
}

void Sampler::describe(std::span<const float> logits, Token actual, std::int32_t count,
                       const ops::Kernels& kernels, batch::TokenLogprob& about,
                       std::vector<batch::TokenLogprob>& top) {
  const float shift = kernels.largest(logits.data(), logits.size());
  weights_.resize(logits.size());
  const double total = kernels.exp_shifted(logits.data(), shift, logits.size(), weights_.data());
  const double normal = shift + std::log(total);
  const auto logprob = [&](Token token) {
    return static_cast<float>(logits[static_cast<std::size_t>(token)] - normal);
  };
  const std::size_t wanted =
      std::min<std::size_t>(static_cast<std::size_t>(std::max(count, 0)), logits.size());
  best_.clear();
  for (std::size_t i = 0; wanted > 0 && i < logits.size(); ++i) {
    const batch::TokenLogprob entry{static_cast<Token>(i), logits[i], 0};
    if (best_.size() < wanted) {
      best_.push_back(entry);
      std::push_heap(best_.begin(), best_.end(), likelier);
    } else if (likelier(entry, best_.front())) {
      std::pop_heap(best_.begin(), best_.end(), likelier);
      best_.back() = entry;
      std::push_heap(best_.begin(), best_.end(), likelier);
    }
  }
  std::sort(best_.begin(), best_.end(), likelier);
  top = best_;
  for (std::size_t i = 0; i < top.size(); ++i) {
    top[i].logprob = logprob(top[i].token);
    top[i].rank = static_cast<std::uint32_t>(i + 1);
  }
  if (!inside(actual, logits.size())) {
    about = {actual, kNever, static_cast<std::uint32_t>(logits.size())};
    return;
  }
  const float mine = logits[static_cast<std::size_t>(actual)];
  const auto above = std::count_if(logits.begin(), logits.end(), [&](float other) { return other > mine; });
  about = {actual, logprob(actual), static_cast<std::uint32_t>(above + 1)};
}

void Sampler::mask(std::span<float> logits, const Draw& d) {
  const batch::Sampling& s = *d.sampling;
  const auto never = [&](Token token) {
    if (inside(token, logits.size())) logits[static_cast<std::size_t>(token)] = kNever;
  };
  if (!s.allowed_tokens.empty()) {
    candidates_.clear();
    for (const Token token : s.allowed_tokens) {
      if (inside(token, logits.size()))
        candidates_.push_back({logits[static_cast<std::size_t>(token)], token});
    }
    std::fill(logits.begin(), logits.end(), kNever);
    for (const Candidate& kept : candidates_) logits[static_cast<std::size_t>(kept.token)] = kept.weight;
  }
  const auto output = d.history.subspan(std::min(d.prompt_tokens, d.history.size()));
  for (const auto& word : s.bad_words) {
    if (word.empty() || word.size() - 1 > output.size()) continue;
    const auto begun = output.last(word.size() - 1);
    if (std::equal(begun.begin(), begun.end(), word.begin())) never(word.back());
  }
  if (output.size() < s.min_tokens) {
    for (const Token token : d.eos) never(token);
    for (const Token token : s.stop_token_ids) never(token);
  }
  for (const auto& [token, bias] : s.logit_bias) {
    if (inside(token, logits.size())) logits[static_cast<std::size_t>(token)] += bias;
  }
}

void Sampler::penalise(std::span<float> logits, const Draw& d) {
  const batch::Sampling& s = *d.sampling;
  if (s.repetition_penalty == 1 && s.frequency_penalty == 0 && s.presence_penalty == 0) return;
  drawn_.resize(logits.size());
  seen_.resize(logits.size());
  for (std::size_t i = 0; i < d.history.size(); ++i) {
    if (!inside(d.history[i], logits.size())) continue;
    const auto token = static_cast<std::size_t>(d.history[i]);
    if (i >= d.prompt_tokens) ++drawn_[token];
    if (std::exchange(seen_[token], 1) == 0) {
      float& logit = logits[token];
      logit = logit > 0 ? logit / s.repetition_penalty : logit * s.repetition_penalty;
    }
  }
  for (const Token each : d.history) {
    if (!inside(each, logits.size())) continue;
    const auto token = static_cast<std::size_t>(each);
    if (drawn_[token] > 0) {
      logits[token] -= s.frequency_penalty * static_cast<float>(drawn_[token]) + s.presence_penalty;
    }
    drawn_[token] = 0;
    seen_[token] = 0;
  }
}

Token Sampler::pick(std::span<float> logits, const Draw& d, const ops::Kernels& kernels) {
  const batch::Sampling& s = *d.sampling;
  const float largest = kernels.largest(logits.data(), logits.size());
  if (largest == kNever) return -1;
  if (s.temperature < kGreedyBelow || largest == std::numeric_limits<float>::infinity()) {
    return largest_token(logits, kernels);
  }
  // Below one, dividing first would overflow nothing, but subtracting first keeps the largest weight exactly
  // one.
  const float inverse = 1.0F / std::max(s.temperature, kTemperatureMin);
  weights_.resize(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) weights_[i] = (logits[i] - largest) * inverse;
  kernels.exp_shifted(weights_.data(), 0.0F, weights_.size(), weights_.data());

  candidates_.clear();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    // exp of minus infinity is tiny but not zero in vector code; what is masked stays masked.
    if (logits[i] == kNever || weights_[i] < s.min_p || weights_[i] == 0) continue;
    candidates_.push_back({weights_[i], static_cast<Token>(i)});
  }
  if (s.top_k > 0 && static_cast<std::size_t>(s.top_k) < candidates_.size()) {
    const auto kth = candidates_.begin() + s.top_k - 1;
    const auto heavier = [](const Candidate& a, const Candidate& b) { return a.weight > b.weight; };
    std::nth_element(candidates_.begin(), kth, candidates_.end(), heavier);
    const float least = kth->weight;
    std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < least; });
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
  }
  if (s.top_p < 1) keep_top_p(s.top_p);

  double total = 0;
  for (const Candidate& c : candidates_) total += c.weight;
  double left = uniform(s.seed, d.history.size()) * total;
  for (const Candidate& c : candidates_) {
    left -= c.weight;
    if (left < 0) return c.token;
  }
  return candidates_.back().token;  // rounding ate the last sliver
}

// Keeps the likeliest tokens until those before one weigh at least p of all. They come sorted in growing
// pieces, as few are usually enough.
void Sampler::keep_top_p(double p) {
  const auto before = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
  };
  double total = 0;
  for (const Candidate& c : candidates_) total += c.weight;
  double sum = 0;
  std::size_t kept = 0;
  for (std::size_t sorted = 0; sorted < candidates_.size();) {
    const std::size_t end = std::min(candidates_.size(), std::max<std::size_t>(64, sorted * 8));
    const auto from = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted);
    std::partial_sort(from, candidates_.begin() + static_cast<std::ptrdiff_t>(end), candidates_.end(),
                      before);
    for (; kept < end; ++kept) {
      if (kept > 0 && sum >= p * total) {
        candidates_.resize(kept);
        return;
      }
      sum += candidates_[kept].weight;
    }
    sorted = end;
  }
}

}  // namespace tidegate::sample

#include "engine/latency/simulated_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/latency/lengths.h"

namespace tidegate::latency {
namespace {

using batch::Segment;
using batch::Token;

constexpr float kGreedyBelow = 1e-5f;
constexpr std::size_t kEndWork = 1'000'000;  // places a guide may look at for one token

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = text.size();
  for (const char c : text) hash = mix64(hash ^ static_cast<unsigned char>(c));
  return hash;
}

std::uint64_t hash_tokens(std::span<const Token> tokens) {
  std::uint64_t hash = tokens.size();
  for (const Token token : tokens) hash = mix64(hash + static_cast<std::uint64_t>(token));
  return hash;
}

// A log-normal factor with mean near 1.
double jitter_factor(double sigma, Random& random) {
  if (sigma <= 0) return 1;
  const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
  return std::exp(sigma * radius * std::cos(2 * std::numbers::pi * random.unit()) - sigma * sigma / 2);
}

Duration modelled(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

// A plausible logprob: most tokens are likely, some are not.
float logprob_of(std::uint64_t key) {
  const double unit = static_cast<double>(mix64(key) >> 11) * 0x1.0p-53;
  return static_cast<float>(std::log(.35 + .6 * unit));
}

batch::TokenLogprob chosen_logprob(std::uint64_t key, Token token) { return {token, logprob_of(key), 1}; }

std::vector<batch::TokenLogprob> top_logprobs(std::uint64_t key, Token chosen, std::int32_t count,
                                              std::size_t vocabulary) {
  std::vector<batch::TokenLogprob> top;
  float logprob = logprob_of(key);
  for (std::int32_t i = 0; i < count; ++i) {
    const auto other = static_cast<Token>(mix64(key + static_cast<std::uint64_t>(i)) % vocabulary);
    top.push_back({i == 0 ? chosen : other, logprob, static_cast<std::uint32_t>(i + 1)});
    logprob -= 1.5f;
  }
  return top;
}

}  // namespace

SimulatedModel::SimulatedModel(Profile profile, const PseudoTokenizer& tokenizer, std::uint64_t seed,
                               Answers answers)
    : profile_(profile), tokenizer_(tokenizer), seed_(mix64(seed)), answers_how_(answers), jitter_(seed) {
  facts_.vocabulary = tokenizer.vocabulary();
  facts_.context_max = profile_.context_max;
  facts_.kv_bytes_per_token = profile_.kv_bytes_per_token;
  facts_.simulated = true;
}

Result<void> SimulatedModel::reserve(const batch::Capacity& capacity) {
  capacity_ = capacity;
  slots_.assign(capacity.adapter_slots, nullptr);
  answers_.resize(capacity.sequences_max);
  followers_.resize(capacity.sequences_max);
  return {};
}

Result<std::unique_ptr<const batch::Adapter>> SimulatedModel::load_adapter(const batch::AdapterSpec& spec) {
  auto adapter = std::make_unique<SimulatedAdapter>();
  adapter->rank = std::min<std::size_t>(8, capacity_.adapter_rank_max);
  adapter->digest = spec.name + "@" + spec.path;
  adapter->load_modelled = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(profile_.adapter_read_ms));
  adapter->key = hash_text(adapter->digest);
  adapter->manner = manner_of(spec.name);
  return adapter;
}

void SimulatedModel::place_adapter(std::int32_t slot, const batch::Adapter& adapter) {
  slots_[static_cast<std::size_t>(slot)] = &static_cast<const SimulatedAdapter&>(adapter);
  ++slot_loads_;
}

void SimulatedModel::clear_adapter(std::int32_t slot) { slots_[static_cast<std::size_t>(slot)] = nullptr; }

Result<void> SimulatedModel::step(std::span<const Segment> segments, batch::StepResult& result) {
  result.samples.clear();
  result.prompt.clear();
  shape_.prefill.clear();
  shape_.decodes = 0;
  shape_.decode_context = 0;
  adapters_seen_.clear();
  for (const Segment& segment : segments) {
    if (segment.start < segment.prompt_tokens || segment.end - segment.start > 1) {
      shape_.prefill.push_back({segment.start, segment.end - segment.start});
    } else {
      ++shape_.decodes;
      shape_.decode_context += segment.end;
    }
    if (segment.adapter_slot != batch::kBaseModel &&
        std::find(adapters_seen_.begin(), adapters_seen_.end(), segment.adapter_slot) ==
            adapters_seen_.end()) {
      adapters_seen_.push_back(segment.adapter_slot);
    }
    if (segment.sample) {
      batch::Sample& sample = result.samples.emplace_back();
      if (segment.sampling->guide == nullptr) {
        sample.token = draw(segment);
      } else {
        sample = draw_guided(segment);
      }
    }
    if (segment.sampling->logprobs >= 0 || segment.sampling->prompt_logprobs >= 0)
      add_logprobs(segment, result);
  }
  shape_.adapters = adapters_seen_.size();
  shape_.slot_loads = std::exchange(slot_loads_, 0);
  shape_.sequences_max = capacity_.sequences_max;
  const double ms = step_ms(profile_, shape_) * jitter_factor(profile_.jitter, jitter_);
  result.modelled = modelled(ms * profile_.time_scale);
  return {};
}

void SimulatedModel::start(Answer& answer, const Segment& segment) const {
  const batch::Sampling& sampling = *segment.sampling;
  answer.request = segment.request;
  answer.key = mix64(seed_ ^ hash_tokens(segment.history.first(segment.prompt_tokens)));
  answer.manner = Manner::kPlain;
  if (segment.adapter_slot != batch::kBaseModel) {
    const SimulatedAdapter& adapter = *slots_[static_cast<std::size_t>(segment.adapter_slot)];
    answer.key = mix64(answer.key ^ adapter.key);
    answer.manner = adapter.manner;
  }
  if (sampling.temperature >= kGreedyBelow) answer.key = mix64(answer.key ^ sampling.seed);
  Random random(answer.key);
  if (sampling.ignore_eos) {
    answer.length = std::numeric_limits<std::size_t>::max();
  } else if (answers_how_ == Answers::kEcho) {
    answer.length = segment.prompt_tokens;
  } else {
    answer.length = answer_length(sampling.max_tokens, sampling.max_tokens_given, random);
  }
  answer.length = std::max(answer.length, sampling.min_tokens);
  answer.sentence = 0;
  answer.base = 0;
  answer.tokens.clear();
}

Token SimulatedModel::draw(const Segment& segment) {
  Answer& answer = answers_[segment.sequence];
  const std::size_t position = segment.history.size() - segment.prompt_tokens;
  if (answer.request != segment.request || position < answer.base) start(answer, segment);
  if (!segment.sampling->allowed_tokens.empty()) {
    const auto& allowed = segment.sampling->allowed_tokens;
    return allowed[mix64(answer.key + position) % allowed.size()];
  }
  return position >= answer.length ? PseudoTokenizer::kEos : say(answer, segment, position);
}

// What stands at a position of an answer that does not end.
Token SimulatedModel::say(Answer& answer, const Segment& segment, std::size_t position) {
  if (answers_how_ == Answers::kEcho) return segment.history[position % segment.prompt_tokens];
  while (position >= answer.base + answer.tokens.size()) {
    answer.base += answer.tokens.size();
    answer.tokens = tokenizer_.encode(sentence(answer.manner, answer.key, answer.sentence++), false);
  }
  return answer.tokens[position - answer.base];
}

batch::Sample SimulatedModel::draw_guided(const Segment& segment) {
  // Ends this many tokens before the limit would cut it; the shortest end takes at most a token per byte.
  constexpr std::size_t kReserve = 8;
  constexpr std::size_t kEndBytes = 16;
  guide::Guide& guide = *segment.sampling->guide;
  const auto output = segment.history.subspan(segment.prompt_tokens);
  guide::Follower& follower = followers_[segment.sequence];
  batch::Sample sample;
  const auto mask = follower.next(segment.request, guide, output, *segment.sampling->guide_work);
  if (!mask) {
    sample.failure = describe(mask.error());
    return sample;
  }
  const Token free = draw(segment);
  const std::uint64_t needed = guide.distance(follower.state()) + output.size() + kReserve;
  if (free != PseudoTokenizer::kEos && (*mask)->allows(free) && needed < segment.sampling->max_tokens) {
    sample.token = free;
    return sample;
  }
  std::size_t work = kEndWork;
  const std::string end = guide.shortest_end(follower.state(), kEndBytes, work);
  sample.token = PseudoTokenizer::kEos;
  if (!end.empty()) {
    const Token whole = tokenizer_.encode(end, false).front();
    const Token one = tokenizer_.encode(end.substr(0, 1), false).front();
    sample.token = (*mask)->allows(whole) ? whole : one;
  }
  if (!(*mask)->allows(sample.token))
    sample.failure = "cannot be followed by this engine's simulated answers";
  return sample;
}

void SimulatedModel::add_logprobs(const Segment& segment, batch::StepResult& result) const {
  const std::uint64_t key = mix64(seed_ ^ segment.request);
  const batch::Sampling& sampling = *segment.sampling;
  if (segment.sample && sampling.logprobs >= 0) {
    batch::Sample& sample = result.samples.back();
    sample.chosen = chosen_logprob(key + segment.history.size(), sample.token);
    sample.top =
        top_logprobs(key + segment.history.size(), sample.token, sampling.logprobs, facts_.vocabulary);
  }
  if (sampling.prompt_logprobs < 0) return;
  for (std::size_t next = segment.start + 1; next <= segment.end && next < segment.prompt_tokens; ++next) {
    const Token token = segment.history[next];
    result.prompt.push_back({segment.request, next, chosen_logprob(key + next, token),
                             top_logprobs(key + next, token, sampling.prompt_logprobs, facts_.vocabulary)});
  }
}

}  // namespace tidegate::latency

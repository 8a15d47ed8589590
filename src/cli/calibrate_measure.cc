#include "cli/calibrate_measure.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidegate::cli {
namespace {

constexpr std::size_t kAnswer = 32;        // tokens that a decoding request makes at least
constexpr std::size_t kAnswerMax = 256;    // and at most, of an engine whose steps are short
constexpr double kWatchMs = 200;           // how long it should take
constexpr std::size_t kShortPrompt = 16;   // in front of them
constexpr std::size_t kRoundsMax = 8;
constexpr std::size_t kBurst = 12;         // requests of one burst
constexpr std::size_t kBurstPromptMax = 1536;
constexpr std::size_t kSequencesMax = 64;

constexpr std::size_t kSequences[] = {1, 2, 4, 8, 16, 32, kSequencesMax};
constexpr std::size_t kPrompts[] = {8, 32, 64, 128, 256, 384, 512, 1024, 2048, 3072, 4096, 8192};
constexpr std::size_t kCheap = 512;  // prompts up to here are asked several times a round
constexpr int kCheapTimes = 3;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

CalibrationMeasure::CalibrationMeasure(net::Loop& loop, CalibrationClient& client, ServerFacts facts,
                                       std::size_t step_tokens_max)
    : loop_(loop),
      client_(client),
      facts_(std::move(facts)),
      step_tokens_max_(step_tokens_max),
      sequences_max_(kSequencesMax),
      answer_(kAnswer) {}

std::vector<std::int32_t> CalibrationMeasure::random_prompt(std::size_t tokens) {
  std::vector<std::int32_t> prompt(tokens);
  for (std::int32_t& token : prompt) token = facts_.tokens[random_.below(facts_.tokens.size())];
  return prompt;
}

net::Task<void> CalibrationMeasure::ask_one(const CalibrationAsk& ask, Result<CalibrationTold>& told) {
  told = co_await client_.ask(ask);
}

net::Task<Result<std::vector<CalibrationTold>>> CalibrationMeasure::together(std::vector<CalibrationAsk> asks) {
  std::vector<Result<CalibrationTold>> answers(asks.size());
  net::TaskGroup group;
  for (std::size_t i = 0; i < asks.size(); ++i) group.spawn(ask_one(asks[i], answers[i]));
  co_await group.wait_empty();
  std::vector<CalibrationTold> told;
  for (Result<CalibrationTold>& answer : answers) {
    if (!answer) co_return tl::unexpected(answer.error());
    told.push_back(*std::move(answer));
  }
  co_return told;
}

// From when all are decoding until the first has ended.
std::optional<CalibrationMeasure::Window> CalibrationMeasure::window_of(const std::vector<CalibrationTold>& told,
                                                                        std::size_t prompt) const {
  double begin = 0, end = std::numeric_limits<double>::max();
  for (const CalibrationTold& each : told) {
    begin = std::max(begin, each.events.front().ms);
    end = std::min(end, each.events.back().ms);
  }
  Window window;
  for (const CalibrationTold& each : told) {
    const TokenEvent* first = nullptr;
    const TokenEvent* last = nullptr;
    for (const TokenEvent& event : each.events) {
      if (event.ms < begin || event.ms > end) continue;
      if (first == nullptr) first = &event;
      last = &event;
    }
    constexpr std::size_t kFew = 4;
    if (first == nullptr || last->tokens < first->tokens + kFew) return {};
    window.step_ms += (last->ms - first->ms) / static_cast<double>(last->tokens - first->tokens);
    window.context += static_cast<double>(prompt) + static_cast<double>(first->tokens + last->tokens) / 2;
  }
  window.step_ms /= static_cast<double>(told.size());
  window.context /= static_cast<double>(told.size());
  return window;
}

// False: the server did not run that many at once.
net::Task<Result<bool>> CalibrationMeasure::decode(Point point) {
  // One prompt for all: where prefixes are cached only the first costs anything, and context is context.
  CalibrationAsk ask;
  ask.model = facts_.model;
  ask.prompt = random_prompt(point.prompt);
  ask.answer = std::min(answer_, facts_.context_max - point.prompt);
  std::vector<CalibrationAsk> asks(point.sequences, ask);
  const auto told = co_await together(std::move(asks));
  if (!told && point.sequences == 1) co_return tl::unexpected(told.error());
  if (!told) co_return false;
  const auto window = window_of(*told, point.prompt);
  if (!window) co_return false;
  decodes_[{point.sequences, point.prompt}].push_back(*window);
  if (point.sequences == 1 && point.prompt == kShortPrompt) {
    const std::vector<TokenEvent>& events = told->front().events;
    for (std::size_t i = 1; i < events.size(); ++i) single_steps_.push_back(events[i].ms - events[i - 1].ms);
  }
  co_return true;
}

net::Task<Result<double>> CalibrationMeasure::first_token_ms(std::string model, std::size_t tokens) {
  CalibrationAsk ask;
  ask.model = std::move(model);
  ask.prompt = random_prompt(tokens);
  const Result<CalibrationTold> told = co_await client_.ask(ask);
  if (!told) co_return tl::unexpected(told.error());
  co_return told->events.front().ms - told->sent_ms;
}

net::Task<Result<void>> CalibrationMeasure::prefill(std::size_t tokens) {
  for (int i = 0; i < (tokens <= kCheap ? kCheapTimes : 1); ++i) {
    const Result<double> ms = co_await first_token_ms(facts_.model, tokens);
    if (!ms) co_return tl::unexpected(ms.error());
    prefills_[tokens].push_back(*ms);
  }
  co_return Result<void>();
}

// The first answer is slower than those that follow, and says how long they must be to be measured well.
net::Task<Result<void>> CalibrationMeasure::warm_up() {
  CalibrationAsk ask;
  ask.model = facts_.model;
  ask.prompt = random_prompt(kShortPrompt);
  ask.answer = kAnswer;
  const Result<CalibrationTold> told = co_await client_.ask(ask);
  if (!told) co_return tl::unexpected(told.error());
  const double step_ms = std::max(1e-3, (told->events.back().ms - told->sent_ms) / static_cast<double>(kAnswer));
  const std::size_t most = std::min(kAnswerMax, facts_.context_max / 2);
  answer_ = std::clamp(static_cast<std::size_t>(kWatchMs / step_ms), kAnswer, std::max(kAnswer, most));
  co_return Result<void>();
}

net::Task<Result<void>> CalibrationMeasure::rounds(double until_ms) {
  if (facts_.context_max <= kShortPrompt + kAnswer) {
    co_return fail(Code::kInvalid, "the server's context of " + std::to_string(facts_.context_max) +
                                       " tokens is too short to measure anything");
  }
  const Result<void> warm = co_await warm_up();
  if (!warm) co_return warm;
  const std::size_t far = facts_.context_max - kAnswer;
  double longest_round = 0;
  while (rounds_ < kRoundsMax && (rounds_ == 0 || client_.now_ms() + longest_round < until_ms)) {
    const double began = client_.now_ms();
    for (const std::size_t sequences : kSequences) {
      if (sequences > sequences_max_) break;
      const Point point{sequences, kShortPrompt};
      const Result<bool> ran = co_await decode(point);
      if (!ran) co_return tl::unexpected(ran.error());
      if (!*ran) sequences_max_ = std::max<std::size_t>(sequences / 2, 1);
    }
    for (const std::size_t tokens : kPrompts) {
      if (tokens > longest()) break;
      const Result<void> done = co_await prefill(tokens);
      if (!done) co_return done;
    }
    // As long as may be, for what grows with the square.
    const Result<void> done = co_await prefill(std::min(longest(), kPrompts[std::size(kPrompts) - 1]));
    if (!done) co_return done;
    const Point deep[] = {{1, std::min<std::size_t>(1000, far / 2)},
                          {1, std::min<std::size_t>(3500, far)},
                          {8, std::min<std::size_t>(500, far / 2)},
                          {8, std::min<std::size_t>(1000, far)}};
    for (const Point& point : deep) {
      const std::size_t needed = point.sequences * (point.prompt + answer_);
      const std::size_t held = facts_.blocks.value_or(needed) * facts_.block_tokens.value_or(1);
      if (point.sequences > sequences_max_ || needed > held) continue;
      const Result<bool> ran = co_await decode(point);
      if (!ran) co_return tl::unexpected(ran.error());
    }
    ++rounds_;
    longest_round = std::max(longest_round, client_.now_ms() - began);
  }
  co_return Result<void>();
}

net::Task<Result<void>> CalibrationMeasure::adapters(const latency::Profile& base) {
  constexpr std::size_t kAdaptersMax = 8;
  const std::size_t slots = std::min({facts_.adapters.size(), facts_.adapter_slots.value_or(1), sequences_max_, kAdaptersMax});
  std::vector<double> cold;
  for (std::size_t i = 0; i < slots; ++i) {
    const Result<double> first = co_await first_token_ms(facts_.adapters[i], kShortPrompt);
    if (!first) co_return tl::unexpected(first.error());
    const Result<double> again = co_await first_token_ms(facts_.adapters[i], kShortPrompt);
    if (!again) co_return tl::unexpected(again.error());
    cold.push_back(std::max(0.0, *first - *again));
  }
  if (!cold.empty()) cold_ms_ = median(cold);
  for (std::size_t count = 1; count <= slots; count *= 2) {
    std::vector<double> factors;
    for (int i = 0; i < kCheapTimes; ++i) {
      std::vector<CalibrationAsk> asks;
      for (std::size_t j = 0; j < count; ++j) asks.push_back({facts_.adapters[j], random_prompt(kShortPrompt), answer_});
      const auto told = co_await together(std::move(asks));
      if (!told) co_return tl::unexpected(told.error());
      const auto window = window_of(*told, kShortPrompt);
      if (!window) continue;
      const latency::DecodeSeen same{count, window->context, 0};
      factors.push_back(window->step_ms / latency::decode_ms(base, same));
    }
    if (!factors.empty()) adapters_.push_back({count, median(factors)});
  }
  co_return Result<void>();
}

net::Task<Result<std::vector<HeldOut>>> CalibrationMeasure::burst(double gap_ms) {
  const double most = static_cast<double>(std::min(kBurstPromptMax, facts_.context_max - kAnswer));
  std::vector<HeldOut> requests(kBurst);
  std::vector<CalibrationAsk> asks(kBurst);
  for (std::size_t i = 0; i < kBurst; ++i) {
    // Lengths spread evenly over their logarithm.
    requests[i].prompt = static_cast<std::size_t>(8 * std::pow(most / 8, random_.unit()));
    requests[i].answer = 8 + random_.below(kAnswer - 8);
    asks[i].model = facts_.model;
    asks[i].prompt = random_prompt(requests[i].prompt);
    asks[i].answer = requests[i].answer;
  }
  std::vector<Result<CalibrationTold>> answers(kBurst);
  net::TaskGroup group;
  net::Alarm pause(loop_);
  for (std::size_t i = 0; i < kBurst; ++i) {
    group.spawn(ask_one(asks[i], answers[i]));
    const auto gap = std::chrono::duration<double, std::milli>(-std::log(1 - random_.unit()) * gap_ms);
    (void)co_await pause.after(std::chrono::duration_cast<Duration>(gap));
  }
  co_await group.wait_empty();
  for (std::size_t i = 0; i < kBurst; ++i) {
    if (!answers[i]) co_return tl::unexpected(answers[i].error());
    requests[i].sent_ms = answers[i]->sent_ms;
    requests[i].first_ms = answers[i]->events.front().ms - answers[i]->sent_ms;
    requests[i].whole_ms = answers[i]->events.back().ms - answers[i]->sent_ms;
  }
  co_return requests;
}

latency::Seen CalibrationMeasure::seen() const {
  latency::Seen seen;
  seen.step_tokens_max = step_tokens_max_;
  for (const auto& [point, windows] : decodes_) {
    std::vector<double> steps;
    double context = 0;
    for (const Window& window : windows) {
      steps.push_back(window.step_ms);
      context += window.context / static_cast<double>(windows.size());
    }
    seen.decodes.push_back({point.first, context, median(std::move(steps))});
  }
  for (const auto& [tokens, times] : prefills_) seen.prefills.push_back({tokens, median(times)});
  seen.adapters = adapters_;
  return seen;
}

}  // namespace tidegate::cli

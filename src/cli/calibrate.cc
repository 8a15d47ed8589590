#include "cli/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "cli/calibrate_client.h"
#include "cli/calibrate_measure.h"
#include "engine/latency/step_model.h"
#include "simulate/engine.h"

namespace tidegate::cli {
namespace {

constexpr double kRoundsShare = .7;  // of the time; the rest is for requests that the fit has not seen
constexpr double kGapSteps = 8;      // between two of them, in steps of decoding

struct Errors {
  std::vector<double> first, whole;
};

// What the model says of a burst, request by request, by the same scheduling as the simulated engine's.
void compare(const latency::Profile& profile, const ServerFacts& facts, std::size_t step_tokens_max,
             std::vector<HeldOut> burst, Errors& errors) {
  simulate::EngineSpec spec;
  spec.profile = profile;
  spec.profile.context_max = facts.context_max;
  spec.step_tokens_max = step_tokens_max;
  spec.block_tokens = facts.block_tokens.value_or(16);
  constexpr std::size_t kPlenty = 1 << 20;
  spec.blocks = facts.blocks.value_or(kPlenty) + 1;
  simulate::Engine engine(spec);
  std::sort(burst.begin(), burst.end(), [](const HeldOut& a, const HeldOut& b) { return a.sent_ms < b.sent_ms; });
  const auto at = [](double ms) { return TimePoint{} + Duration(static_cast<std::int64_t>(ms * 1e6)); };
  std::vector<simulate::News> news;
  const auto run_until = [&](TimePoint until) {
    while (engine.next() <= until && engine.next() != TimePoint::max()) engine.advance(news);
  };
  for (std::size_t i = 0; i < burst.size(); ++i) {
    run_until(at(burst[i].sent_ms));
    engine.submit({.id = static_cast<std::uint32_t>(i),
                   .prompt = static_cast<std::uint32_t>(burst[i].prompt),
                   .answer = static_cast<std::uint32_t>(burst[i].answer)},
                  at(burst[i].sent_ms));
  }
  run_until(TimePoint::max() - Duration(1));
  for (const simulate::News& each : news) {
    const HeldOut& request = burst[each.id];
    const double said = milliseconds(each.time - at(request.sent_ms));
    const bool first = each.kind == simulate::News::Kind::kFirstToken;
    const double was = first ? request.first_ms : request.whole_ms;
    (first ? errors.first : errors.whole).push_back(std::abs(said / std::max(was, 1e-6) - 1));
  }
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

void print_fit(const latency::Seen& seen, const latency::Profile& profile) {
  std::cout << "\nsequences  context  step ms    model\n";
  for (const latency::DecodeSeen& each : seen.decodes) {
    std::cout << fmt::format("{:>9}  {:>7.0f}  {:>7.2f}  {:>7.2f}\n", each.sequences, each.context, each.step_ms,
                             latency::decode_ms(profile, each));
  }
  std::cout << "\n   prompt  TTFT ms    model\n";
  for (const latency::PrefillSeen& each : seen.prefills) {
    std::cout << fmt::format("{:>9}  {:>7.2f}  {:>7.2f}\n", each.tokens, each.ms,
                             latency::prefill_ms(profile, each.tokens, seen.step_tokens_max));
  }
  for (const latency::AdapterSeen& each : seen.adapters) {
    std::cout << fmt::format("{} adapter{} in a step: {:.2f} times as long\n", each.adapters,
                             each.adapters == 1 ? "" : "s", each.factor);
  }
}

void print_errors(const Errors& errors) {
  std::cout << fmt::format("\nheld out, {} requests   median error   p95\n", errors.first.size());
  std::cout << fmt::format("first token              {:>9.1f} %   {:>5.1f} %\n", 100 * quantile(errors.first, .5),
                           100 * quantile(errors.first, .95));
  std::cout << fmt::format("whole answer             {:>9.1f} %   {:>5.1f} %\n", 100 * quantile(errors.whole, .5),
                           100 * quantile(errors.whole, .95));
}

void print_command(const ServerFacts& facts, const serve::Flags& flags, const latency::Profile& profile) {
  std::cout << "\nto take this server's time:\n\n  tidegate engine --simulate --model " << facts.model
            << " --max-model-len " << facts.context_max << " --max-num-batched-tokens " << flags.step_tokens_max;
  if (facts.block_tokens) std::cout << " --block-size " << *facts.block_tokens;
  if (facts.blocks) std::cout << " --num-gpu-blocks-override " << *facts.blocks;
  if (!facts.adapters.empty()) std::cout << " --enable-lora --max-loras " << facts.adapter_slots.value_or(1);
  std::cout << " --step-model " << latency::step_model_text(profile) << std::endl;
}

net::Task<Result<void>> measure(net::Loop& loop, const SystemClock& clock, const serve::Flags& flags,
                                CalibrationTarget target) {
  CalibrationClient client(loop, clock, std::move(target));
  const Result<ServerFacts> facts = co_await client.facts();
  if (!facts) co_return tl::unexpected(facts.error());
  const double time_ms = static_cast<double>(flags.calibrate_s) * 1000;
  std::cout << fmt::format("{}: context {}, {} adapters; measuring for about {} s", facts->model, facts->context_max,
                           facts->adapters.size(), flags.calibrate_s)
            << std::endl;
  CalibrationMeasure measure(loop, client, *facts, flags.step_tokens_max);
  if (auto done = co_await measure.rounds(time_ms * kRoundsShare); !done) co_return done;
  auto profile = latency::fit(measure.seen(), {});
  if (!profile) co_return tl::unexpected(profile.error());
  if (!facts->adapters.empty()) {
    if (auto done = co_await measure.adapters(*profile); !done) co_return done;
    profile = latency::fit(measure.seen(), *profile);
    if (!profile) co_return tl::unexpected(profile.error());
    // From outside, reading a file and filling a slot are one.
    profile->slot_load_ms = 0;
    profile->adapter_read_ms = measure.cold_adapter_ms().value_or(0);
  }
  profile->jitter = latency::jitter_of(measure.single_steps_ms());
  print_fit(measure.seen(), *profile);

  const latency::DecodeSeen one{1, 0, 0};
  const double gap_ms = kGapSteps * latency::decode_ms(*profile, one);
  Errors errors;
  double longest = 0;
  do {
    const double began = client.now_ms();
    const auto burst = co_await measure.burst(gap_ms);
    if (!burst) co_return tl::unexpected(burst.error());
    compare(*profile, *facts, flags.step_tokens_max, *burst, errors);
    longest = std::max(longest, client.now_ms() - began);
  } while (client.now_ms() + longest < time_ms);
  print_errors(errors);
  print_command(*facts, flags, *profile);
  co_return Result<void>();
}

net::Task<void> measure_and_stop(net::Loop& loop, const SystemClock& clock, const serve::Flags& flags,
                                 CalibrationTarget target, Result<void>& result) {
  result = co_await measure(loop, clock, flags, std::move(target));
  loop.stop();
}

}  // namespace

Result<void> calibrate(const serve::Flags& flags) {
  auto target = target_of(flags.calibrate, flags.api_keys.empty() ? "" : flags.api_keys.front());
  if (!target) return tl::unexpected(target.error());
  const SystemClock clock;
  net::Loop loop;
  net::TaskGroup group;
  Result<void> result;
  group.spawn(measure_and_stop(loop, clock, flags, *std::move(target), result));
  if (!group.empty()) loop.run();
  return result;
}

}  // namespace tidegate::cli

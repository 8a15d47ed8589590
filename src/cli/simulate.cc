// `tidegate simulate`: what would happen, in virtual time.

#include <chrono>
#include <cmath>
#include <iostream>
#include <memory>

#include "cli/verbs.h"
#include "simulate/picking.h"
#include "simulate/report.h"
#include "simulate/scenario.h"
#include "simulate/shapes.h"
#include "simulate/trace.h"

namespace tidegate::cli {
namespace {

using simulate::Scaler;
using simulate::Workload;

constexpr int kUsage = 2;

struct TideFlags {
  std::string trace;
  std::string shape = "day";
  double requests = 1e6;
  double rate = 20;
  double speed = 1;
  std::string profile = "llama-2-7b-a10";
  std::int64_t owned = 4;
  std::int64_t cloud = 96;
  double price = 1;
  std::string boot = "2m";
  std::string load = "60s";
  std::int64_t min = 1;
  std::int64_t max = 100;
  std::optional<std::int64_t> start;
  double hpa_target = 50;
  double requests_target = 4;
  std::optional<double> capacity;
  double ttft_s = 2;
  double tpot_ms = 100;
  std::uint64_t seed = 1;
  bool timeline = false;
};

struct PickingFlags {
  std::string trace;
  std::string profile = "qwen2.5-7b-h100";
  std::size_t engines = 8;
  double speed = 1;
  std::size_t cache_tokens = 0;
  std::uint64_t seed = 1;
};

void hurry(Workload& workload, double speed) {
  const auto scaled = [speed](Duration time) {
    return Duration(static_cast<std::int64_t>(static_cast<double>(time.count()) / speed));
  };
  for (simulate::Arrival& arrival : workload.arrivals) arrival.at = scaled(arrival.at);
  workload.length = scaled(workload.length);
}

Result<Workload> workload_of(const TideFlags& flags) {
  Result<Workload> workload;
  if (!flags.trace.empty()) {
    workload = simulate::read_trace(flags.trace);
  } else if (flags.shape == "day") {
    workload = simulate::draw(simulate::day(flags.requests), simulate::conversation_lengths(), flags.seed);
    workload->name = "a day of conversations (Azure 2024)";
  } else {
    const auto phases = simulate::step(flags.rate, std::chrono::minutes(20), std::chrono::minutes(40));
    workload = simulate::draw(phases, simulate::conversation_lengths(), flags.seed);
    workload->name = "a step";
  }
  if (workload) hurry(*workload, flags.speed);
  return workload;
}

Result<Duration> duration_of(const char* flag, const std::string& text) {
  const auto duration = autoscale::parse_duration(text);
  if (!duration || *duration > std::chrono::hours(24)) {
    return invalid(flag, "is \"" + text.substr(0, 40) + "\"; use a duration up to 24h, like 90s or 2m");
  }
  return *duration;
}

Result<simulate::Scenario> scenario_of(const TideFlags& flags) {
  simulate::Scenario scenario;
  const auto profile = latency::find_profile(flags.profile);
  if (!profile) return invalid("--profile", describe(profile.error()));
  scenario.engine = simulate::engine_spec(*profile);
  if (flags.min > flags.max) return invalid("--max", "is below --min; raise it");
  if (flags.owned + flags.cloud < flags.min) {
    return invalid("--min", "is more than all machines together; raise --on-premises or --cloud");
  }
  scenario.scaler.min = flags.min;
  scenario.scaler.max = flags.max;
  // A day goes on from the day before; what else comes begins from nothing.
  const bool day = flags.trace.empty() && flags.shape == "day";
  scenario.start = flags.start.value_or(day ? flags.max / 4 : flags.min);
  scenario.owned = flags.owned;
  scenario.rented = flags.cloud;
  scenario.price_per_hour = flags.price;
  scenario.seed = flags.seed;
  const auto boot = duration_of("--boot", flags.boot);
  const auto load = duration_of("--load", flags.load);
  if (!boot || !load) return tl::unexpected(boot ? load.error() : boot.error());
  scenario.boot = *boot;
  scenario.load_time = *load;
  return scenario;
}

std::vector<Scaler> scalers_of(const TideFlags& flags, const Scaler& common) {
  std::vector<Scaler> all(flags.capacity ? 4 : 3, common);
  all[0].kind = Scaler::Kind::kUtilization;
  all[0].target = flags.hpa_target;
  all[1].kind = Scaler::Kind::kRequests;
  all[1].target = flags.requests_target;
  if (flags.capacity) all[3].capacity = flags.capacity;
  return all;
}

int fail_with(const Error& error) {
  std::cerr << "tidegate simulate: " << describe(error) << '\n';
  return kUsage;
}

int run_tide(const TideFlags& flags) {
  auto scenario = scenario_of(flags);
  if (!scenario) return fail_with(scenario.error());
  const auto workload = workload_of(flags);
  if (!workload) return fail_with(workload.error());
  std::cout << workload->name << ": " << workload->arrivals.size() << " requests in "
            << simulate::fixed(seconds(workload->length) / 3600, 2) << " h; " << flags.profile << ", "
            << flags.min << " to " << flags.max << " replicas; " << flags.owned << " GPUs on premises, "
            << flags.cloud << " in the cloud at " << simulate::fixed(flags.price, 2) << " per hour\n\n"
            << std::flush;
  const simulate::Targets targets{flags.ttft_s, flags.tpot_ms / 1000};
  std::vector<simulate::Summary> summaries;
  std::uint64_t clipped = 0;
  for (const Scaler& scaler : scalers_of(flags, scenario->scaler)) {
    scenario->scaler = scaler;
    const simulate::WorldSpec world = scenario->world();
    const auto began = std::chrono::steady_clock::now();
    const simulate::Outcome outcome = simulate::run(world, *workload);
    const double took = seconds(std::chrono::steady_clock::now() - began);
    std::cerr << scaler.title() << ": " << simulate::fixed(took, 1) << " s\n";
    if (flags.timeline) {
      std::cout << scaler.title() << "\n" << simulate::timeline_of(outcome, world.lead) << "\n";
    }
    clipped = outcome.clipped;
    summaries.push_back(simulate::summarize(scaler.title(), outcome, targets));
  }
  std::cout << simulate::table_of(summaries, targets);
  if (clipped > 0) {
    std::cout << clipped << " requests were longer than the model's context of "
              << scenario->engine.context_max() << " tokens and were cut to it\n";
  }
  return 0;
}

int run_picking(const PickingFlags& flags) {
  const auto profile = latency::find_profile(flags.profile);
  if (!profile) return fail_with({Code::kInvalid, "--profile", describe(profile.error())});
  auto workload = simulate::read_trace(flags.trace);
  if (!workload) return fail_with(workload.error());
  if (workload->content.empty()) {
    return fail_with(
        {Code::kInvalid, flags.trace,
         "says nothing about the content of prompts; this study needs JSON lines with hash_ids"});
  }
  hurry(*workload, flags.speed);
  simulate::PickingSpec spec;
  spec.engine = simulate::engine_spec(*profile);
  const std::size_t tokens =
      flags.cache_tokens > 0 ? flags.cache_tokens : (spec.engine.blocks - 1) * spec.engine.block_tokens;
  spec.engine.block_tokens = workload->content_tokens;
  spec.engine.blocks = std::max<std::size_t>(tokens / spec.engine.block_tokens, 8) + 1;
  spec.engine.prefix_caching = true;
  spec.endpoints = flags.engines;
  spec.seed = flags.seed;
  std::cout << workload->name << ": " << workload->arrivals.size() << " requests in "
            << simulate::fixed(seconds(workload->length) / 60, 1) << " min over " << flags.engines
            << " engines (" << flags.profile << "), each with a cache of "
            << (spec.engine.blocks - 1) * spec.engine.block_tokens << " tokens\n\n"
            << std::flush;
  std::vector<simulate::PickingResult> results;
  for (const auto router : {simulate::Router::kRoundRobin, simulate::Router::kLeastRequest,
                            simulate::Router::kReference, simulate::Router::kOurs}) {
    results.push_back(simulate::replay(spec, router, *workload));
  }
  std::cout << simulate::table_of(results);
  return 0;
}

void add_picking(Command simulate, int& status) {
  Command verb = simulate.add_subcommand(
      "picking", "Replay a trace over engines with prefix caches: ways of choosing an endpoint side by side");
  auto flags = std::make_shared<PickingFlags>();
  verb.add_option("--trace", flags->trace, "JSON lines with hash_ids, may be gzipped").required();
  verb.add_option("--profile", flags->profile, "Latency profile of the engines").capture_default_str();
  verb.add_option("--engines", flags->engines, "How many").capture_default_str().between(1, 1000);
  verb.add_option("--speed", flags->speed, "How many times as fast requests come")
      .capture_default_str()
      .between(0.001, 1000.0);
  verb.add_option("--cache-tokens", flags->cache_tokens,
                  "Tokens in the cache of one engine; 0: what fits on the GPU")
      .capture_default_str()
      .between(0, 1'000'000'000);
  verb.add_option("--seed", flags->seed, "Of chance").capture_default_str();
  verb.callback([flags, &status] { status = run_picking(*flags); });
}

void add_workload_flags(Command verb, TideFlags& flags) {
  verb.add_option("--trace", flags.trace, "CSV or JSON lines of arrivals and lengths, may be gzipped");
  verb.add_option("--shape", flags.shape, "Without a trace: day or step")
      .capture_default_str()
      .one_of({"day", "step"});
  verb.add_option("--requests", flags.requests, "Of the day, about").capture_default_str().between(1.0, 2e7);
  verb.add_option("--rate", flags.rate, "Of the step, requests per second")
      .capture_default_str()
      .between(0.001, 1e4);
  verb.add_option("--speed", flags.speed, "How many times as fast requests come")
      .capture_default_str()
      .between(0.001, 1000.0);
  verb.add_option("--seed", flags.seed, "Of chance").capture_default_str();
}

void add_home_flags(Command verb, TideFlags& flags) {
  verb.add_option("--profile", flags.profile, "Latency profile of the engines").capture_default_str();
  verb.add_option("--on-premises", flags.owned, "GPU machines that are owned, and used first")
      .capture_default_str()
      .between(0, 1000);
  verb.add_option("--cloud", flags.cloud, "GPU machines that can be rented")
      .capture_default_str()
      .between(0, 1000);
  verb.add_option("--price", flags.price, "Of a rented machine per hour")
      .capture_default_str()
      .between(0.0, 1e6);
  verb.add_option("--boot", flags.boot, "From asking for a machine to its node").capture_default_str();
  verb.add_option("--load", flags.load, "From a node to a ready engine: image and weights")
      .capture_default_str();
  verb.add_option("--min", flags.min, "Replicas at least").capture_default_str().between(1, 1000);
  verb.add_option("--max", flags.max, "Replicas at most").capture_default_str().between(1, 1000);
  verb.add_option("--start", flags.start,
                  "Replicas at the beginning; a quarter of --max for a day, else --min")
      .between(1, 1000);
}

void add_rule_flags(Command verb, TideFlags& flags) {
  verb.add_option("--hpa-target", flags.hpa_target, "SM utilisation per pod of the first HPA, percent")
      .capture_default_str()
      .between(1.0, 100.0);
  verb.add_option("--requests-target", flags.requests_target, "Requests per pod of the second HPA")
      .capture_default_str()
      .between(0.1, 10'000.0);
  verb.add_option("--capacity", flags.capacity,
                  "Requests one replica serves at once: one more row, of demand that need not learn it")
      .between(0.1, 10'000.0);
  verb.add_option("--ttft", flags.ttft_s, "Target: seconds to the first token")
      .capture_default_str()
      .between(0.001, 3600.0);
  verb.add_option("--tpot", flags.tpot_ms, "Target: milliseconds per further token")
      .capture_default_str()
      .between(0.1, 1e5);
  verb.add_flag("--timeline", flags.timeline, "What happened and when, before the table");
}

}  // namespace

void add_simulate(Command app, int& status) {
  Command verb = app.add_subcommand(
      "simulate", "Play a day in seconds: what scaling rules would cost and how users would fare");
  auto flags = std::make_shared<TideFlags>();
  add_workload_flags(verb, *flags);
  add_home_flags(verb, *flags);
  add_rule_flags(verb, *flags);
  add_picking(verb, status);
  verb.callback([verb, flags, &status] {
    if (!verb.subcommand_chosen()) status = run_tide(*flags);
  });
}

}  // namespace tidegate::cli

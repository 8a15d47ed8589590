// `tidegate bench`: studies of a running gateway: `bench split`, `bench tide`.

#include <iostream>
#include <memory>

#include "cli/bench_split.h"
#include "cli/bench_tide.h"
#include "cli/verbs.h"

namespace tidegate::cli {
namespace {

struct SplitFlags {
  std::string gateway = "127.0.0.1:8080";
  std::string host = "test.com";
  std::string model = "lora-request";
  std::string prompt = "Write as if you were a critic: San Francisco";
  std::string weights;
  std::string manifests;
  std::uint32_t requests = 600;
  std::uint32_t concurrency = 16;
  unsigned max_tokens = 16;
  double timeout_s = 60;
  bool whole = false;
  bool quiet = false;
};

Result<std::vector<WeightedTarget>> weights_of(const SplitFlags& flags) {
  if (!flags.weights.empty()) return parse_weights(flags.weights);
  if (!flags.manifests.empty()) return read_weights(flags.manifests, flags.model);
  return invalid("--weights",
                 "is missing; give --weights name=number,... or -f with the manifest of the InferenceModel");
}

int run(const SplitFlags& flags) {
  const auto targets = weights_of(flags);
  const auto gateway = net::Address::parse(flags.gateway);
  if (!targets || !gateway) {
    std::cerr << "tidegate bench split: " << describe(targets ? gateway.error() : targets.error()) << '\n';
    return 2;
  }
  SplitRun split;
  split.request = {
      .gateway = *gateway,
      .host = flags.host,
      .model = flags.model,
      .prompt = flags.prompt,
      .max_tokens = flags.max_tokens,
      .stream = !flags.whole,
      .timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags.timeout_s))};
  split.requests = flags.requests;
  split.concurrency = flags.concurrency;
  split.progress = !flags.quiet;
  const SplitReport report = report_split(*targets, run_split(split));
  std::cout << report.text << std::flush;
  return report.passed ? 0 : 1;
}

void add_tide(Command bench, int& status) {
  Command verb = bench.add_subcommand(
      "tide",
      "Put load on a service until rented machines serve it, take the load away, and tell what happened; "
      "ends with 1 "
      "unless it rose to its maximum, used rented machines, gave them all back, and no request failed");
  struct Flags {
    TideRun run;
    std::string gateway = "127.0.0.1:80";
    double patience_s = 60;
    bool quiet = false;
  };
  auto flags = std::make_shared<Flags>();
  flags->run.request = {
      .gateway = {}, .host = "qwen-chat-default.example.com", .model = "qwen", .prompt = "Test"};
  flags->run.request.max_tokens = 48;
  flags->run.request.stream = false;
  flags->run.request.chat = true;
  add_server_flags(verb, flags->run.server, Namespaces::kOne);
  verb.add_option("--gateway", flags->gateway, "Address that serves the Ingress").capture_default_str();
  verb.add_option("--host", flags->run.request.host, "Host header").capture_default_str();
  verb.add_option("--service", flags->run.service, "The InferenceService").capture_default_str();
  verb.add_option("--model", flags->run.request.model, "Model name to ask for").capture_default_str();
  verb.add_option("--clients", flags->run.clients, "Requests kept under way")
      .capture_default_str()
      .between(1, 10'000);
  verb.add_option("--max-tokens", flags->run.request.max_tokens, "Tokens of each answer")
      .capture_default_str();
  verb.add_option("--rule", flags->run.rule, "How the autoscaler decides: hpa, demand, or both in turn")
      .one_of({"hpa", "demand", "both"})
      .capture_default_str();
  verb.add_option("--patience", flags->patience_s, "Seconds for the rise, and again for the ebb")
      .capture_default_str()
      .between(1.0, 86400.0);
  verb.add_flag("--quiet", flags->quiet, "No picture while it goes on");
  verb.callback([flags, &status] {
    const auto gateway = net::Address::parse(flags->gateway);
    if (!gateway) {
      std::cerr << "tidegate bench tide: " << describe(gateway.error()) << '\n';
      status = 2;
      return;
    }
    flags->run.request.gateway = *gateway;
    flags->run.live = !flags->quiet;
    flags->run.patience =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(flags->patience_s));
    status = run_tide(flags->run);
  });
}

}  // namespace

void add_bench(Command app, int& status) {
  Command bench = app.add_subcommand("bench", "Put load on a running gateway and judge the answers");
  bench.require_subcommand();
  Command verb = bench.add_subcommand(
      "split",
      "Ask for one model many times and hold who served against the weights; ends with 1 if a request "
      "failed or the split is impossible by chance (p < 1e-6)");
  auto flags = std::make_shared<SplitFlags>();
  verb.add_option("--gateway", flags->gateway, "Address of the gateway").capture_default_str();
  verb.add_option("--host", flags->host, "Host header").capture_default_str();
  verb.add_option("--model", flags->model, "Model name to ask for").capture_default_str();
  verb.add_option("--prompt", flags->prompt, "Prompt of every request");
  verb.add_option("--weights", flags->weights, "Expected shares: name=number,name=number");
  verb.add_option("-f,--filename", flags->manifests, "Manifest or folder that has the InferenceModel");
  verb.add_option("--requests", flags->requests, "How many requests")
      .capture_default_str()
      .between(1, 10'000'000);
  verb.add_option("--concurrency", flags->concurrency, "How many at a time")
      .capture_default_str()
      .between(1, 10'000);
  verb.add_option("--max-tokens", flags->max_tokens, "Tokens of each answer").capture_default_str();
  verb.add_option("--timeout", flags->timeout_s, "Seconds for one request")
      .capture_default_str()
      .between(0.001, 86400.0);
  verb.add_flag("--whole", flags->whole, "Ask for whole answers instead of streams");
  verb.add_flag("--quiet", flags->quiet, "No progress on standard error");
  verb.callback([flags, &status] { status = run(*flags); });
  add_tide(bench, status);
}

}  // namespace tidegate::cli

// How near does the CPU engine come to what the machine can do?
//
// A model of the shape of a Llama of 1.2 billion weights in bf16, random, written to a temporary folder and
// loaded as any other. Every figure is held against a limit measured in the same run:
//
//   decode, batch 1    bytes of weights and keys a step must read, against memory's read bandwidth
//   decode, batch 8    the roofline: the longer of the reading and of the multiplications at their peak
//   prefill            against a library's single-precision matrix product at the same shapes
//   adapters           ten adapters in one batch of ten sequences, against the same batch without
//
// `bench/engine/run` builds this, finds the library and adds the demo model over HTTP.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "engine/model/cpu_model.h"
#include "limits.h"
#include "random_folder.h"

namespace bench {
namespace {

using namespace tidegate;  // NOLINT
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBlockTokens = 16;
constexpr std::size_t kAdapters = 10;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Options {
  std::size_t threads = 0, rounds = 5, prompt = 16, prefill = 512;
  std::string folder, blas, quantization = "none";
  std::vector<std::size_t> ranks = {8, 16};
  std::size_t layers = 16;
  std::vector<std::string> only = {"decode", "adapters", "prefill"};
};

// Median, lowest and highest of some rounds.
struct Spread {
  explicit Spread(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    low = values.front();
    high = values.back();
    middle = values[values.size() / 2];
  }
  double middle, low, high;
};

// Requests side by side that a stepper would step: a prompt each, then one token at a time.
class Batch {
 public:
  Batch(model::CpuModel& model, std::size_t count, std::size_t prompt, std::size_t most, bool adapted)
      : model_(model) {
    const std::size_t blocks = (prompt + most) / kBlockTokens + 1;
    requests_.resize(count);
    std::uint32_t next = 1;
    for (std::size_t i = 0; i < count; ++i) {
      Request& r = requests_[i];
      for (std::size_t t = 0; t < prompt; ++t)
        r.history.push_back(static_cast<batch::Token>((t * 7919 + i * 104729 + 13) % 100'000));
      r.history.reserve(prompt + most + 1);
      r.blocks.resize(blocks);
      std::iota(r.blocks.begin(), r.blocks.end(), next);
      next += static_cast<std::uint32_t>(blocks);
      r.slot = adapted ? static_cast<std::int32_t>(i % kAdapters) : batch::kBaseModel;
    }
    greedy_.temperature = 0;
  }

  // Seconds that one step of all took.
  double step() {
    segments_.clear();
    for (Request& r : requests_) {
      batch::Segment s;
      s.history = r.history;
      s.prompt_tokens = r.history.size();
      s.start = r.computed;
      s.end = r.history.size();
      s.blocks = r.blocks;
      s.adapter_slot = r.slot;
      s.sample = true;
      s.sampling = &greedy_;
      segments_.push_back(s);
    }
    const auto start = Clock::now();
    if (auto done = model_.step(segments_, result_); !done) throw std::runtime_error(describe(done.error()));
    const double took = since(start);
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      requests_[i].computed = requests_[i].history.size();
      requests_[i].history.push_back(result_.samples[i].token);
    }
    return took;
  }

  // Seconds per step, the mean of `count`.
  double steps(std::size_t count) {
    double all = 0;
    for (std::size_t i = 0; i < count; ++i) all += step();
    return all / static_cast<double>(count);
  }

  std::size_t positions() const {
    std::size_t all = 0;
    for (const Request& r : requests_) all += r.history.size();
    return all;
  }

 private:
  struct Request {
    std::vector<batch::Token> history;
    std::vector<batch::BlockId> blocks;
    std::size_t computed = 0;
    std::int32_t slot = batch::kBaseModel;
  };
  model::CpuModel& model_;
  std::vector<Request> requests_;
  batch::Sampling greedy_;
  std::vector<batch::Segment> segments_;
  batch::StepResult result_;
};

void row(const std::string& what, const std::string& measured, const Spread& ratio, double goal,
         bool below = false) {
  const bool met = below ? ratio.middle <= goal : ratio.middle >= goal;
  std::printf("%-28s %-34s %5.2f (%.2f to %.2f)   %s %.2f %s\n", what.c_str(), measured.c_str(), ratio.middle,
              ratio.low, ratio.high, below ? "at most " : "at least", goal, met ? "met" : "NOT MET");
  std::fflush(stdout);
}

template <typename... Args>
std::string text(const char* format, Args... args) {
  char buffer[160];
  std::snprintf(buffer, sizeof buffer, format, args...);
  return buffer;
}

void decode(model::CpuModel& model, const Options& o, ops::Pool& pool, const Shape& shape) {
  std::vector<double> one, eight, one_rate, eight_rate, widths, peaks;
  const double weights = static_cast<double>(model.weights().bytes);
  const double operations =
      2.0 * static_cast<double>(shape.layers * shape.layer_weights() + shape.vocabulary * shape.hidden);
  for (std::size_t round = 0; round < o.rounds; ++round) {
    const double width = read_bandwidth(pool), peak = multiply_add_peak(pool);
    widths.push_back(width / 1e9);
    peaks.push_back(peak / 1e9);
    for (const std::size_t count : {std::size_t{1}, std::size_t{8}}) {
      Batch batch(model, count, o.prompt, 32, false);
      batch.step();
      batch.step();
      const double took = batch.steps(count == 1 ? 8 : 5);
      const double bytes =
          weights + static_cast<double>(batch.positions() * model.facts().kv_bytes_per_token);
      const double limit = std::max(bytes / width, count == 1 ? 0.0 : operations * 8 / peak);
      (count == 1 ? one : eight).push_back(limit / took);
      (count == 1 ? one_rate : eight_rate).push_back(static_cast<double>(count) / took);
    }
  }
  const Spread width(widths), peak(peaks);
  std::printf("memory read bandwidth        %.1f GB/s (%.1f to %.1f), %zu threads\n", width.middle, width.low,
              width.high, pool.threads());
  std::printf("multiply-add peak            %.0f GFLOP/s (%.0f to %.0f)\n", peak.middle, peak.low, peak.high);
  row("decode, batch 1", text("%.2f tokens/s", Spread(one_rate).middle), Spread(one), 0.75);
  row("decode, batch 8", text("%.2f tokens/s in all", Spread(eight_rate).middle), Spread(eight), 0.70);
}

void prefill(model::CpuModel& model, const Options& o, ops::Pool& pool, const Shape& s) {
  const double operations = 2.0 * static_cast<double>(s.layers * s.layer_weights() * o.prefill);
  const Blas blas(o.blas, pool.threads());
  std::vector<double> rates, of_library, of_peak, library_rates;
  for (std::size_t round = 0; round < o.rounds; ++round) {
    const double peak = multiply_add_peak(pool);
    Batch batch(model, 1, o.prefill, 16, false);
    const double rate = operations / batch.step();
    rates.push_back(static_cast<double>(o.prefill) * rate / operations);
    of_peak.push_back(rate / peak);
    if (!blas.ok()) continue;
    const std::size_t q = s.heads * s.head_dim, kv = s.kv_heads * s.head_dim;
    const double took = 2 * blas.seconds(o.prefill, q, s.hidden) + 2 * blas.seconds(o.prefill, kv, s.hidden) +
                        2 * blas.seconds(o.prefill, s.inner, s.hidden) +
                        blas.seconds(o.prefill, s.hidden, s.inner);
    const double library = operations / static_cast<double>(s.layers) / took;
    library_rates.push_back(library / 1e9);
    of_library.push_back(rate / library);
  }
  const std::string measured = text("%.0f tokens/s, %.0f GFLOP/s", Spread(rates).middle,
                                    Spread(rates).middle * operations / static_cast<double>(o.prefill) / 1e9);
  if (blas.ok()) {
    row(text("prefill, %zu tokens", o.prefill), measured, Spread(of_library), 0.60);
    std::printf("  the library: %.0f GFLOP/s, %s\n", Spread(library_rates).middle, blas.describe().c_str());
  }
  std::printf("  %s; %.2f (%.2f to %.2f) of the multiply-add peak\n", measured.c_str(),
              Spread(of_peak).middle, Spread(of_peak).low, Spread(of_peak).high);
}

void adapters(model::CpuModel& model, const Options& o, const std::string& folder, std::size_t rank) {
  std::vector<std::unique_ptr<const batch::Adapter>> held;
  for (std::size_t i = 0; i < kAdapters; ++i) {
    auto made = model.load_adapter({"a", folder + "/rank" + std::to_string(rank) + "-" + std::to_string(i)});
    if (!made) throw std::runtime_error(describe(made.error()));
    held.push_back(std::move(*made));
    model.place_adapter(static_cast<std::int32_t>(i), *held.back());
  }
  std::vector<double> ratios, rates;
  for (std::size_t round = 0; round < o.rounds; ++round) {
    Batch plain(model, kAdapters, o.prompt, 32, false);
    plain.steps(2);
    Batch mixed(model, kAdapters, o.prompt, 32, true);
    mixed.steps(2);
    double base = 0, with = 0;
    for (int turn = 0; turn < 6; ++turn) {
      base += plain.step();
      with += mixed.step();
    }
    ratios.push_back(with / base - 1);
    rates.push_back(6.0 * kAdapters / with);
  }
  row(text("ten adapters of rank %zu", rank), text("%.2f tokens/s in all; slower by", Spread(rates).middle),
      Spread(ratios), 0.08, true);
  for (std::size_t i = 0; i < kAdapters; ++i) model.clear_adapter(static_cast<std::int32_t>(i));
}

int run(const Options& o) {
  Shape shape;
  shape.layers = o.layers;
  std::error_code ignored;
  if (!std::filesystem::exists(o.folder + "/base/config.json")) {
    write_model(o.folder + "/base", shape, 1);
    for (const std::size_t rank : o.ranks) {
      for (std::size_t i = 0; i < kAdapters; ++i)
        write_adapter(o.folder + "/rank" + std::to_string(rank) + "-" + std::to_string(i), shape, rank,
                      2 + i);
    }
  }
  model::CpuOptions options;
  options.folder = o.folder + "/base";
  options.threads = o.threads;
  if (o.quantization == "int8") options.precision = model::Precision::kInt8;
  const auto start = Clock::now();
  auto loaded = model::CpuModel::load(options);
  if (!loaded) throw std::runtime_error(describe(loaded.error()));
  model::CpuModel& model = **loaded;
  batch::Capacity capacity;
  capacity.blocks = 1 + kAdapters * 2 * ((o.prompt + 32) / kBlockTokens + 1) + o.prefill / kBlockTokens + 2;
  capacity.block_tokens = kBlockTokens;
  capacity.sequences_max = 2 * kAdapters;
  capacity.step_tokens_max = std::max(o.prefill, kAdapters * o.prompt);
  capacity.adapter_slots = kAdapters;
  capacity.adapter_rank_max = *std::max_element(o.ranks.begin(), o.ranks.end());
  if (auto done = model.reserve(capacity); !done) throw std::runtime_error(describe(done.error()));
  std::printf("model: %.2f GB a step, %s, %zu threads, loaded in %.2f s\n",
              static_cast<double>(model.weights().bytes) / 1e9, model.instruction_set(), model.threads(),
              since(start));
  ops::Pool pool(model.threads());
  Batch(model, 1, 1, 1, false).step();  // pages of the file are in memory now
  const auto wanted = [&](const char* part) {
    return std::find(o.only.begin(), o.only.end(), part) != o.only.end();
  };
  if (wanted("decode")) decode(model, o, pool, shape);
  for (const std::size_t rank : wanted("adapters") ? o.ranks : std::vector<std::size_t>())
    adapters(model, o, o.folder, rank);
  if (wanted("prefill")) prefill(model, o, pool, shape);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Options o;
  CLI::App app("The CPU engine beside what this machine can do");
  app.add_option("--threads", o.threads, "0: one per physical core");
  app.add_option("--rounds", o.rounds)->check(CLI::Range(1, 100));
  app.add_option("--prompt", o.prompt, "tokens before decoding begins");
  app.add_option("--prefill", o.prefill, "tokens of the prompt that is timed");
  app.add_option("--layers", o.layers, "fewer for a quick look");
  app.add_option("--ranks", o.ranks, "of the adapters");
  app.add_option("--only", o.only, "some of decode, adapters and prefill")
      ->check(CLI::IsMember({"decode", "adapters", "prefill"}));
  app.add_option("--blas", o.blas, "a libopenblas to hold prefill against");
  app.add_option("--quantization", o.quantization)->check(CLI::IsMember({"none", "int8"}));
  app.add_option("--folder", o.folder, "keep the model there and use it again; default: a temporary one");
  CLI11_PARSE(app, argc, argv);
  const bool temporary = o.folder.empty();
  if (temporary) {
    std::string name = (std::filesystem::temp_directory_path() / "engine_bench_XXXXXX").string();
    if (!::mkdtemp(name.data())) return 1;
    o.folder = name;
  }
  int status = 1;
  try {
    status = bench::run(o);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_bench: %s\n", error.what());
  }
  if (temporary) std::filesystem::remove_all(o.folder);
  return status;
}

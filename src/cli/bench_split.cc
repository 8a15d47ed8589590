#include "cli/bench_split.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/chi_square.h"
#include "resource/inference_model.h"
#include "resource/yaml.h"

namespace tidegate::cli {
namespace {

constexpr double kImpossible = 1e-6;
constexpr std::size_t kFailuresShown = 5;

struct Row {
  std::string model;
  double weight = 0;
  std::uint64_t served = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  bool tokens_known = true;
  std::vector<double> first_token_ms;
};

double quantile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at =
      std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

std::string group_of(const std::string& model) { return model.substr(0, model.find('-')); }

// One row per target in the order of the weights, then one per model that served without being a target.
std::vector<Row> rows_of(const std::vector<WeightedTarget>& targets,
                         const std::vector<BenchAnswer>& answers) {
  std::vector<Row> rows;
  std::map<std::string, std::size_t> index;
  const auto row_of = [&](const std::string& model, double weight) -> Row& {
    const auto [found, fresh] = index.emplace(model, rows.size());
    if (fresh) {
      rows.emplace_back();
      rows.back().model = model;
    }
    rows[found->second].weight += weight;  // a name listed twice has both weights
    return rows[found->second];
  };
  for (const WeightedTarget& target : targets) row_of(target.model, target.weight);
  for (const BenchAnswer& answer : answers) {
    Row& row = row_of(answer.model, 0);
    ++row.served;
    row.first_token_ms.push_back(milliseconds(answer.first_token));
    row.prompt_tokens += answer.prompt_tokens.value_or(0);
    row.completion_tokens += answer.completion_tokens.value_or(0);
    row.tokens_known = row.tokens_known && answer.prompt_tokens && answer.completion_tokens;
  }
  return rows;
}

struct Group {
  std::string name;
  double weight = 0;
  std::uint64_t served = 0;
};

std::vector<Group> groups_of(const std::vector<Row>& rows) {
  std::vector<Group> groups;
  for (const Row& row : rows) {
    const std::string name = group_of(row.model);
    auto found =
        std::find_if(groups.begin(), groups.end(), [&](const Group& group) { return group.name == name; });
    if (found == groups.end()) found = groups.insert(groups.end(), Group{name, 0, 0});
    found->weight += row.weight;
    found->served += row.served;
  }
  return groups;
}

template <typename Items>
ChiSquare test_of(const Items& items) {
  std::vector<std::uint64_t> counts;
  std::vector<double> weights;
  for (const auto& item : items) {
    counts.push_back(item.served);
    weights.push_back(item.weight);
  }
  return chi_square(counts, weights);
}

std::string verdict_of(const ChiSquare& test) {
  if (test.degrees_of_freedom == 0 && test.p > 0) return "one target only: there is no split to test";
  const std::string figures = fmt::format("chi-square {:.2f} with {} degrees of freedom, p = {:.3g}",
                                          test.statistic, test.degrees_of_freedom, test.p);
  if (test.p < kImpossible) return figures + ": impossible by chance";
  return figures + (test.p < 0.01 ? ": unlikely, but chance does that" : ": as the weights say");
}

void write_table(std::string& out, std::vector<Row>& rows, std::size_t total) {
  std::size_t width = 7;
  double weight_total = 0;
  for (const Row& row : rows) {
    width = std::max(width, row.model.size());
    weight_total += row.weight;
  }
  out += fmt::format("{:{}}  {:>7}  {:>8}  {:>6}  {:>6}  {:>11}  {:>11}  {:>9}  {:>10}\n", "adapter", width,
                     "weight", "expected", "served", "share", "TTFT p50 ms", "TTFT p99 ms", "tokens in",
                     "tokens out");
  for (Row& row : rows) {
    const double expected = weight_total > 0 ? static_cast<double>(total) * row.weight / weight_total : 0;
    const double share = total > 0 ? 100.0 * static_cast<double>(row.served) / static_cast<double>(total) : 0;
    const auto tokens = [&](std::uint64_t count) {
      return row.tokens_known ? std::to_string(count) : "unknown";
    };
    out += fmt::format("{:{}}  {:>7}  {:>8.1f}  {:>6}  {:>5.1f}%  {:>11.1f}  {:>11.1f}  {:>9}  {:>10}\n",
                       row.model, width, row.weight, expected, row.served, share,
                       quantile(row.first_token_ms, 0.5), quantile(row.first_token_ms, 0.99),
                       tokens(row.prompt_tokens), tokens(row.completion_tokens));
  }
}

void write_groups(std::string& out, const std::vector<Group>& groups) {
  std::string names;
  std::string served;
  std::string weights;
  for (const Group& group : groups) {
    const char* separator = names.empty() ? "" : " : ";
    names += separator + group.name;
    served += separator + std::to_string(group.served);
    weights += fmt::format("{}{}", separator, group.weight);
  }
  out += fmt::format("\n{} = {}, weights {}\n", names, served, weights);
}

// A bar that is drawn anew on a terminal, and a line each tenth elsewhere.
class Progress {
 public:
  Progress(bool wanted, std::uint32_t total)
      : wanted_(wanted), terminal_(::isatty(STDERR_FILENO) == 1), total_(total) {}

  void show(std::uint32_t done, std::size_t failed) {
    const std::uint32_t step = std::max<std::uint32_t>(1, total_ / (terminal_ ? 100 : 10));
    if (!wanted_ || (done % step != 0 && done != total_)) return;
    constexpr std::uint32_t kWidth = 40;
    const std::uint32_t filled =
        total_ == 0 ? kWidth : static_cast<std::uint32_t>(std::uint64_t{kWidth} * done / total_);
    std::cerr << (terminal_ ? "\r" : "") << '[' << std::string(filled, '#')
              << std::string(kWidth - filled, '.') << "] " << done << '/' << total_
              << (failed > 0 ? ", failed " + std::to_string(failed) : "")
              << (terminal_ && done != total_ ? "" : "\n") << std::flush;
  }

 private:
  bool wanted_;
  bool terminal_;
  std::uint32_t total_;
};

struct Shared {
  const SplitRun& run;
  SplitResults& results;
  Progress& progress;
  std::uint32_t started = 0;

  std::uint32_t finished() const {
    return static_cast<std::uint32_t>(results.answers.size() + results.failures.size());
  }
};

net::Task<void> ask_in_turn(http::Client& client, const Clock& clock, Shared& shared) {
  while (shared.started < shared.run.requests) {
    ++shared.started;
    Result<BenchAnswer> answer = co_await ask_completion(client, clock, shared.run.request);
    if (answer) {
      shared.results.answers.push_back(*std::move(answer));
    } else {
      shared.results.failures.push_back(describe(answer.error()));
    }
    shared.progress.show(shared.finished(), shared.results.failures.size());
  }
}

net::Task<void> stop_when_empty(net::Loop& loop, net::TaskGroup& clients) {
  co_await clients.wait_empty();
  loop.stop();
}

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(Code::kInvalid, path.string() + " cannot be read");
  return std::move(text).str();
}

Result<std::vector<std::filesystem::path>> files_of(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return std::vector<std::filesystem::path>{path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".yaml" || extension == ".yml" || extension == ".json") files.push_back(entry.path());
  }
  if (error) return fail(Code::kInvalid, path + " cannot be listed: " + error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<std::vector<WeightedTarget>> parse_weights(std::string_view text) {
  std::vector<WeightedTarget> targets;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    const std::size_t equals = item.find('=');
    WeightedTarget target{std::string(item.substr(0, equals)), 1};
    if (equals != std::string_view::npos) {
      const std::string_view weight = item.substr(equals + 1);
      const auto [end, error] = std::from_chars(weight.data(), weight.data() + weight.size(), target.weight);
      if (error != std::errc{} || end != weight.data() + weight.size() || !(target.weight >= 0)) {
        return invalid("--weights", fmt::format("has '{}'; write name=number", item));
      }
    }
    if (target.model.empty()) return invalid("--weights", "has an empty name; write name=number,name=number");
    targets.push_back(std::move(target));
  }
  if (targets.empty()) return invalid("--weights", "is empty; write name=number,name=number");
  return targets;
}

Result<std::vector<WeightedTarget>> read_weights(const std::string& path, std::string_view model) {
  const auto files = files_of(path);
  if (!files) return tl::unexpected(files.error());
  for (const std::filesystem::path& file : *files) {
    const Result<std::string> text = read_file(file);
    if (!text) return tl::unexpected(text.error());
    const auto documents = resource::parse_documents(file.string(), *text);
    if (!documents) return tl::unexpected(documents.error());
    for (const resource::Document& document : *documents) {
      const auto object = resource::Object::make(*document.json);
      if (!object || (*object)->kind() != "InferenceModel") continue;
      const auto found = resource::InferenceModel::from(**object);
      if (!found || found->model_name != model) continue;
      std::vector<WeightedTarget> targets;
      for (const resource::TargetModel& target : found->targets) {
        targets.push_back(WeightedTarget{target.name, static_cast<double>(target.weight.value_or(1))});
      }
      if (targets.empty()) targets.push_back(WeightedTarget{found->model_name, 1});
      return targets;
    }
  }
  return fail(Code::kNotFound, fmt::format("{} has no InferenceModel with modelName {}", path, model));
}

SplitResults run_split(const SplitRun& run) {
  net::Loop loop;
  const SystemClock clock;
  SplitResults results;
  Progress progress(run.progress, run.requests);
  Shared shared{run, results, progress};
  const TimePoint start = clock.now();
  http::ClientOptions options;
  options.idle_per_address_max = run.concurrency;
  http::Client client(loop, options);
  net::TaskGroup clients;
  net::TaskGroup watcher;
  for (std::uint32_t i = 0; i < std::min(run.concurrency, run.requests); ++i) {
    clients.spawn(ask_in_turn(client, clock, shared));
  }
  watcher.spawn(stop_when_empty(loop, clients));
  if (!watcher.empty()) loop.run();
  results.took = clock.now() - start;
  return results;
}

SplitReport report_split(const std::vector<WeightedTarget>& targets, const SplitResults& results) {
  SplitReport report;
  std::vector<Row> rows = rows_of(targets, results.answers);
  const std::vector<Group> groups = groups_of(rows);
  const ChiSquare all = test_of(rows);
  const ChiSquare grouped = test_of(groups);
  report.p = std::min(all.p, grouped.p);
  report.passed = report.p >= kImpossible && results.failures.empty() && !results.answers.empty();

  write_table(report.text, rows, results.answers.size());
  if (!results.answers.empty()) report.text += verdict_of(all) + "\n";
  if (!results.answers.empty() && groups.size() > 1 && groups.size() < rows.size()) {
    write_groups(report.text, groups);
    report.text += verdict_of(grouped) + "\n";
  }
  const double rate =
      seconds(results.took) > 0 ? static_cast<double>(results.answers.size()) / seconds(results.took) : 0;
  report.text += fmt::format("\n{} answered, {} failed, {:.1f} s, {:.0f} requests/s\n",
                             results.answers.size(), results.failures.size(), seconds(results.took), rate);
  std::map<std::string, std::size_t> kinds;
  for (const std::string& failure : results.failures) ++kinds[failure];
  std::size_t shown = 0;
  for (const auto& [failure, count] : kinds) {
    if (++shown > kFailuresShown) break;
    report.text += fmt::format("  {} x {}\n", count, failure);
  }
  return report;
}

}  // namespace tidegate::cli

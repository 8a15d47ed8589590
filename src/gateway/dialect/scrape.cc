#include "gateway/dialect/scrape.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <span>

namespace tidegate::dialect {
namespace {

constexpr std::size_t kAdaptersMax = 1024;
enum class Family : std::uint8_t { kNone, kWaiting, kRunning, kKv, kLora, kCache, kTokens };

struct Name {
  std::string_view text;  // behind the engine's prefix
  Family family;
};

// What each engine calls the same things.
struct Dialect {
  Engine engine;
  std::string_view prefix;
  std::string_view blocks_label;  // of its cache config
  std::string_view block_size_label;
  std::span<const Name> names;
};

constexpr std::size_t kNameMax = 24;

constexpr Name kVllm[] = {
    {"num_requests_waiting", Family::kWaiting},   {"num_requests_running", Family::kRunning},
    {"kv_cache_usage_perc", Family::kKv},         {"gpu_cache_usage_perc", Family::kKv},
    {"lora_requests_info", Family::kLora},        {"cache_config_info", Family::kCache},
    {"generation_tokens_total", Family::kTokens}, {"prompt_tokens_total", Family::kTokens},
};
constexpr Name kSglang[] = {
    {"num_queue_reqs", Family::kWaiting},
    {"num_running_reqs", Family::kRunning},
    {"token_usage", Family::kKv},
    {"cache_config_info", Family::kCache},
    {"generation_tokens_total", Family::kTokens},
    {"prompt_tokens_total", Family::kTokens},
};
constexpr Name kLlamaCpp[] = {
    {"requests_deferred", Family::kWaiting},     {"requests_processing", Family::kRunning},
    {"kv_cache_usage_ratio", Family::kKv},  // builds until 2025
    {"tokens_predicted_total", Family::kTokens}, {"prompt_tokens_total", Family::kTokens},
};
constexpr Name kTensorRtLlm[] = {
    {"num_requests_waiting", Family::kWaiting},
    {"num_requests_running", Family::kRunning},
    {"kv_cache_utilization", Family::kKv},
};

constexpr Dialect kDialects[] = {
    {Engine::kVllm, "vllm:", "num_gpu_blocks", "block_size", kVllm},
    {Engine::kSglang, "sglang:", "num_pages", "page_size", kSglang},
    {Engine::kLlamaCpp, "llamacpp:", "", "", kLlamaCpp},
    {Engine::kTensorRtLlm, "trtllm_", "", "", kTensorRtLlm},
};

const Dialect* dialect_of(std::string_view line) {
  for (const Dialect& dialect : kDialects) {
    if (line.starts_with(dialect.prefix)) return &dialect;
  }
  return nullptr;
}

Family family_of(const Dialect& dialect, std::string_view name) {
  for (const Name& known : dialect.names) {
    if (known.text == name) return known.family;
  }
  return Family::kNone;
}

// One label of a sample, its value as written.
struct Label {
  std::string_view name;
  std::string_view value;
};

// Reads the labels of a sample, one per call of next(), and then the value behind them.
class Sample {
 public:
  explicit Sample(std::string_view rest) : rest_(rest) {
    if (!rest_.empty() && rest_.front() == '{') {
      rest_.remove_prefix(1);
    } else {
      closed_ = true;
    }
  }

  bool next(Label& label) {
    while (!rest_.empty() && (rest_.front() == ',' || rest_.front() == ' ')) rest_.remove_prefix(1);
    if (closed_ || rest_.empty()) return false;
    if (rest_.front() == '}') {
      rest_.remove_prefix(1);
      closed_ = true;
      return false;
    }
    const std::size_t quote = rest_.find("=\"");
    if (quote == std::string_view::npos) return give_up();
    label.name = rest_.substr(0, quote);
    rest_.remove_prefix(quote + 2);
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return give_up();
    label.value = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }

  // Not a number, infinite and broken values are as if the line were not there.
  bool value(double& value) {
    for (Label label; next(label);) {
    }
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    if (!closed_ || rest_.empty()) return false;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    static_cast<void>(end);
    return error == std::errc{} && std::isfinite(value);
  }

 private:
  bool give_up() {
    rest_ = {};
    closed_ = false;
    return false;
  }

  std::string_view rest_;
  bool closed_ = false;
};

std::uint64_t count_of(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "a, b" into names, reusing the strings of `names`.
void split(std::string_view list, std::vector<std::string>& names) {
  std::size_t count = 0;
  while (!list.empty() && count < kAdaptersMax) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (name.empty()) continue;
    if (count == names.size()) names.emplace_back();
    names[count++].assign(name);
  }
  names.resize(count);
}

void read_lora(std::string_view rest, EngineState& state) {
  Sample sample(rest);
  std::string_view running;
  std::string_view waiting;
  for (Label label; sample.next(label);) {
    if (label.name == "max_lora")
      state.max_lora = static_cast<std::uint32_t>(std::min<std::uint64_t>(count_of(label.value), 1'000'000));
    if (label.name == "running_lora_adapters") running = label.value;
    if (label.name == "waiting_lora_adapters") waiting = label.value;
  }
  state.has_lora = true;
  split(running, state.running_adapters);
  split(waiting, state.waiting_adapters);
}

void read_cache_config(const Dialect& dialect, std::string_view rest, EngineState& state) {
  Sample sample(rest);
  for (Label label; sample.next(label);) {
    if (label.name == dialect.blocks_label) state.num_gpu_blocks += count_of(label.value);
    if (label.name == dialect.block_size_label) state.block_size = count_of(label.value);
  }
}

}  // namespace

void EngineState::clear() {
  EngineState fresh;
  fresh.running_adapters.swap(running_adapters);
  fresh.waiting_adapters.swap(waiting_adapters);
  *this = std::move(fresh);
}

void read_metrics(std::string_view page, EngineState& state) {
  state.clear();
  std::string_view newest_lora;
  double newest_time = -1;
  while (!page.empty()) {
    const void* found = std::memchr(page.data(), '\n', page.size());
    const std::size_t end = found == nullptr
                                ? page.size()
                                : static_cast<std::size_t>(static_cast<const char*>(found) - page.data());
    std::string_view line = page.substr(0, end);
    page.remove_prefix(std::min(end + 1, page.size()));
    const Dialect* const dialect = dialect_of(line);
    if (dialect == nullptr) continue;
    line.remove_prefix(dialect->prefix.size());
    std::size_t length = 0;
    while (length < line.size() && length < kNameMax && line[length] != '{' && line[length] != ' ') ++length;
    const Family family = family_of(*dialect, line.substr(0, length));
    if (family == Family::kNone) continue;
    const std::string_view rest = line.substr(length);
    double value = 0;
    if (!Sample(rest).value(value)) continue;
    state.engine = dialect->engine;
    switch (family) {
      case Family::kWaiting:
        state.waiting += std::max(value, 0.0);
        state.has_waiting = true;
        break;
      case Family::kRunning:
        state.running += std::max(value, 0.0);
        state.has_running = true;
        break;
      case Family::kKv:
        state.kv_usage = std::max(state.kv_usage, std::clamp(value, 0.0, 1.0));
        state.has_kv = true;
        break;
      case Family::kLora:
        if (value >= newest_time) {
          newest_time = value;
          newest_lora = rest;
        }
        break;
      case Family::kCache:
        read_cache_config(*dialect, rest, state);
        break;
      case Family::kTokens:
        state.tokens += std::max(value, 0.0);
        state.has_tokens = true;
        break;
      case Family::kNone:
        break;
    }
  }
  if (!newest_lora.empty()) {
    read_lora(newest_lora, state);
  } else {
    state.running_adapters.clear();
    state.waiting_adapters.clear();
  }
}

}  // namespace tidegate::dialect

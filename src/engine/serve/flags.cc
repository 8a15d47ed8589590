#include "engine/serve/flags.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.h"
#include "engine/serve/flag_specs.h"

namespace tidegate::serve {
namespace {

struct Short {
  std::string_view letter;
  std::string_view name;
};
constexpr std::array<Short, 5> kShort = {{{"-tp", "tensor-parallel-size"},
                                          {"-pp", "pipeline-parallel-size"},
                                          {"-dp", "data-parallel-size"},
                                          {"-q", "quantization"},
                                          {"-O", "compilation-config"}}};

bool truthy(const std::optional<std::string>& value) {
  if (!value) return false;
  const std::string text = ascii::to_lower(*value);
  return text == "1" || text == "true";
}

bool is_boolean(const std::string& text) {
  const std::string lower = ascii::to_lower(text);
  return lower == "true" || lower == "false";
}

bool is_flag(const std::string& word) {
  if (word.starts_with("--")) return true;
  return std::any_of(kShort.begin(), kShort.end(), [&](const Short& entry) { return entry.letter == word; });
}

// Steps over "python3 -m vllm.entrypoints.openai.api_server" and "vllm serve"; true if a model may come next.
bool skip_program(std::span<const std::string>& args) {
  const auto base = [](const std::string& path) { return path.substr(path.rfind('/') + 1); };
  if (args.size() >= 3 && base(args[0]).starts_with("python") && args[1] == "-m" &&
      (args[2] == "vllm.entrypoints.openai.api_server" || args[2] == "vllm.entrypoints.api_server")) {
    args = args.subspan(3);
    return false;
  }
  if (args.size() >= 2 && base(args[0]) == "vllm" && args[1] == "serve") {
    args = args.subspan(2);
    return true;
  }
  return true;
}

Error at_flag(Error error, std::string_view name) {
  error.field = "--" + std::string(name);
  return error;
}

// A flag as written: its name with dashes, a value after =, and whether it was denied with --no-.
struct Written {
  std::string name;
  std::optional<std::string> value;
  bool denied = false;
};

Written written(const std::string& word) {
  for (const Short& entry : kShort) {
    if (word == entry.letter) return {std::string(entry.name), std::nullopt, false};
  }
  Written result;
  const std::size_t equals = word.find('=');
  result.name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
  if (equals != std::string::npos) result.value = word.substr(equals + 1);
  std::replace(result.name.begin(), result.name.end(), '_', '-');
  if (find_flag(result.name) == nullptr && result.name.starts_with("no-") &&
      find_flag(std::string_view(result.name).substr(3)) != nullptr) {
    result.name.erase(0, 3);
    result.denied = true;
  }
  return result;
}

// The values of a flag; steps over the words that they take.
Result<std::vector<std::string>> values_of(const FlagSpec& spec, const Written& flag,
                                           std::span<const std::string>& rest) {
  const auto take = [&rest] {
    std::string word = rest.front();
    rest = rest.subspan(1);
    return word;
  };
  std::vector<std::string> values;
  if (flag.value) values.push_back(*flag.value);
  switch (spec.takes) {
    case Takes::kNothing: {
      bool on = !flag.denied;
      if (values.empty() && !rest.empty() && is_boolean(rest.front())) values.push_back(take());
      if (!values.empty()) {
        if (!is_boolean(values[0]))
          return fail(Code::kInvalid, "is a switch; use it alone, or with true or false");
        on = on == (ascii::to_lower(values[0]) == "true");
      }
      return std::vector<std::string>{on ? "true" : "false"};
    }
    case Takes::kMaybe:
      return values;
    case Takes::kValue:
      if (values.empty()) {
        if (rest.empty() || rest.front().starts_with("--"))
          return fail(Code::kInvalid, "needs a value after it");
        values.push_back(take());
      }
      return values;
    case Takes::kList:
      while (!rest.empty() && !is_flag(rest.front())) values.push_back(take());
      if (values.empty()) return fail(Code::kInvalid, "needs at least one value after it");
      return values;
  }
  return values;
}

Result<void> read_words(Flags& flags, std::span<const std::string> rest, bool model_first) {
  while (!rest.empty()) {
    const std::string word = rest.front();
    rest = rest.subspan(1);
    if (!is_flag(word)) {
      if (!model_first || !flags.model.empty()) {
        return fail(Code::kInvalid, "\"" + word + "\" stands alone; flags start with --");
      }
      flags.model = word;
      continue;
    }
    const Written flag = written(word);
    const FlagSpec* spec = find_flag(flag.name);
    if (spec == nullptr) {
      return fail(
          Code::kNotFound,
          "is not a flag of vLLM or Tidegate; did you mean --" + std::string(nearest_flag(flag.name)) + "?",
          "--" + flag.name);
    }
    auto values = values_of(*spec, flag, rest);
    if (!values) return tl::unexpected(at_flag(values.error(), spec->name));
    if (spec->apply == nullptr) {
      flags.notes.push_back("--" + std::string(spec->name) + " has no effect on this engine");
    } else if (auto applied = spec->apply(flags, *values); !applied) {
      return tl::unexpected(at_flag(applied.error(), spec->name));
    }
  }
  return {};
}

// OMP_NUM_THREADS, as vLLM's CPU backend reads it. Anything that is not a sensible number says nothing.
std::size_t threads_of(std::string_view text) {
  constexpr std::size_t kMost = 1024;
  std::size_t threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && threads <= kMost ? threads : 0;
}

void apply_environment(Flags& flags, const Environment& environment) {
  if (const auto key = environment("VLLM_API_KEY"); key && !key->empty() && flags.api_keys.empty()) {
    flags.api_keys.push_back(*key);
  }
  flags.runtime_lora = truthy(environment("VLLM_ALLOW_RUNTIME_LORA_UPDATING"));
  flags.dev_mode = truthy(environment("VLLM_SERVER_DEV_MODE"));
  flags.hash_seed = environment("PYTHONHASHSEED").value_or("");
  flags.paths = PathMap::parse(environment("TIDEGATE_PATH_MAP").value_or(""));
  if (flags.threads == 0) flags.threads = threads_of(environment("OMP_NUM_THREADS").value_or(""));
  const std::string pod_ip = environment("TIDEGATE_POD_IP").value_or("");
  const bool wildcard = flags.host == "0.0.0.0" || flags.host == "::" || flags.host == "[::]";
  if (wildcard && !pod_ip.empty()) {
    flags.notes.push_back("--host " + flags.host + " would take every pod's port; listening on " + pod_ip);
    flags.host = pod_ip;
  }
  if (!pod_ip.empty() && flags.kv_events.enabled) {
    // Every pod would take the same port of all addresses.
    for (std::string* endpoint : {&flags.kv_events.endpoint, &flags.kv_events.replay_endpoint}) {
      if (endpoint->starts_with("tcp://*:"))
        endpoint->replace(6, 1, pod_ip.find(':') == std::string::npos ? pod_ip : "[" + pod_ip + "]");
    }
  }
  if (flags.host.empty()) flags.host = pod_ip.empty() ? "127.0.0.1" : pod_ip;
  if (flags.host == "localhost") flags.host = "127.0.0.1";
  if (flags.drain_s < 0) {
    flags.drain_s = 30;
    const std::string grace = environment("TIDEGATE_POD_GRACE_S").value_or("");
    std::from_chars(grace.data(), grace.data() + grace.size(),
                    flags.drain_s);  // what is no number changes nothing
  }
}

Result<void> check(Flags& flags) {
  if (!flags.calibrate.empty()) return {};  // nothing is served
  if (flags.model.empty()) {
    if (!flags.simulate) return invalid("--model", "is missing; name a folder, or add --simulate");
    flags.model = "simulated";
  }
  if (flags.served_names.empty()) flags.served_names.push_back(flags.model);
  if (flags.cpu_loras_max != 0 && flags.cpu_loras_max < flags.loras_max) {
    return invalid("--max-cpu-loras", "is " + std::to_string(flags.cpu_loras_max) + ", below --max-loras " +
                                          std::to_string(flags.loras_max) + "; raise it");
  }
  if (flags.step_tokens_max < flags.sequences_max) {
    return invalid("--max-num-batched-tokens",
                   "is " + std::to_string(flags.step_tokens_max) + ", below --max-num-seqs " +
                       std::to_string(flags.sequences_max) + "; raise it or lower the other");
  }
  if (!flags.lora && !flags.lora_modules.empty()) {
    return invalid("--lora-modules", "are given without --enable-lora; add it");
  }
  std::vector<std::string> names = flags.served_names;
  for (const LoraModule& module : flags.lora_modules) {
    if (std::find(names.begin(), names.end(), module.name) != names.end()) {
      return invalid("--lora-modules", "names " + module.name + " twice, or like the base model; rename one");
    }
    names.push_back(module.name);
  }
  if (!flags.simulate && (flags.faults.fail_rate > 0 || flags.faults.stall_ms > 0 || flags.old_vllm || !flags.step_model.empty())) {
    return invalid("--simulate", "is missing; faults, step models and old behaviour are for the simulated engine only");
  }
  return {};
}

}  // namespace

Result<Flags> parse_flags(std::span<const std::string> args, const Environment& environment) {
  Flags flags;
  const bool model_first = skip_program(args);
  if (auto read = read_words(flags, args, model_first); !read) return tl::unexpected(read.error());
  apply_environment(flags, environment);
  if (auto checked = check(flags); !checked) return tl::unexpected(checked.error());
  return flags;
}

std::string flags_help() {
  std::string text;
  for (const FlagSpec& spec : flag_specs()) {
    if (spec.apply == nullptr) continue;
    std::string line = "  --" + std::string(spec.name);
    if (spec.takes == Takes::kValue) line += " VALUE";
    if (spec.takes == Takes::kMaybe) line += "[=VALUE]";
    if (spec.takes == Takes::kList) line += " VALUE ...";
    constexpr std::size_t kColumn = 42;
    line.resize(std::max(line.size() + 1, kColumn), ' ');
    text += line + std::string(spec.help) + "\n";
  }
  return text;
}

}  // namespace tidegate::serve

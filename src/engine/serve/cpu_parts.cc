#include "engine/serve/cpu_parts.h"

#include <algorithm>
#include <utility>

#include "engine/model/buffer.h"
#include "engine/model/cpu_model.h"
#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/weights/model_config.h"
#include "engine/weights/text_file.h"

namespace tidegate::serve {
namespace {

constexpr std::size_t kCacheBytesMax = std::size_t{4} << 30;

Result<model::Precision> precision_of(const Flags& flags) {
  if (flags.quantization.empty() || flags.quantization == "none") return model::Precision::kAsStored;
  if (flags.quantization == "int8") return model::Precision::kInt8;
  return invalid("--quantization", "is " + flags.quantization + "; this engine knows int8, or leave it out");
}

Result<bool> wide_cache(const Flags& flags) {
  if (flags.dtype == "float32" || flags.dtype == "float") return true;
  for (const char* known : {"", "auto", "bfloat16", "float16", "half"}) {
    if (flags.dtype == known) return false;
  }
  return invalid("--dtype", "is " + flags.dtype + "; use auto, bfloat16, float16 or float32");
}

// generation_config.json of the model, of another folder, or none at all.
Result<batch::Sampling> defaults_of(const Flags& flags) {
  batch::Sampling sampling;
  if (flags.generation_config == "vllm") return sampling;
  const bool own = flags.generation_config.empty() || flags.generation_config == "auto";
  const std::string path = flags.paths.locate(own ? flags.model : flags.generation_config) + "/generation_config.json";
  auto text = weights::read_optional_file(path);
  if (!text) return tl::unexpected(std::move(text.error()));
  if (!*text) return sampling;
  const auto read = weights::parse_generation_config(**text);
  if (!read) return fail(read.error().code, read.error().message, path);
  sampling.temperature = read->temperature.value_or(sampling.temperature);
  sampling.top_p = read->top_p.value_or(sampling.top_p);
  sampling.top_k = read->top_k.value_or(sampling.top_k);
  sampling.min_p = read->min_p.value_or(sampling.min_p);
  sampling.repetition_penalty = read->repetition_penalty.value_or(sampling.repetition_penalty);
  return sampling;
}

// --chat-template is a file or the template itself.
Result<std::string> template_of(const Flags& flags) {
  if (flags.chat_template.empty()) return std::string();
  auto file = weights::read_text_file(flags.paths.locate(flags.chat_template));
  if (file) return file;
  if (flags.chat_template.find_first_of("{}\n") != std::string::npos) return flags.chat_template;
  return fail(file.error().code, file.error().message, "--chat-template=" + flags.chat_template);
}

std::size_t cache_blocks(const Flags& flags, const batch::ModelFacts& facts, std::size_t weight_bytes) {
  const std::size_t block_bytes = std::max<std::size_t>(1, facts.kv_bytes_per_token * flags.block_tokens);
  const auto wanted =
      static_cast<std::size_t>(flags.memory_utilization * static_cast<double>(model::memory_limit()));
  const std::size_t left = wanted > weight_bytes ? wanted - weight_bytes : 0;
  std::size_t context = facts.context_max;
  if (flags.context_max > 0) context = std::min(context, flags.context_max);
  const std::size_t of_one = (context + flags.block_tokens - 1) / flags.block_tokens;
  const std::size_t useful = of_one * flags.sequences_max;
  // One whole sequence must fit, whatever the share of memory says; block 0 holds nothing.
  return std::max(std::min(std::min(left, kCacheBytesMax) / block_bytes, useful), of_one) + 1;
}

}  // namespace

Result<Parts> cpu_parts(const Flags& flags, const Clock& clock,
                        const std::function<void(std::size_t, std::size_t)>& progress) {
  const TimePoint began = clock.now();
  const auto precision = precision_of(flags);
  if (!precision) return tl::unexpected(precision.error());
  const auto kv_f32 = wide_cache(flags);
  if (!kv_f32) return tl::unexpected(kv_f32.error());
  auto defaults = defaults_of(flags);
  if (!defaults) return tl::unexpected(std::move(defaults.error()));
  auto chat_template = template_of(flags);
  if (!chat_template) return tl::unexpected(std::move(chat_template.error()));
  const std::string folder = flags.paths.locate(flags.tokenizer.empty() ? flags.model : flags.tokenizer);
  auto tokenizer = tokenizer::load_tokenizer(folder, clock, std::move(*chat_template));
  if (!tokenizer) return tl::unexpected(std::move(tokenizer.error()));

  model::CpuOptions options;
  options.folder = flags.paths.locate(flags.model);
  options.threads = flags.threads;
  options.precision = *precision;
  options.kv_f32 = *kv_f32;
  options.vocabulary = (*tokenizer)->vocabulary();
  options.eos.assign((*tokenizer)->eos().begin(), (*tokenizer)->eos().end());
  options.progress = progress;
  auto loaded = model::CpuModel::load(std::move(options));
  if (!loaded) return tl::unexpected(std::move(loaded.error()));

  Parts parts;
  const model::CpuModel& cpu = **loaded;
  parts.blocks = cache_blocks(flags, cpu.facts(), cpu.weights().bytes);
  parts.defaults = *defaults;
  parts.notes.push_back("loaded " + std::to_string(cpu.weights().bytes >> 10) + " KiB of weights in " +
                        std::to_string(static_cast<long>(milliseconds(clock.now() - began))) + " ms; " +
                        std::to_string(cpu.threads()) + " threads, " + cpu.instruction_set() + ", " +
                        std::to_string((parts.blocks - 1) * flags.block_tokens) + " tokens of KV cache");
  parts.model = std::move(*loaded);
  parts.tokenizer = std::move(*tokenizer);
  return parts;
}

}  // namespace tidegate::serve

#include "engine/model/cpu_model.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "engine/ops/kernels.h"
#include "engine/weights/text_file.h"

namespace tidegate::model {
namespace {

// Rows whose logits are held at once.
constexpr std::size_t kLogitRows = 16;

}  // namespace

std::size_t physical_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!(file >> siblings)) siblings = std::to_string(cpu);
    cores.insert(siblings);
  }
  return std::max<std::size_t>(1, cores.size());
}

CpuModel::CpuModel(CpuOptions options, std::size_t threads)
    : options_(std::move(options)), pool_(threads), kernels_(ops::kernels(ops::best_isa())) {}

Result<std::unique_ptr<CpuModel>> CpuModel::load(CpuOptions options) {
  const std::string folder = options.folder;
  auto text = weights::read_text_file(folder + "/config.json");
  if (!text) return tl::unexpected(std::move(text.error()));
  auto config = weights::parse_model_config(*text);
  if (!config) {
    config.error().field = folder + "/config.json: " + config.error().field;
    return tl::unexpected(std::move(config.error()));
  }
  auto checkpoint = weights::Checkpoint::open(folder);
  if (!checkpoint) return tl::unexpected(std::move(checkpoint.error()));
  const std::size_t threads = options.threads > 0 ? options.threads : physical_cores();
  std::unique_ptr<CpuModel> model(new CpuModel(std::move(options), threads));
  auto loaded = load_weights(std::move(*config), std::move(*checkpoint), model->options_.precision,
                             model->pool_, model->options_.progress);
  if (!loaded) {
    loaded.error().field = folder + ": " + loaded.error().field;
    return tl::unexpected(std::move(loaded.error()));
  }
  model->weights_ = std::move(*loaded);
  const auto& c = model->weights_.config;
  const bool wide = model->weights_.head.format == ops::Format::kF32;
  model->lora_ = wide ? ops::Format::kF32 : ops::Format::kBf16;
  model->kv_ = wide || model->options_.kv_f32 ? ops::Format::kF32 : ops::Format::kBf16;
  model->facts_.vocabulary =
      model->options_.vocabulary > 0 ? std::min(model->options_.vocabulary, c.vocabulary) : c.vocabulary;
  model->facts_.context_max = c.context_max;
  model->facts_.kv_bytes_per_token = 2 * c.layers * c.kv_heads * c.head_dim * ops::format_bytes(model->kv_);
  model->network_ = std::make_unique<Network>(model->weights_, model->pool_, model->kernels_);
  return model;
}

Result<void> CpuModel::reserve(const batch::Capacity& capacity) {
  rank_max_ = capacity.adapter_rank_max;
  if (auto done = network_->reserve(capacity, kv_); !done) return done;
  auto logits = Buffer::make(kLogitRows * facts_.vocabulary * sizeof(float));
  if (!logits) return tl::unexpected(std::move(logits.error()));
  logits_ = std::move(*logits);
  samplers_.resize(kLogitRows);
  followers_.resize(capacity.sequences_max);
  return {};
}

Result<std::unique_ptr<const batch::Adapter>> CpuModel::load_adapter(const batch::AdapterSpec& spec) {
  return LoraWeights::load(spec.path, weights_.config, rank_max_, lora_);
}

void CpuModel::place_adapter(std::int32_t slot, const batch::Adapter& adapter) {
  network_->set_adapter(slot, static_cast<const LoraWeights*>(&adapter));
}

void CpuModel::clear_adapter(std::int32_t slot) { network_->set_adapter(slot, nullptr); }

Result<void> CpuModel::step(std::span<const batch::Segment> segments, batch::StepResult& result) {
  const ops::FlushDenormals flush;
  result.samples.clear();
  result.prompt.clear();
  result.modelled = Duration{0};

  // Segments of one adapter together, so that its matrices are read once.
  order_.clear();
  for (const batch::Segment& segment : segments) order_.push_back(&segment);
  std::stable_sort(order_.begin(), order_.end(), [](const batch::Segment* a, const batch::Segment* b) {
    return a->adapter_slot < b->adapter_slot;
  });
  stretches_.clear();
  for (const batch::Segment* s : order_)
    stretches_.push_back({s->tokens(), s->start, s->blocks, s->adapter_slot});
  network_->forward(stretches_);

  std::size_t samples = 0;
  std::vector<std::size_t> place(segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    place[i] = samples;
    if (segments[i].sample) ++samples;
  }
  result.samples.resize(samples);
  wanted_.clear();
  std::size_t row = 0;
  for (const batch::Segment* s : order_) {
    for (std::size_t p = s->start; p < s->end; ++p, ++row) {
      const bool draws = s->sample && p + 1 == s->end;
      const bool tells = s->sampling && s->sampling->prompt_logprobs >= 0 && p + 1 < s->prompt_tokens;
      if (tells) wanted_.push_back({row, s, p, 0, false});
      if (draws) wanted_.push_back({row, s, p, place[static_cast<std::size_t>(s - segments.data())], true});
    }
  }
  for (std::size_t at = 0; at < wanted_.size(); at += kLogitRows) {
    say(std::span(wanted_).subspan(at, std::min(kLogitRows, wanted_.size() - at)), result);
  }
  return {};
}

// What guides allow of the rows that draw; null where anything goes. One after the other: guides are shared.
std::vector<std::shared_ptr<const guide::Mask>> CpuModel::guide_masks(std::span<const Wanted> wanted,
                                                                      batch::StepResult& result) {
  std::vector<std::shared_ptr<const guide::Mask>> masks(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const batch::Segment& segment = *wanted[i].segment;
    if (!wanted[i].draws || segment.sampling->guide == nullptr) continue;
    auto mask = followers_[segment.sequence].next(segment.request, *segment.sampling->guide,
                                                  segment.history.subspan(segment.prompt_tokens),
                                                  *segment.sampling->guide_work);
    if (mask) {
      masks[i] = *std::move(mask);
    } else {
      result.samples[wanted[i].sample].failure = describe(mask.error());
    }
  }
  return masks;
}

// Logits of a few rows, and what is drawn from them or said about them.
void CpuModel::say(std::span<const Wanted> wanted, batch::StepResult& result) {
  rows_.clear();
  for (const Wanted& w : wanted) rows_.push_back(w.row);
  const std::size_t vocabulary = facts_.vocabulary;
  network_->logits(rows_, vocabulary, logits_.floats());
  std::vector<batch::PromptLogprobs> told(wanted.size());
  const auto masks = guide_masks(wanted, result);
  const std::size_t piece = vocabulary * wanted.size() < 20'000 ? wanted.size() : 1;
  pool_.run(wanted.size(), piece, [&](std::size_t begin, std::size_t end, ops::Scratch&) {
    for (std::size_t i = begin; i < end; ++i) {
      const Wanted& w = wanted[i];
      const std::span<float> logits(logits_.floats() + i * vocabulary, vocabulary);
      const auto history = w.segment->history;
      if (w.draws) {
        if (!result.samples[w.sample].failure.empty()) continue;
        const sample::Draw draw{w.segment->sampling, history.first(w.position + 1), w.segment->prompt_tokens,
                                options_.eos, masks[i].get()};
        result.samples[w.sample] = samplers_[i].draw(logits, draw, kernels_);
        continue;
      }
      told[i].request = w.segment->request;
      told[i].position = w.position + 1;
      samplers_[i].describe(logits, history[w.position + 1], w.segment->sampling->prompt_logprobs, kernels_,
                            told[i].actual, told[i].top);
    }
  });
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i].draws) result.prompt.push_back(std::move(told[i]));
  }
}

}  // namespace tidegate::model

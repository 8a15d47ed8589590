#include "gateway/kv_stats.h"

#include <array>
#include <atomic>
#include <utility>

namespace tidegate::gateway {
namespace {

using fleet::Fleet;
using telemetry::Kind;

double value_of(pick::Trust trust) {
  return trust == pick::Trust::kWhole ? 1 : trust == pick::Trust::kPart ? 0.5 : 0;
}

template <typename Value>
void write_endpoints(telemetry::ExpositionWriter& writer, const std::vector<Fleet::Row>& rows,
                     const KvStates& states, std::string_view name, std::string_view help, Value value) {
  writer.family(Kind::kGauge, name, help);
  for (const Fleet::Row& row : rows) {
    const auto state = states.find(row.prefix_id);
    if (state == states.end()) continue;
    const std::array<std::pair<std::string_view, std::string_view>, 2> labels = {
        {{"pool", pool_of(row.key)}, {"endpoint", row.address}}};
    writer.sample(labels, value(state->second));
  }
}

void write_counts(
    telemetry::ExpositionWriter& writer, std::string_view name, std::string_view help,
    std::initializer_list<std::pair<std::string_view, const std::atomic<std::uint64_t>*>> counts) {
  writer.family(Kind::kCounter, name, help);
  for (const auto& [what, count] : counts) {
    const std::array<std::pair<std::string_view, std::string_view>, 1> labels = {{{"what", what}}};
    writer.sample(labels, static_cast<double>(count->load(std::memory_order_relaxed)));
  }
}

}  // namespace

std::string_view word_for(pick::Trust trust) {
  switch (trust) {
    case pick::Trust::kNone:
      return "none";
    case pick::Trust::kPart:
      return "part";
    case pick::Trust::kWhole:
      return "whole";
  }
  return "";
}

std::string_view pool_of(std::string_view key) {
  const std::string_view id = key.substr(0, key.rfind(' '));
  return id.substr(id.rfind(' ') + 1);
}

void write_kv(telemetry::ExpositionWriter& writer, const std::vector<Fleet::Row>& rows,
              const KvParts& parts) {
  const KvStates states = parts.follower.states();
  write_endpoints(writer, rows, states, "tidegate_endpoint_kv_stream",
                  "What is known of the engine's KV cache by its own word: 1 all, 0.5 some, 0 nothing.",
                  [](const auto& state) { return value_of(state.trust); });
  write_endpoints(writer, rows, states, "tidegate_endpoint_kv_blocks",
                  "Blocks that the engine tells it holds, as far as they can be looked up.",
                  [](const auto& state) { return static_cast<double>(state.blocks); });
  const kvfeed::Heard& heard = parts.follower.heard();
  write_counts(writer, "tidegate_kv_events_total", "Blocks in KV events, by what became of them.",
               {{"stored", &heard.stored},
                {"removed", &heard.removed},
                {"unknown", &heard.unknown},
                {"turned_away", &heard.turned_away}});
  write_counts(writer, "tidegate_kv_streams_total", "What happened in streams of KV events.",
               {{"batch", &heard.batches},
                {"cleared", &heard.cleared},
                {"gap", &heard.gaps},
                {"lost", &heard.lost},
                {"replay", &heard.replays},
                {"restart", &heard.restarts},
                {"unreadable", &heard.unreadable}});
  const auto gauge = [&](std::string_view name, std::string_view help, std::size_t value) {
    writer.family(Kind::kGauge, name, help);
    writer.sample({}, static_cast<double>(value));
  };
  gauge("tidegate_kv_index_blocks", "Blocks that engines tell they hold.", parts.blocks.blocks());
  gauge("tidegate_kv_index_bytes", "Memory of the index of those blocks.", parts.blocks.memory_bytes());
  gauge("tidegate_kv_places", "Places in prompts whose tokens are known.", parts.tokens.entries());
  writer.family(Kind::kCounter, "tidegate_kv_tokenized_total",
                "Prompts that engines were asked to tokenize.");
  const auto sample = [&](std::string_view what, std::uint64_t value) {
    const std::array<std::pair<std::string_view, std::string_view>, 1> labels = {{{"what", what}}};
    writer.sample(labels, static_cast<double>(value));
  };
  sample("learnt", parts.asker.learnt());
  sample("failed", parts.asker.failed());
}

}  // namespace tidegate::gateway

#include "gateway/api_keys.h"

#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/guard/ring.h"
#include "resource/core.h"

namespace tidegate::gateway {
namespace {

using Rings = std::map<std::string, std::shared_ptr<guard::Ring>>;  // by namespace

// 0 if nothing is written; empty if it cannot be read.
std::optional<std::uint64_t> limit_of(const std::map<std::string, std::string>& annotations,
                                      std::string_view name) {
  const auto found = annotations.find(std::string(name));
  if (found == annotations.end()) return 0;
  std::uint64_t limit = 0;
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc{} || end != text.data() + text.size() || limit == 0) return std::nullopt;
  return limit;
}

std::optional<guard::Limits> limits_of(const std::map<std::string, std::string>& annotations) {
  const auto minute = limit_of(annotations, kTokensPerMinuteAnnotation);
  const auto day = limit_of(annotations, kTokensPerDayAnnotation);
  const auto requests = limit_of(annotations, kRequestsPerMinuteAnnotation);
  if (!minute || !day || !requests) return std::nullopt;
  return guard::Limits{*minute, *day, *requests};
}

// Keys are often written with the line end that `echo` adds.
std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

void add_keys(const ObjectPtr& object, guard::Ring& ring) {
  const auto secret = resource::Secret::from(*object);
  const auto& annotations = object->metadata().annotations;
  const std::optional<guard::Limits> limits = limits_of(annotations);
  if (!secret || !limits) return;
  guard::ModelRules models;
  if (const auto found = annotations.find(std::string(kModelsAnnotation)); found != annotations.end()) {
    models = guard::ModelRules::parse(found->second);
    if (models.all()) return;  // an empty list allows nothing
  }
  for (const auto& [entry, key] : secret->data) {
    const std::string name = object->namespace_() + "/" + object->name() + "/" + entry;
    ring.add(without_blanks(key),
             std::make_shared<const guard::Client>(guard::Client{name, models, *limits}));
  }
}

Rings rings_of(const Inputs& inputs) {
  Rings rings;
  for (const ObjectPtr& object : inputs.secrets) {
    const auto& labels = object->metadata().labels;
    const auto label = labels.find(std::string(kApiKeys));
    if (label == labels.end() || label->second != "true") continue;
    std::shared_ptr<guard::Ring>& ring = rings[object->namespace_()];
    if (!ring) ring = std::make_shared<guard::Ring>();
    add_keys(object, *ring);
  }
  return rings;
}

}  // namespace

void mark_guarded(const Inputs& inputs, std::vector<Pool>& pools) {
  std::optional<Rings> rings;
  for (Pool& pool : pools) {
    const ObjectPtr object = object_of(inputs, pool);
    if (!object) continue;
    const auto& annotations = object->metadata().annotations;
    const auto found = annotations.find(std::string(kApiKeys));
    if (found == annotations.end() || found->second == "none") continue;  // a misspelt word guards
    if (!rings) rings = rings_of(inputs);
    std::shared_ptr<guard::Ring>& ring = (*rings)[pool.namespace_];
    if (!ring) ring = std::make_shared<guard::Ring>();  // no keys: nobody may
    pool.keys = ring;
  }
}

}  // namespace tidegate::gateway

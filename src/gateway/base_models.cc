#include "gateway/base_models.h"

#include <algorithm>
#include <tuple>

#include "base/log.h"
#include "resource/core.h"
#include "resource/reader.h"
#include "resource/yaml.h"

namespace tidegate::gateway {
namespace {

constexpr std::string_view kLabel = "inference.networking.k8s.io/bbr-managed";
constexpr std::size_t kAdaptersMax = 100'000;

struct Adapters {
  std::vector<std::string> names;
};

Adapters read_adapters(resource::Reader& root) {
  return {root.texts("adapters", {.max = kAdaptersMax}, {.min = 1})};
}

// Errors: kInvalid.
Result<std::vector<std::string>> adapters_of(const std::string& text) {
  // A document is an object, so the list becomes a field of one.
  std::string wrapped = "adapters:\n";
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    wrapped.append("  ").append(rest.substr(0, end)).append("\n");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  auto documents = resource::parse_documents("adapters", wrapped);
  if (!documents) return tl::unexpected(documents.error());
  if (documents->size() != 1) return invalid("adapters", "is no YAML list of names");
  auto read = resource::read_view(*documents->front().json, read_adapters);
  if (!read) return tl::unexpected(read.error());
  return std::move(read->names);
}

}  // namespace

BaseModels::BaseModels(const std::vector<resource::ObjectPtr>& config_maps) {
  std::vector<resource::ObjectPtr> ours;
  for (const resource::ObjectPtr& object : config_maps) {
    const auto& labels = object->metadata().labels;
    const auto label = labels.find(std::string(kLabel));
    if (label != labels.end() && label->second == "true") ours.push_back(object);
  }
  std::ranges::sort(ours, [](const resource::ObjectPtr& a, const resource::ObjectPtr& b) {
    const auto age = [](const resource::ObjectPtr& o) {
      return std::tie(o->metadata().creation_timestamp, o->namespace_(), o->name());
    };
    return age(a) < age(b);
  });
  for (const resource::ObjectPtr& object : ours) {
    const auto map = resource::ConfigMap::from(*object);
    if (!map) continue;
    const auto base = map->data.find("baseModel");
    if (base == map->data.end() || base->second.empty()) {
      log::warning("gateway", "a ConfigMap of base models names none",
                   {{"object", object->title()}, {"what to do", "set data.baseModel"}});
      continue;
    }
    bases_.emplace(base->second, base->second);
    const auto listed = map->data.find("adapters");
    if (listed == map->data.end()) continue;
    const auto adapters = adapters_of(listed->second);
    if (!adapters) {
      log::warning("gateway", "adapters of a base model cannot be read",
                   {{"object", object->title()}, {"why", describe(adapters.error())}});
      continue;
    }
    for (const std::string& adapter : *adapters) bases_.emplace(adapter, base->second);
  }
}

}  // namespace tidegate::gateway

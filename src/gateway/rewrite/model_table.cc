#include "gateway/rewrite/model_table.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

namespace tidegate::rewrite {

NameSet::NameSet(std::vector<std::string> names) : names_(std::move(names)) {
  std::sort(names_.begin(), names_.end());
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

bool NameSet::contains(std::string_view name) const {
  return std::binary_search(names_.begin(), names_.end(), name, std::less<>());
}

ModelTable::ModelTable(std::vector<ModelEntry> entries, std::optional<ModelEntry> every)
    : entries_(std::move(entries)), every_(std::move(every)) {
  std::sort(entries_.begin(), entries_.end(),
            [](const ModelEntry& a, const ModelEntry& b) { return a.name < b.name; });
  if (entries_.empty()) return;
  buckets_.assign(std::bit_ceil(entries_.size() * 2), 0);
  const std::size_t mask = buckets_.size() - 1;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::size_t bucket = std::hash<std::string_view>()(entries_[i].name) & mask;
    while (buckets_[bucket] != 0) bucket = (bucket + 1) & mask;
    buckets_[bucket] = static_cast<std::uint32_t>(i + 1);
  }
}

const ModelEntry* ModelTable::find(std::string_view name) const {
  if (buckets_.empty()) return nullptr;
  const std::size_t mask = buckets_.size() - 1;
  for (std::size_t bucket = std::hash<std::string_view>()(name) & mask; buckets_[bucket] != 0;
       bucket = (bucket + 1) & mask) {
    const ModelEntry& entry = entries_[buckets_[bucket] - 1];
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

Resolution ModelTable::resolve(std::string_view name, std::uint64_t point, const NameSet* served) const {
  const ModelEntry* entry = find(name);
  if (entry == nullptr) entry = every();
  if (entry != nullptr) {
    const Target* target = entry->split.draw(point);
    return {target == nullptr ? Resolution::kReserved : Resolution::kTarget, entry, target};
  }
  if (served == nullptr || served->contains(name)) return {Resolution::kPass};
  return {Resolution::kUnknown};
}

Error error_of(const Resolution& resolution, std::string_view name) {
  std::string message = "The model `" + std::string(name) + "` ";
  message += resolution.kind == Resolution::kReserved
                 ? "is reserved and has no target with a weight at the moment"
                 : "does not exist; GET /v1/models lists those that do";
  return Error{Code::kNotFound, "model", std::move(message)};
}

}  // namespace tidegate::rewrite

// From the model a client names to the model an engine is asked for, for one pool.
//
// A name with an entry draws a target from its Split. A name without an entry passes as it is if the pool's
// endpoints serve it (a base model or an adapter) and is unknown otherwise. What endpoints serve is learned
// while we run and so is handed in; while nobody knows yet, the name passes and the engine is the judge.
//
// Thread: immutable once made; any thread.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gateway/pick/criticality.h"
#include "gateway/rewrite/split.h"

namespace tidegate::rewrite {

// Sorted names, for looking up what a pool's endpoints serve.
class NameSet {
 public:
  NameSet() = default;
  explicit NameSet(std::vector<std::string> names);
  bool contains(std::string_view name) const;
  const std::vector<std::string>& names() const { return names_; }
  bool operator==(const NameSet&) const = default;

 private:
  std::vector<std::string> names_;
};

struct ModelEntry {
  std::string name;  // as clients say it
  Split split;
  pick::Criticality criticality = pick::Criticality::kStandard;
  std::string object;        // "InferenceModel default/lora-request", for messages and labels
  std::int64_t created = 0;  // Unix seconds, for /v1/models
};

struct Resolution {
  enum Kind : std::uint8_t {
    kTarget,    // send `target->model`
    kPass,      // send the name unchanged
    kReserved,  // an entry without a target to draw: 404
    kUnknown,   // 404
  };
  Kind kind;
  const ModelEntry* entry = nullptr;  // null for kPass and kUnknown
  const Target* target = nullptr;     // with kTarget
};

class ModelTable {
 public:
  ModelTable() = default;
  // Requires: names are unique.
  explicit ModelTable(std::vector<ModelEntry> entries, std::optional<ModelEntry> every = {});

  const ModelEntry* find(std::string_view name) const;
  // For the names that no entry has; null if there is none.
  const ModelEntry* every() const { return every_ ? &*every_ : nullptr; }

  // `served` null: not known yet. `point` as in Split::draw.
  Resolution resolve(std::string_view name, std::uint64_t point, const NameSet* served) const;

  // By name.
  const std::vector<ModelEntry>& entries() const { return entries_; }

 private:
  std::vector<ModelEntry> entries_;     // sorted by name
  std::optional<ModelEntry> every_;
  std::vector<std::uint32_t> buckets_;  // open addressing: index + 1 into entries_; 0 is empty
};

// The 404 for a name that does not resolve. Requires: kind is kReserved or kUnknown.
Error error_of(const Resolution& resolution, std::string_view name);

}  // namespace tidegate::rewrite

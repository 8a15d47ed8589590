// Which model names this engine answers to: the base's names and its adapters.
//
// Thread: the loop's own.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/lora/residency.h"

namespace tidegate::serve {

struct ServedAdapter {
  std::string name;
  std::string path;
  std::string base;  // shown as parent
  lora::AdapterId id = lora::kBase;
};

class Catalog {
 public:
  // Requires: at least one base name.
  Catalog(std::vector<std::string> base_names, std::string model_path, std::int64_t created);

  // Who serves a request for `model`; an empty name means the first base name. Nothing if unknown.
  struct Match {
    lora::AdapterId adapter = lora::kBase;
    std::string name;  // as the answer shows it
  };
  std::optional<Match> find(std::string_view model) const;

  const std::string& first_name() const { return base_names_.front(); }
  const std::vector<ServedAdapter>& adapters() const { return adapters_; }
  const ServedAdapter* adapter(std::string_view name) const;

  // Replaces an adapter of the same name.
  void add(ServedAdapter adapter);
  bool remove(std::string_view name);

  // The body of /v1/models.
  std::string json(std::size_t context_max) const;

  // Names by adapter id, also of adapters that have been removed, for the metrics.
  std::vector<std::string> names_by_id() const { return names_; }

 private:
  std::vector<std::string> base_names_;
  std::string model_path_;
  std::int64_t created_;
  std::vector<ServedAdapter> adapters_;
  std::vector<std::string> names_ = std::vector<std::string>(1);
};

}  // namespace tidegate::serve

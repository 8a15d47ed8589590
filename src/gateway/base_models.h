// Which base model an adapter belongs to, for routes that match X-Gateway-Base-Model-Name: from ConfigMaps
// that carry the label inference.networking.k8s.io/bbr-managed: "true", as upstream's body-based routing
// reads them.
//
// Their data is `baseModel` and `adapters`, a YAML list of names. A base model is its own base. Of two that
// claim one name the older ConfigMap has it.
//
// Thread: make is pure; immutable once made.

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "resource/object.h"

namespace tidegate::gateway {

class BaseModels {
 public:
  BaseModels() = default;
  explicit BaseModels(const std::vector<resource::ObjectPtr>& config_maps);

  // Empty if nobody says.
  std::string_view base_of(std::string_view model) const {
    const auto found = bases_.find(model);
    return found == bases_.end() ? std::string_view() : std::string_view(found->second);
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> bases_;
};

}  // namespace tidegate::gateway

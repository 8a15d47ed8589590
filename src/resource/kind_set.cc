#include "resource/kind_set.h"

#include <algorithm>

namespace tidegate::resource {

KindSet::KindSet(std::vector<std::shared_ptr<const CustomKind>> custom) : custom_(std::move(custom)) {
  for (const Kind& kind : kinds()) all_.push_back(&kind);
  for (const auto& kind : custom_) all_.push_back(kind.get());
}

const Kind* KindSet::find(std::string_view api_version, std::string_view kind) const {
  if (const Kind* built_in = find_kind(api_version, kind)) return built_in;
  const std::size_t slash = api_version.find('/');
  if (slash == std::string_view::npos) return nullptr;
  const auto found = std::find_if(custom_.begin(), custom_.end(), [&](const auto& candidate) {
    return candidate->group == api_version.substr(0, slash) && candidate->kind == kind &&
           candidate->version(api_version.substr(slash + 1)) != nullptr;
  });
  return found == custom_.end() ? nullptr : found->get();
}

}  // namespace tidegate::resource

#include "gateway/grants.h"

#include <algorithm>
#include <utility>

namespace tidegate::gateway {

Grants::Grants(const std::vector<resource::ObjectPtr>& objects) {
  for (const resource::ObjectPtr& object : objects) {
    auto grant = resource::ReferenceGrant::from_object(*object);
    if (grant) entries_.push_back({object->namespace_(), *std::move(grant)});
  }
}

bool Grants::allows(const From& from, const To& to) const {
  if (from.namespace_ == to.namespace_) return true;
  const auto core = [](std::string_view group) { return group == "core" ? std::string_view() : group; };
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    if (entry.namespace_ != to.namespace_) return false;
    const bool may = std::ranges::any_of(entry.grant.from, [&](const auto& one) {
      return one.group == from.group && one.kind == from.kind && one.namespace_ == from.namespace_;
    });
    return may && std::ranges::any_of(entry.grant.to, [&](const auto& one) {
             return core(one.group) == core(to.group) && one.kind == to.kind &&
                    (one.name.empty() || one.name == to.name);
           });
  });
}

}  // namespace tidegate::gateway

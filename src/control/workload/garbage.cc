#include "control/workload/garbage.h"

#include <algorithm>

namespace tidegate::workload {

loop::Decision decide_garbage(const resource::Kind& kind, const resource::Object& object,
                              const OwnerExists& exists) {
  const auto& owners = object.metadata().owner_references;
  const bool orphaned =
      !owners.empty() && object.metadata().deletion_timestamp.empty() &&
      std::none_of(owners.begin(), owners.end(),
                   [&](const resource::OwnerReference& owner) { return exists(owner, object.namespace_()); });
  if (!orphaned) return {};
  return {{loop::Action::remove(kind, object, "its owner is gone")}, std::nullopt};
}

}  // namespace tidegate::workload

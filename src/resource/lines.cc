#include "resource/lines.h"

#include "resource/path.h"

namespace tidegate::resource {

LineTree::Id LineTree::add(Id parent, std::string_view field, std::size_t index, bool is_item,
                           std::size_t line) {
  if (nodes_.size() >= kNodesMax) return kNone;
  nodes_.push_back({parent, static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(index), is_item,
                    std::string(field.substr(0, 256))});
  return static_cast<Id>(nodes_.size() - 1);
}

LineTree::Id LineTree::find(Id root, std::string_view path) const {
  Id at = root;
  for (const PathStep& step : split_path(path)) {
    Id next = kNone;
    // Children come after their parent.
    for (std::size_t i = at == kNone ? nodes_.size() : at + 1; i < nodes_.size() && next == kNone; ++i) {
      const Node& node = nodes_[i];
      if (node.parent != at || node.is_item != step.is_index) continue;
      if (step.is_index ? node.index == step.index : node.field == step.field) next = static_cast<Id>(i);
    }
    if (next == kNone) return at;
    at = next;
  }
  return at;
}

}  // namespace tidegate::resource

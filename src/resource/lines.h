// On which line of its file each field of a document stands.
//
// Thread: built by one thread, then immutable.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::resource {

class LineTree {
 public:
  using Id = std::uint32_t;
  static constexpr Id kNone = ~Id{0};

  Id add_root(std::size_t line) { return add(kNone, {}, 0, false, line); }
  // Children of kNone are not recorded: the parent came from an alias, or the tree is full.
  Id add_field(Id parent, std::string_view field, std::size_t line) {
    return parent == kNone ? kNone : add(parent, field, 0, false, line);
  }
  Id add_item(Id parent, std::size_t index, std::size_t line) {
    return parent == kNone ? kNone : add(parent, {}, index, true, line);
  }

  // The node of `path` below `root`, or of the nearest part of it that is known.
  Id find(Id root, std::string_view path) const;
  std::size_t line(Id id) const { return id == kNone ? 0 : nodes_[id].line; }

 private:
  struct Node {
    Id parent;
    std::uint32_t line;
    std::uint32_t index;
    bool is_item;
    std::string field;
  };
  static constexpr std::size_t kNodesMax = 500'000;

  Id add(Id parent, std::string_view field, std::size_t index, bool is_item, std::size_t line);

  std::vector<Node> nodes_;
};

}  // namespace tidegate::resource

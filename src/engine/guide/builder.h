// Makes a Program from its ends to its starts: every function takes the node that comes next and gives the
// node to begin at.
//
//   Builder builder;
//   const RuleId root = builder.declare();                     the first rule is the whole output
//   builder.define(root, builder.text("yes", kEnd));
//   auto program = builder.finish();
//
// Thread: one owner.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/guide/code_set.h"
#include "engine/guide/program.h"

namespace tidegate::guide {

// How a character is written: as itself, or as inside a JSON string.
enum class Spelling : std::uint8_t { kPlain, kJson };

class Builder {
 public:
  Builder();

  NodeId bytes(const ByteSet& set, NodeId next);
  NodeId byte(char c, NodeId next);
  NodeId text(std::string_view bytes, NodeId next);
  NodeId either(NodeId a, NodeId b);
  NodeId call(RuleId rule, NodeId next);
  // One character of the set.
  NodeId character(const CodeSet& set, Spelling spelling, NodeId next);

  // Texts of one length from `low` to `high`, whose later bytes run from `least` to `most`: numbers, and
  // UTF-8. Requires: low <= high, equal sizes, not empty.
  NodeId between(std::string_view low, std::string_view high, char least, char most, NodeId next);

  // A node that is said later: the head of a loop.
  NodeId hole();
  void fill(NodeId hole, NodeId a, NodeId b);

  // `make(next)` makes one occurrence. An upper bound of kNever is none.
  template <typename Make>
  NodeId repeat(std::uint32_t least, std::uint32_t most, NodeId next, Make make) {
    NodeId at = next;
    if (most == kNever) {
      at = hole();
      fill(at, make(at), next);
    } else {
      for (std::uint32_t i = least; i < most && !full_; ++i) at = either(make(at), next);
    }
    for (std::uint32_t i = 0; i < least && !full_; ++i) at = make(at);
    return at;
  }

  RuleId declare();
  void define(RuleId rule, NodeId start) { program_.starts[rule] = start; }
  RuleId rule(NodeId start);

  // Too many nodes were asked for; what is built is of no use.
  bool full() const { return full_; }

  // Errors: kInvalid if it is too large or nothing can satisfy it.
  Result<Program> finish();

 private:
  NodeId add(Node node);
  std::uint32_t set_id(const ByteSet& set);
  NodeId utf8(const CodeSet& set, NodeId next);

  Program program_;
  bool full_ = false;
  std::unordered_map<ByteSet, std::uint32_t> set_ids_;
  std::map<CodeSet::Ranges, RuleId> characters_;  // rules of the multi-byte characters of a set
};

}  // namespace tidegate::guide

// What a constrained output may be: a recursive automaton over bytes.
//
// A rule is a graph of nodes from its start to kEnd. A call node runs another rule and then goes on, so a
// program describes nested text (JSON in JSON) with a stack, and a part that occurs a thousand times is held
// once. Rule 0 is the whole output.
//
// Thread: immutable once made; any.

#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/result.h"

namespace tidegate::guide {

using ByteSet = std::bitset<256>;
using NodeId = std::uint32_t;
using RuleId = std::uint32_t;

struct Node {
  enum class Kind : std::uint8_t {
    kEnd,    // the rule is over
    kBytes,  // one byte of set `a`, then node `b`
    kSplit,  // node `a` or node `b`
    kCall,   // rule `a`, then node `b`
  };
  Kind kind = Kind::kEnd;
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};

inline constexpr NodeId kEnd = 0;                // the one end node, shared by all rules
inline constexpr std::uint32_t kDepthMax = 256;  // calls inside calls; deeper text is not offered
inline constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

struct Program {
  std::vector<Node> nodes;
  std::vector<NodeId> starts;  // by rule
  std::vector<ByteSet> sets;

  // Bytes that no set tells apart are one class.
  std::array<std::uint8_t, 256> class_of{};
  std::vector<std::uint8_t> example;  // a byte of each class

  // How many calls deep one must go, at least, from a node to the end of its rule; kNever: there is no way.
  // Who enters only what can be ended within kDepthMax is never stuck.
  std::vector<std::uint32_t> heights;
  // And how many bytes the shortest way takes.
  std::vector<std::uint32_t> lengths;
};

// Fills in what follows from nodes, starts and sets.
// Errors: kInvalid if no output at all can be finished.
Result<Program> finish_program(Program program);

}  // namespace tidegate::guide

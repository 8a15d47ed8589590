#include "engine/guide/program.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <string>

namespace tidegate::guide {
namespace {

// Who is waiting for the value of a node, and which calls wait for the value of a rule's start.
struct Users {
  std::vector<std::uint32_t> first, list;  // of node n: list[first[n]] to list[first[n + 1] - 1]

  explicit Users(const Program& program) {
    const auto each = [&](auto use) {
      for (NodeId id = 0; id < program.nodes.size(); ++id) {
        const Node& node = program.nodes[id];
        if (node.kind == Node::Kind::kEnd) continue;
        use(node.b, id);
        if (node.kind == Node::Kind::kSplit) use(node.a, id);
        if (node.kind == Node::Kind::kCall) use(program.starts[node.a], id);
      }
    };
    first.assign(program.nodes.size() + 1, 0);
    each([&](NodeId used, NodeId) { ++first[used + 1]; });
    for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
    list.resize(first.back());
    std::vector<std::uint32_t> next = first;
    each([&](NodeId used, NodeId user) { list[next[used]++] = user; });
  }
};

// The least value of every node, where a node's value never is below those it is made of: Knuth's form of
// Dijkstra's algorithm. `value_of` gives a node's value from the settled ones, kNever while one is missing.
std::vector<std::uint32_t> least_values(
    const Program& program, const Users& users,
    const std::function<std::uint32_t(const Node&, const std::vector<std::uint32_t>&)>& value_of) {
  using Entry = std::pair<std::uint32_t, NodeId>;
  std::vector<std::uint32_t> settled(program.nodes.size(), kNever);
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  queue.emplace(0, kEnd);
  while (!queue.empty()) {
    const auto [value, id] = queue.top();
    queue.pop();
    if (settled[id] != kNever) continue;
    settled[id] = value;
    for (std::uint32_t i = users.first[id]; i < users.first[id + 1]; ++i) {
      const NodeId user = users.list[i];
      if (settled[user] != kNever) continue;
      const std::uint32_t own = value_of(program.nodes[user], settled);
      if (own != kNever) queue.emplace(own, user);
    }
  }
  return settled;
}

std::uint32_t sum(std::uint32_t a, std::uint32_t b) {
  if (a == kNever || b == kNever) return kNever;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{a} + b, kNever - 1));
}

std::vector<std::uint32_t> heights_of(const Program& program, const Users& users) {
  return least_values(program, users, [&](const Node& node, const std::vector<std::uint32_t>& at) {
    switch (node.kind) {
      case Node::Kind::kEnd:
        return std::uint32_t{0};
      case Node::Kind::kBytes:
        return program.sets[node.a].any() ? at[node.b] : kNever;
      case Node::Kind::kSplit:
        return std::min(at[node.a], at[node.b]);
      case Node::Kind::kCall:
        return at[node.b] == kNever ? kNever : std::max(at[node.b], sum(1, at[program.starts[node.a]]));
    }
    return kNever;
  });
}

std::vector<std::uint32_t> lengths_of(const Program& program, const Users& users) {
  return least_values(program, users, [&](const Node& node, const std::vector<std::uint32_t>& at) {
    switch (node.kind) {
      case Node::Kind::kEnd:
        return std::uint32_t{0};
      case Node::Kind::kBytes:
        return program.sets[node.a].any() ? sum(1, at[node.b]) : kNever;
      case Node::Kind::kSplit:
        return std::min(at[node.a], at[node.b]);
      case Node::Kind::kCall:
        return sum(at[program.starts[node.a]], at[node.b]);
    }
    return kNever;
  });
}

// Splits 0..255 by each set in turn: bytes that stay together through all of them are one class.
void find_classes(Program& program) {
  program.class_of.fill(0);
  std::size_t count = 1;
  for (const ByteSet& set : program.sets) {
    std::map<std::pair<std::uint8_t, bool>, std::uint8_t> renamed;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const auto fresh = static_cast<std::uint8_t>(renamed.size());
      program.class_of[byte] = renamed.try_emplace({program.class_of[byte], set[byte]}, fresh).first->second;
    }
    count = renamed.size();
    if (count == 256) break;
  }
  program.example.assign(count, 0);
  for (std::size_t byte = 256; byte-- > 0;)
    program.example[program.class_of[byte]] = static_cast<std::uint8_t>(byte);
  // Something to read, where the class has it.
  for (std::uint8_t byte = '~'; byte >= ' '; --byte) program.example[program.class_of[byte]] = byte;
}

}  // namespace

Result<Program> finish_program(Program program) {
  const Users users(program);
  program.heights = heights_of(program, users);
  program.lengths = lengths_of(program, users);
  if (program.heights[program.starts[0]] > kDepthMax) {
    return invalid({}, "no output can satisfy it: every way through it goes on without an end");
  }
  find_classes(program);
  return program;
}

}  // namespace tidegate::guide

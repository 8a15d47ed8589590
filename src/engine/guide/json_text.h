// JSON as constraints: what values, strings and numbers look like.
//
// Between tokens one blank, or a line's end and some blanks, is offered: enough for text as people and models
// write it, and no endless white space. Numbers have at most 18 digits before and 16 after the point.
//
// Thread: one owner.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/guide/builder.h"

namespace tidegate::guide {

class JsonText {
 public:
  JsonText(Builder& builder, bool blanks);

  NodeId blanks(NodeId next);
  NodeId value(NodeId next);
  NodeId object(NodeId next);
  NodeId string(NodeId next);                                           // any
  NodeId string(std::uint32_t least, std::uint32_t most, NodeId next);  // of so many characters
  NodeId integer(NodeId next);
  NodeId number(NodeId next);
  NodeId boolean(NodeId next);
  NodeId null(NodeId next) { return builder_.text("null", next); }

  // What comes between items, and between a name and its value.
  NodeId comma(NodeId next) { return builder_.byte(',', blanks(next)); }
  NodeId colon(NodeId next) { return builder_.byte(':', blanks(next)); }

  // A name that is none of `others`. It is spelled without escapes, so that it cannot be one in disguise.
  NodeId name_beside(const std::vector<std::string>& others, NodeId next);

 private:
  RuleId character();
  RuleId array_rule();
  RuleId object_rule();
  NodeId digits(std::uint32_t least, std::uint32_t most, NodeId next);
  struct NameEnds {
    NodeId free;  // inside a name that is like none of the others
    NodeId next;  // after its quote
  };
  NodeId name_after(std::span<const std::u32string> others, std::size_t shared, NameEnds ends);

  Builder& builder_;
  const bool with_blanks_;
  const CodeSet plain_;  // what stands in a string as itself
  std::optional<RuleId> blanks_, character_, value_, object_, array_;
};

// `text` as a JSON string, quotes included.
std::string json_string(std::string_view text);

}  // namespace tidegate::guide

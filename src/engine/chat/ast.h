// A parsed chat template: statements and expressions as trees.
//
// Thread: immutable once parsed.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/chat/value.h"

namespace tidegate::chat {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

struct Argument {
  std::string name;  // empty: positional
  ExpressionPtr value;
};

enum class Op {
  kConstant,   // constant
  kName,       // text
  kList,       // parts
  kTuple,      // parts
  kMap,        // parts: key, value, key, value ...
  kAttribute,  // parts[0].text
  kIndex,      // parts[0][parts[1]]
  kSlice,      // parts[0][parts[1]:parts[2]:parts[3]]; missing ones are null
  kCall,       // parts[0](arguments)
  kFilter,     // parts[0] | text(arguments)
  kTest,       // parts[0] is text(arguments)
  kNot,
  kNegate,
  kPlus,  // unary
  kAnd,
  kOr,
  kChoose,   // parts[0] if parts[1] else parts[2]; the last may be null
  kCompare,  // parts[0] text parts[1], text being == != < <= > >= in "not in"
  kBinary,   // parts[0] text parts[1], text being + - * / // % ** ~
};

struct Expression {
  Op op = Op::kConstant;
  std::size_t line = 1;
  std::string text;
  Value constant;
  std::vector<ExpressionPtr> parts;
  std::vector<Argument> arguments;
};

struct Statement;
using Block = std::vector<Statement>;

// What an assignment or a loop binds: names, or one attribute of a namespace.
struct Target {
  std::vector<std::string> names;
  std::string attribute;  // names[0].attribute
  bool tuple = false;
};

struct Parameter {
  std::string name;
  ExpressionPtr otherwise;  // null: undefined when not given
};

struct Macro {
  std::string name;
  std::vector<Parameter> parameters;
  Block* body = nullptr;  // owned by the statement
};

enum class Do { kText, kPrint, kIf, kFor, kSet, kSetBlock, kMacro, kBreak, kContinue, kGroup, kFilterBlock };

struct Statement {
  Do what = Do::kText;
  std::size_t line = 1;
  std::string text;         // kText; kFilterBlock: unused
  ExpressionPtr value;      // kPrint, kSet, kFor: what is walked; kFilterBlock: the filters
  ExpressionPtr condition;  // kFor: the filter, may be null
  Target target;            // kFor, kSet, kSetBlock
  std::vector<std::pair<ExpressionPtr, Block>> branches;  // kIf: in order; a null condition is else
  std::unique_ptr<Block> body;                            // kFor, kSetBlock, kMacro, kGroup, kFilterBlock
  std::unique_ptr<Block> otherwise;                       // kFor: when nothing was walked
  std::unique_ptr<Macro> macro;
};

}  // namespace tidegate::chat

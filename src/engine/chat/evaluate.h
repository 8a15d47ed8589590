// Runs a parsed template over its variables. Used by template.cc only.
//
// Whatever a template does costs steps, text it builds is counted, and both are bounded: a template is data
// of a stranger and may loop or double strings as it likes.
//
// Thread: one Evaluator belongs to one rendering.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/chat/ast.h"
#include "engine/chat/value.h"

namespace tidegate::chat {

inline constexpr std::size_t kStepsMax = 1'000'000;             // expressions, statements and items walked
inline constexpr std::size_t kTextMax = std::size_t{32} << 20;  // bytes of all texts built, kept or not
inline constexpr int kEvaluationDepthMax = 400;                 // nested expressions, blocks and macros

// The arguments of a call.
struct Arguments {
  std::vector<Value> positional;
  Entries named;

  // The argument at a place or of a name; nullptr if it was not given.
  const Value* get(std::size_t index, std::string_view name) const;
  std::string text(std::size_t index, std::string_view name, std::string otherwise = {}) const;
};

class Evaluator {
 public:
  // `globals` are seen everywhere, macros included.
  Evaluator(Entries globals, WallTime now);

  Result<std::string> render(const Block& block);

  // For filters, tests and methods.
  Result<Value> filter(const std::string& name, const Value& value, const Arguments& arguments);
  Result<bool> test(const std::string& name, const Value& value, const Arguments& arguments);
  Result<void> spend(std::size_t steps, std::size_t text = 0);
  WallTime now() const { return now_; }
  tl::unexpected<Error> wrong(const std::string& what) const;

 private:
  enum class Flow { kNext, kBreak, kContinue };
  using Frame = Entries;

  Result<Flow> run(const Block& block, std::string& out);
  Result<Flow> run_one(const Statement& statement, std::string& out);
  Result<Flow> run_if(const Statement& statement, std::string& out);
  Result<Flow> run_for(const Statement& statement, std::string& out);
  Result<void> assign(const Target& target, Value value);
  void set(const std::string& name, Value value);
  const Value* lookup(std::string_view name) const;

  Result<Value> evaluate(const Expression& e);
  Result<Value> evaluate_here(const Expression& e);
  Result<Value> container(const Expression& e);
  Result<Value> logic(const Expression& e);
  Result<Value> call(const Expression& e);
  Result<Value> call_value(const Value& callee, const Arguments& arguments);
  Result<Value> call_macro(const Macro& macro, const Arguments& arguments);
  Result<Value> slice(const Expression& e);
  Result<Arguments> arguments(const std::vector<Argument>& list);

  std::vector<Frame> frames_;  // 0: globals, 1: the template's own, then loops and macros
  WallTime now_;
  std::size_t steps_ = 0;
  std::size_t text_ = 0;
  std::size_t line_ = 1;
  int depth_ = 0;
};

// ---- in operators.cc: pure functions on values

// a.name: an entry of a map, a namespace or a loop; undefined otherwise.
Value attribute(const Value& value, const std::string& name);
// a[key].
Value index(const Value& value, const Value& key);
Result<Value> binary(Evaluator& evaluator, const std::string& op, const Value& a, const Value& b);
Result<bool> compare(Evaluator& evaluator, const std::string& op, const Value& a, const Value& b);
// What a loop walks over: items, keys, characters, or nothing for undefined.
Result<List> iterate(Evaluator& evaluator, const Value& value);
// The characters of a text.
std::vector<std::string_view> characters(std::string_view text);
// Python's text[begin:end:step], each bound being absent where undefined or none.
Result<Value> slice_of(Evaluator& evaluator, const Value& value, const Value& begin, const Value& end,
                       const Value& step);

// ---- in functions.cc

// object.name(arguments) for texts and maps.
Result<Value> call_method(Evaluator& evaluator, const Value& object, const std::string& name,
                          const Arguments& arguments);
// range, namespace, raise_exception and so on.
Result<Value> call_builtin(Evaluator& evaluator, const std::string& name, const Arguments& arguments);
std::string stripped(std::string_view text, std::string_view characters, bool left, bool right);
inline constexpr const char* kBuiltins[] = {"range", "namespace", "dict", "raise_exception", "strftime_now"};

}  // namespace tidegate::chat

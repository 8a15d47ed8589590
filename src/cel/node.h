// What an expression is parsed into, and the values it is evaluated to. For this room alone; see expression.h.

#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cel/expression.h"

namespace tidegate::cel {

struct Node {
  enum class Kind {
    kLiteral,      // value
    kVariable,     // name
    kField,        // parts[0].name
    kHas,          // has(parts[0].name)
    kIndex,        // parts[0][parts[1]]
    kCall,         // name(parts...); a receiver is the first part
    kList,         // [parts...]
    kMap,          // {parts[0]: parts[1], ...}
    kNot,          // !parts[0]
    kNegate,       // -parts[0]
    kBinary,       // parts[0] name parts[1]
    kAnd,          // parts[0] && parts[1]
    kOr,           // parts[0] || parts[1]
    kConditional,  // parts[0] ? parts[1] : parts[2]
    kFold,         // parts[0].name(variable, parts[1]) or, for a map with a filter, (variable, parts[1], parts[2])
  };

  Kind kind;
  std::string name{};
  std::string variable{};  // of kFold
  Json value{};            // of kLiteral
  std::vector<std::unique_ptr<Node>> parts{};
};

// A JSON value that is somebody else's, or kept by all who hold it.
class Value {
 public:
  explicit Value(const Json* elsewhere) : at_(elsewhere) {}
  explicit Value(Json own) : kept_(std::make_shared<const Json>(std::move(own))), at_(kept_.get()) {}
  // A part of another.
  Value(const Value& whole, const Json* part) : kept_(whole.kept_), at_(part) {}

  const Json& json() const { return *at_; }

 private:
  std::shared_ptr<const Json> kept_;
  const Json* at_;
};

// Whether something can be called so, with so many arguments, the receiver included.
bool is_function(std::string_view name, bool with_receiver, std::size_t arguments);

// Errors: as Expression::evaluate().
Result<Json> call(std::string_view name, std::span<const Value> arguments, Budget& budget);
Result<Json> binary(std::string_view sign, const Json& left, const Json& right, Budget& budget);

bool equal(const Json& left, const Json& right);
Result<void> spend(Budget& budget, std::size_t steps);
// What it costs to copy a value.
std::size_t weight(const Json& value);
// "no such overload" in our words.
tl::unexpected<Error> unfit(std::string_view what);

}  // namespace tidegate::cel

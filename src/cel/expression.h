// One expression of the Common Expression Language over JSON values.
//
//   const auto rule = cel::Expression::parse("self.min <= self.max");
//   const auto verdict = rule->evaluate({{"self", &document}}, budget);
//
// Thread: immutable once parsed; any thread.
// Source: the CEL specification; Kubernetes, "Common Expression Language in Kubernetes".

#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tidegate::cel {

using Json = nlohmann::ordered_json;
using Variables = std::vector<std::pair<std::string, const Json*>>;

struct Node;

// Steps that evaluating may still take; shared by all expressions over one document.
struct Budget {
  std::size_t steps = 1'000'000;
};

class Expression {
 public:
  // Errors: kInvalid, with what is no CEL or not understood here.
  static Result<Expression> parse(std::string_view text);

  bool mentions(std::string_view variable) const;

  // Errors: kInvalid: Kubernetes would say so too (no such key, a division by zero, a budget that is used up);
  // kInternal: values of types that do not fit together here.
  Result<Json> evaluate(const Variables& variables, Budget& budget) const;

 private:
  explicit Expression(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace tidegate::cel

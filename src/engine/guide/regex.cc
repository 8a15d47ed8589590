#include "engine/guide/regex.h"

namespace tidegate::guide {
namespace {

class Emitter {
 public:
  Emitter(Builder& builder, const Expression& expression, Spelling spelling)
      : builder_(builder), parts_(expression.parts), spelling_(spelling) {}

  NodeId emit(std::size_t index, NodeId next) {
    const Expression::Part& part = parts_[index];
    switch (part.kind) {
      case Expression::Kind::kSet:
        return builder_.character(part.set, spelling_, next);
      case Expression::Kind::kSequence:
        for (std::size_t i = part.inside.size(); i-- > 0;) next = emit(part.inside[i], next);
        return next;
      case Expression::Kind::kEither: {
        NodeId at = emit(part.inside.back(), next);
        for (std::size_t i = part.inside.size() - 1; i-- > 0;)
          at = builder_.either(emit(part.inside[i], next), at);
        return at;
      }
      case Expression::Kind::kRepeat:
        return repeat(part, next);
    }
    return next;
  }

 private:
  NodeId repeat(const Expression::Part& part, NodeId next) {
    const std::size_t inside = part.inside[0];
    const bool once = part.least + (part.most == kNever ? 1 : part.most - part.least) <= 1;
    if (once || is_one_character(inside)) {
      return builder_.repeat(part.least, part.most, next, [&](NodeId after) { return emit(inside, after); });
    }
    // As a rule, so that its repetitions are calls.
    const RuleId rule = builder_.rule(emit(inside, kEnd));
    return builder_.repeat(part.least, part.most, next,
                           [&](NodeId after) { return builder_.call(rule, after); });
  }

  bool is_one_character(std::size_t index) const {
    const Expression::Part& part = parts_[index];
    constexpr std::size_t kFewRanges = 8;
    return (part.kind == Expression::Kind::kSet && part.set.ranges().size() <= kFewRanges) ||
           (part.kind == Expression::Kind::kSequence && part.inside.size() == 1 &&
            is_one_character(part.inside[0]));
  }

  Builder& builder_;
  const std::vector<Expression::Part>& parts_;
  const Spelling spelling_;
};

}  // namespace

NodeId emit(Builder& builder, const Expression& expression, Spelling spelling, NodeId next) {
  return Emitter(builder, expression, spelling).emit(expression.parts.size() - 1, next);
}

}  // namespace tidegate::guide

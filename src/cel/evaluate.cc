// Nodes to values.

#include <algorithm>
#include <optional>

#include "cel/node.h"

namespace tidegate::cel {
namespace {

using Kind = Node::Kind;
using Evaluated = Result<Value>;

class Evaluator {
 public:
  Evaluator(const Variables& variables, Budget& budget) : budget_(budget) {
    for (const auto& [name, value] : variables) scope_.emplace_back(name, Value(value));
  }

  Evaluated value(const Node& node) {
    if (auto paid = spend(budget_, 1); !paid) return tl::unexpected(paid.error());
    switch (node.kind) {
      case Kind::kLiteral:
        return Value(&node.value);
      case Kind::kVariable:
        return variable(node.name);
      case Kind::kField:
        return field(node);
      case Kind::kHas:
        return has(node);
      case Kind::kIndex:
        return index(node);
      case Kind::kCall:
        return function(node);
      case Kind::kList:
        return list(node);
      case Kind::kMap:
        return map(node);
      case Kind::kNot:
      case Kind::kNegate:
        return turned(node);
      case Kind::kBinary:
        return two(node);
      case Kind::kAnd:
      case Kind::kOr:
        return junction(node);
      case Kind::kConditional:
        return conditional(node);
      case Kind::kFold:
        return fold(node);
    }
    return unfit("an expression");
  }

 private:
  static Evaluated made(Result<Json> json) {
    if (!json) return tl::unexpected(json.error());
    return Value(*std::move(json));
  }

  // True or false, or what is wrong.
  Result<bool> truth(const Node& node) {
    const Evaluated got = value(node);
    if (!got) return tl::unexpected(got.error());
    if (!got->json().is_boolean()) return unfit("a condition that is neither true nor false");
    return got->json().get<bool>();
  }

  Evaluated variable(const std::string& name) const {
    const auto found = std::find_if(scope_.rbegin(), scope_.rend(), [&](const auto& each) { return each.first == name; });
    if (found == scope_.rend()) return unfit("the name " + name);
    return found->second;
  }

  Evaluated field(const Node& node) {
    const Evaluated whole = value(*node.parts[0]);
    if (!whole) return whole;
    return member(*whole, node.name);
  }

  static Evaluated member(const Value& whole, const std::string& name) {
    if (!whole.json().is_object()) return unfit("a field of what has none");
    const auto found = whole.json().find(name);
    if (found == whole.json().end()) return fail(Code::kInvalid, "no such key: " + name);
    return Value(whole, &*found);
  }

  Evaluated has(const Node& node) {
    const Evaluated whole = value(*node.parts[0]);
    if (!whole) return whole;
    if (!whole->json().is_object()) return unfit("has() of what has no fields");
    const auto found = whole->json().find(node.name);
    return Value(Json(found != whole->json().end() && !found->is_null()));
  }

  Evaluated index(const Node& node) {
    const Evaluated whole = value(*node.parts[0]);
    if (!whole) return whole;
    const Evaluated at = value(*node.parts[1]);
    if (!at) return at;
    if (whole->json().is_object() && at->json().is_string()) return member(*whole, at->json().get<std::string>());
    if (!whole->json().is_array() || !at->json().is_number_integer()) return unfit("an index");
    const auto position = at->json().get<std::int64_t>();
    if (position < 0 || static_cast<std::size_t>(position) >= whole->json().size()) {
      return fail(Code::kInvalid, "index out of bounds: " + std::to_string(position));
    }
    return Value(*whole, &whole->json()[static_cast<std::size_t>(position)]);
  }

  Evaluated function(const Node& node) {
    std::vector<Value> arguments;
    for (const auto& part : node.parts) {
      Evaluated argument = value(*part);
      if (!argument) return argument;
      arguments.push_back(*std::move(argument));
    }
    return made(call(node.name, arguments, budget_));
  }

  // What is put into something new is copied.
  Result<void> append(Json& all, const Json& item) {
    if (auto paid = spend(budget_, weight(item)); !paid) return paid;
    all.push_back(item);
    return {};
  }

  Evaluated list(const Node& node) {
    Json all = Json::array();
    for (const auto& part : node.parts) {
      const Evaluated item = value(*part);
      if (!item) return item;
      if (auto added = append(all, item->json()); !added) return tl::unexpected(added.error());
    }
    return Value(std::move(all));
  }

  Evaluated map(const Node& node) {
    Json all = Json::object();
    for (std::size_t i = 0; i + 1 < node.parts.size(); i += 2) {
      const Evaluated key = value(*node.parts[i]);
      if (!key) return key;
      if (!key->json().is_string()) return unfit("a key that is no text");
      const Evaluated item = value(*node.parts[i + 1]);
      if (!item) return item;
      if (auto paid = spend(budget_, weight(item->json())); !paid) return tl::unexpected(paid.error());
      all[key->json().get<std::string>()] = item->json();
    }
    return Value(std::move(all));
  }

  Evaluated turned(const Node& node) {
    if (node.kind == Kind::kNot) {
      const auto whether = truth(*node.parts[0]);
      if (!whether) return tl::unexpected(whether.error());
      return Value(Json(!*whether));
    }
    const Evaluated number = value(*node.parts[0]);
    if (!number) return number;
    return made(binary("-", number->json().is_number_float() ? Json(0.0) : Json(0), number->json(), budget_));
  }

  Evaluated two(const Node& node) {
    const Evaluated left = value(*node.parts[0]);
    if (!left) return left;
    const Evaluated right = value(*node.parts[1]);
    if (!right) return right;
    return made(binary(node.name, left->json(), right->json(), budget_));
  }

  // What one side decides, the other cannot spoil, on whichever side it stands.
  Evaluated junction(const Node& node) {
    const bool decisive = node.kind == Kind::kOr;
    const auto left = truth(*node.parts[0]);
    if (left && *left == decisive) return Value(Json(decisive));
    const auto right = truth(*node.parts[1]);
    if (right && *right == decisive) return Value(Json(decisive));
    if (!left) return tl::unexpected(left.error());
    if (!right) return tl::unexpected(right.error());
    return Value(Json(!decisive));
  }

  Evaluated conditional(const Node& node) {
    const auto whether = truth(*node.parts[0]);
    if (!whether) return tl::unexpected(whether.error());
    return value(*node.parts[*whether ? 1 : 2]);
  }

  Evaluated fold(const Node& node) {
    const Evaluated range = value(*node.parts[0]);
    if (!range) return range;
    if (range->json().is_array()) {
      return over(node, range->json().size(), [&](std::size_t i) { return Value(*range, &range->json()[i]); });
    }
    if (!range->json().is_object()) return unfit(node.name + " over what is neither list nor map");
    std::vector<std::string> keys;
    for (const auto& member : range->json().items()) keys.push_back(member.key());
    return over(node, keys.size(), [&](std::size_t i) { return Value(Json(keys[i])); });
  }

  template <typename Item>
  Evaluated over(const Node& node, std::size_t count, Item item) {
    if (node.name == "filter" || node.name == "map") return gathered(node, count, item);
    const bool all = node.name == "all";
    std::size_t held = 0;
    std::optional<Error> wrong;
    for (std::size_t i = 0; i < count; ++i) {
      const auto holds = with(node.variable, item(i), [&] { return truth(*node.parts[1]); });
      if (!holds) {
        if (node.name == "exists_one") return tl::unexpected(holds.error());
        wrong = holds.error();
      } else if (*holds) {
        ++held;
        if (node.name == "exists") return Value(Json(true));
      } else if (all) {
        return Value(Json(false));
      }
    }
    if (wrong) return tl::unexpected(*wrong);
    return Value(Json(all || (node.name == "exists_one" && held == 1)));
  }

  template <typename Item>
  Evaluated gathered(const Node& node, std::size_t count, Item item) {
    const bool filters = node.name == "filter" || node.parts.size() == 3;
    Json all = Json::array();
    for (std::size_t i = 0; i < count; ++i) {
      const Value each = item(i);
      if (filters) {
        const auto holds = with(node.variable, each, [&] { return truth(*node.parts[1]); });
        if (!holds) return tl::unexpected(holds.error());
        if (!*holds) continue;
      }
      const Evaluated kept = node.name == "filter" ? Evaluated(each) : with(node.variable, each, [&] {
        return value(*node.parts.back());
      });
      if (!kept) return kept;
      if (auto added = append(all, kept->json()); !added) return tl::unexpected(added.error());
    }
    return Value(std::move(all));
  }

  template <typename Work>
  auto with(const std::string& name, Value bound, Work work) {
    scope_.emplace_back(name, std::move(bound));
    auto result = work();
    scope_.pop_back();
    return result;
  }

  Budget& budget_;
  std::vector<std::pair<std::string, Value>> scope_;
};

}  // namespace

Result<Json> Expression::evaluate(const Variables& variables, Budget& budget) const {
  const Evaluated got = Evaluator(variables, budget).value(*root_);
  if (!got) return tl::unexpected(got.error());
  return got->json();
}

}  // namespace tidegate::cel

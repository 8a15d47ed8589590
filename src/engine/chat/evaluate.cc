#include "engine/chat/evaluate.h"

#include <algorithm>

namespace tidegate::chat {

const Value* Arguments::get(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  return find(named, name);
}

std::string Arguments::text(std::size_t index, std::string_view name, std::string otherwise) const {
  const Value* value = get(index, name);
  return value && !value->is_none() ? to_text(*value) : std::move(otherwise);
}

Evaluator::Evaluator(Entries globals, WallTime now) : now_(now) {
  for (const char* name : kBuiltins) {
    globals.emplace_back(name, Value(Value::Data(Callable{nullptr, name})));
  }
  frames_.push_back(std::move(globals));
  frames_.emplace_back();
}

tl::unexpected<Error> Evaluator::wrong(const std::string& what) const {
  return invalid("chat_template", what + " (line " + std::to_string(line_) + ")");
}

Result<void> Evaluator::spend(std::size_t steps, std::size_t text) {
  steps_ += steps;
  text_ += text;
  if (steps_ > kStepsMax) return wrong("runs too long");
  if (text_ > kTextMax) return wrong("builds too much text");
  return {};
}

Result<std::string> Evaluator::render(const Block& block) {
  std::string out;
  auto flow = run(block, out);
  if (!flow) return tl::unexpected(std::move(flow.error()));
  return out;
}

// ---- statements

Result<Evaluator::Flow> Evaluator::run(const Block& block, std::string& out) {
  if (++depth_ > kEvaluationDepthMax) return wrong("nests too deeply");
  for (const Statement& statement : block) {
    line_ = statement.line;
    if (auto paid = spend(1); !paid) return tl::unexpected(std::move(paid.error()));
    auto flow = run_one(statement, out);
    if (!flow || *flow != Flow::kNext) {
      --depth_;
      return flow;
    }
  }
  --depth_;
  return Flow::kNext;
}

Result<Evaluator::Flow> Evaluator::run_one(const Statement& s, std::string& out) {
  const auto append = [&](const std::string& text) -> Result<Flow> {
    if (auto paid = spend(0, text.size()); !paid) return tl::unexpected(std::move(paid.error()));
    out += text;
    return Flow::kNext;
  };
  switch (s.what) {
    case Do::kText:
      return append(s.text);
    case Do::kPrint: {
      auto value = evaluate(*s.value);
      if (!value) return tl::unexpected(std::move(value.error()));
      return append(to_text(*value));
    }
    case Do::kIf:
      return run_if(s, out);
    case Do::kFor:
      return run_for(s, out);
    case Do::kSet: {
      auto value = evaluate(*s.value);
      if (!value) return tl::unexpected(std::move(value.error()));
      auto done = assign(s.target, std::move(*value));
      if (!done) return tl::unexpected(std::move(done.error()));
      return Flow::kNext;
    }
    case Do::kSetBlock:
    case Do::kFilterBlock: {
      std::string text;
      frames_.emplace_back();
      auto flow = run(*s.body, text);
      frames_.pop_back();
      if (!flow) return flow;
      if (s.what == Do::kSetBlock) {
        auto done = assign(s.target, Value::text(std::move(text)));
        if (!done) return tl::unexpected(std::move(done.error()));
        return Flow::kNext;
      }
      frames_.emplace_back();
      set("", Value::text(std::move(text)));
      auto value = evaluate(*s.value);
      frames_.pop_back();
      if (!value) return tl::unexpected(std::move(value.error()));
      return append(to_text(*value));
    }
    case Do::kMacro:
      set(s.macro->name, Value(Value::Data(Callable{s.macro.get(), {}})));
      return Flow::kNext;
    case Do::kBreak:
      return Flow::kBreak;
    case Do::kContinue:
      return Flow::kContinue;
    case Do::kGroup:
      return run(*s.body, out);
  }
  return Flow::kNext;
}

Result<Evaluator::Flow> Evaluator::run_if(const Statement& s, std::string& out) {
  for (const auto& [condition, body] : s.branches) {
    if (condition) {
      auto value = evaluate(*condition);
      if (!value) return tl::unexpected(std::move(value.error()));
      if (!value->truth()) continue;
    }
    return run(body, out);
  }
  return Flow::kNext;
}

Result<Evaluator::Flow> Evaluator::run_for(const Statement& s, std::string& out) {
  auto walked = evaluate(*s.value);
  if (!walked) return tl::unexpected(std::move(walked.error()));
  auto items = iterate(*this, *walked);
  if (!items) return tl::unexpected(std::move(items.error()));
  frames_.emplace_back();
  const std::size_t mine = frames_.size();
  const auto leave = [&](Result<Flow> flow) {
    frames_.resize(mine - 1);
    return flow;
  };
  if (s.condition) {
    List kept;
    for (Value& item : *items) {
      if (auto done = assign(s.target, item); !done) return leave(tl::unexpected(std::move(done.error())));
      auto wanted = evaluate(*s.condition);
      if (!wanted) return leave(tl::unexpected(std::move(wanted.error())));
      if (wanted->truth()) kept.push_back(std::move(item));
    }
    *items = std::move(kept);
  }
  if (items->empty()) {
    frames_.resize(mine - 1);
    return s.otherwise ? run(*s.otherwise, out) : Flow::kNext;
  }
  const auto count = static_cast<std::int64_t>(items->size());
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    frames_[mine - 1].clear();
    auto loop = Value::map({{"index", Value::integer(i + 1)},
                            {"index0", Value::integer(i)},
                            {"first", Value::boolean(i == 0)},
                            {"last", Value::boolean(i + 1 == count)},
                            {"length", Value::integer(count)},
                            {"revindex", Value::integer(count - i)},
                            {"revindex0", Value::integer(count - i - 1)},
                            {"previtem", i > 0 ? (*items)[at - 1] : Value::undefined("previtem")},
                            {"nextitem", i + 1 < count ? (*items)[at + 1] : Value::undefined("nextitem")},
                            {"cycle", Value(Value::Data(Callable{nullptr, "cycle:" + std::to_string(i)}))}});
    if (!loop) return leave(tl::unexpected(std::move(loop.error())));
    set("loop", std::move(*loop));
    if (auto done = assign(s.target, (*items)[at]); !done)
      return leave(tl::unexpected(std::move(done.error())));
    if (auto paid = spend(8); !paid) return leave(tl::unexpected(std::move(paid.error())));
    auto flow = run(*s.body, out);
    if (!flow) return leave(std::move(flow));
    if (*flow == Flow::kBreak) break;
  }
  return leave(Flow::kNext);
}

void Evaluator::set(const std::string& name, Value value) {
  for (auto& [known, old] : frames_.back()) {
    if (known == name) {
      old = std::move(value);
      return;
    }
  }
  frames_.back().emplace_back(name, std::move(value));
}

Result<void> Evaluator::assign(const Target& target, Value value) {
  if (!target.attribute.empty()) {
    const Value* owner = lookup(target.names[0]);
    NamespaceBox* box = owner ? owner->name_space() : nullptr;
    if (!box) return wrong("sets an attribute of '" + target.names[0] + "', which is no namespace");
    if (value.name_space()) return wrong("puts a namespace into a namespace");
    for (auto& [known, old] : box->entries) {
      if (known == target.attribute) {
        old = std::move(value);
        return {};
      }
    }
    box->entries.emplace_back(target.attribute, std::move(value));
    return {};
  }
  if (!target.tuple) {
    set(target.names[0], std::move(value));
    return {};
  }
  auto parts = iterate(*this, value);
  if (!parts) return tl::unexpected(std::move(parts.error()));
  if (parts->size() != target.names.size()) {
    return wrong("unpacks " + std::to_string(parts->size()) + " values into " +
                 std::to_string(target.names.size()) + " names");
  }
  for (std::size_t i = 0; i < parts->size(); ++i) set(target.names[i], std::move((*parts)[i]));
  return {};
}

const Value* Evaluator::lookup(std::string_view name) const {
  for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
    if (const Value* value = find(*frame, name)) return value;
  }
  return nullptr;
}

// ---- expressions

Result<Value> Evaluator::evaluate(const Expression& e) {
  if (auto paid = spend(1); !paid) return tl::unexpected(std::move(paid.error()));
  if (++depth_ > kEvaluationDepthMax) return wrong("nests too deeply");
  auto value = evaluate_here(e);
  --depth_;
  return value;
}

Result<Value> Evaluator::evaluate_here(const Expression& e) {
  switch (e.op) {
    case Op::kConstant:
      return e.constant;
    case Op::kName: {
      const Value* value = lookup(e.text);
      return value ? *value : Value::undefined(e.text);
    }
    case Op::kList:
    case Op::kTuple:
    case Op::kMap:
      return container(e);
    case Op::kCall:
      return call(e);
    case Op::kSlice:
      return slice(e);
    case Op::kAnd:
    case Op::kOr:
    case Op::kChoose:
      return logic(e);
    default:
      break;
  }
  auto a = evaluate(*e.parts[0]);
  if (!a) return a;
  switch (e.op) {
    case Op::kAttribute:
      if (a->is_undefined())
        return wrong("'" + a->as<Undefined>()->name + "' is undefined, so it has no '" + e.text + "'");
      return attribute(*a, e.text);
    case Op::kNot:
      return Value::boolean(!a->truth());
    case Op::kNegate:
    case Op::kPlus: {
      if (!a->is_number()) return wrong("gives a sign to a value of type " + a->type_name());
      const bool minus = e.op == Op::kNegate;
      if (const auto* i = a->as<std::int64_t>()) {
        return Value::integer(minus ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(*i)) : *i);
      }
      return Value::real(minus ? -a->number() : a->number());
    }
    case Op::kFilter:
    case Op::kTest: {
      auto given = arguments(e.arguments);
      if (!given) return tl::unexpected(std::move(given.error()));
      if (e.op == Op::kFilter) return filter(e.text, *a, *given);
      auto result = test(e.text, *a, *given);
      if (!result) return tl::unexpected(std::move(result.error()));
      return Value::boolean(*result);
    }
    default:
      break;
  }
  auto b = evaluate(*e.parts[1]);
  if (!b) return b;
  if (e.op == Op::kIndex) {
    if (a->is_undefined()) return wrong("'" + a->as<Undefined>()->name + "' is undefined and has no items");
    return index(*a, *b);
  }
  if (e.op == Op::kCompare) {
    auto result = compare(*this, e.text, *a, *b);
    if (!result) return tl::unexpected(std::move(result.error()));
    return Value::boolean(*result);
  }
  return binary(*this, e.text, *a, *b);
}

Result<Value> Evaluator::logic(const Expression& e) {
  if (e.op == Op::kChoose) {
    auto condition = evaluate(*e.parts[1]);
    if (!condition) return condition;
    if (condition->truth()) return evaluate(*e.parts[0]);
    return e.parts[2] ? evaluate(*e.parts[2]) : Value::undefined("else");
  }
  auto first = evaluate(*e.parts[0]);
  if (!first || first->truth() == (e.op == Op::kOr)) return first;
  return evaluate(*e.parts[1]);
}

Result<Value> Evaluator::container(const Expression& e) {
  List items;
  for (const auto& part : e.parts) {
    auto value = evaluate(*part);
    if (!value) return value;
    items.push_back(std::move(*value));
  }
  if (e.op != Op::kMap) return Value::list(std::move(items), e.op == Op::kTuple);
  Entries entries;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    std::string key = to_text(items[i]);
    if (find(entries, key)) return wrong("names the key '" + key + "' twice");
    entries.emplace_back(std::move(key), std::move(items[i + 1]));
  }
  return Value::map(std::move(entries));
}

Result<Arguments> Evaluator::arguments(const std::vector<Argument>& list) {
  Arguments made;
  for (const Argument& argument : list) {
    auto value = evaluate(*argument.value);
    if (!value) return tl::unexpected(std::move(value.error()));
    if (argument.name.empty()) {
      made.positional.push_back(std::move(*value));
    } else {
      made.named.emplace_back(argument.name, std::move(*value));
    }
  }
  return made;
}

Result<Value> Evaluator::call(const Expression& e) {
  const Expression& callee = *e.parts[0];
  auto given = arguments(e.arguments);
  if (!given) return tl::unexpected(std::move(given.error()));
  if (callee.op == Op::kAttribute) {
    auto object = evaluate(*callee.parts[0]);
    if (!object) return object;
    if (object->is_undefined()) return wrong("'" + object->as<Undefined>()->name + "' is undefined");
    const Value* own = object->entries() ? find(*object->entries(), callee.text) : nullptr;
    if (own && own->as<Callable>()) return call_value(*own, *given);
    return call_method(*this, *object, callee.text, *given);
  }
  auto value = evaluate(callee);
  if (!value) return value;
  return call_value(*value, *given);
}

Result<Value> Evaluator::call_value(const Value& callee, const Arguments& given) {
  const auto* callable = callee.as<Callable>();
  if (!callable) {
    return wrong(callee.is_undefined()
                     ? "'" + callee.as<Undefined>()->name + "' is undefined and cannot be called"
                     : "calls a value of type " + callee.type_name());
  }
  return callable->macro ? call_macro(*callable->macro, given)
                         : call_builtin(*this, callable->builtin, given);
}

Result<Value> Evaluator::call_macro(const Macro& macro, const Arguments& given) {
  if (given.positional.size() > macro.parameters.size())
    return wrong("gives '" + macro.name + "' too many arguments");
  Frame frame;
  for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (const Value* value = given.get(i, parameter.name)) {
      frame.emplace_back(parameter.name, *value);
    } else if (parameter.otherwise) {
      auto otherwise = evaluate(*parameter.otherwise);
      if (!otherwise) return otherwise;
      frame.emplace_back(parameter.name, std::move(*otherwise));
    } else {
      frame.emplace_back(parameter.name, Value::undefined(parameter.name));
    }
  }
  // A macro sees the globals and the template's own variables, not those of whoever calls it.
  std::vector<Frame> callers(std::make_move_iterator(frames_.begin() + 2),
                             std::make_move_iterator(frames_.end()));
  frames_.resize(2);
  frames_.push_back(std::move(frame));
  std::string text;
  auto flow = run(*macro.body, text);
  frames_.resize(2);
  std::move(callers.begin(), callers.end(), std::back_inserter(frames_));
  if (!flow) return tl::unexpected(std::move(flow.error()));
  return Value::text(std::move(text));
}

Result<Value> Evaluator::slice(const Expression& e) {
  std::vector<Value> parts;
  for (const auto& part : e.parts) {
    auto value = part ? evaluate(*part) : Result<Value>(Value::none());
    if (!value) return value;
    parts.push_back(std::move(*value));
  }
  return slice_of(*this, parts[0], parts[1], parts[2], parts[3]);
}

}  // namespace tidegate::chat

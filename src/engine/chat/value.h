// The values a chat template computes with: Python's, as far as Jinja shows them.
//
// Containers are shared and never change, so copies are cheap and cycles cannot arise; a namespace is the one
// thing that changes, and it cannot be put into a container. Nesting is bounded by kDepthMax, so that
// recursion over a value is safe.
//
// Thread: a value belongs to one rendering.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tidegate::chat {

inline constexpr int kDepthMax = 64;

class Value;
using List = std::vector<Value>;
using Entries = std::vector<std::pair<std::string, Value>>;  // in order of insertion; keys are unique

struct Undefined {
  std::string name;  // what was asked for, for messages
};

struct ListBox {
  List items;
  int depth = 1;
  bool tuple = false;
};
struct MapBox {
  Entries entries;
  int depth = 1;
};
struct NamespaceBox {
  Entries entries;
};
struct Macro;  // in ast.h
struct Callable {
  const Macro* macro = nullptr;  // else the builtin of that name
  std::string builtin;
};

class Value {
 public:
  using Data = std::variant<Undefined, std::nullptr_t, bool, std::int64_t, double, std::string,
                            std::shared_ptr<const ListBox>, std::shared_ptr<const MapBox>,
                            std::shared_ptr<NamespaceBox>, Callable>;

  Value() = default;
  explicit Value(Data data) : data_(std::move(data)) {}
  static Value none() { return Value(Data(nullptr)); }
  static Value boolean(bool b) { return Value(Data(b)); }
  static Value integer(std::int64_t i) { return Value(Data(i)); }
  static Value real(double d) { return Value(Data(d)); }
  static Value text(std::string s) { return Value(Data(std::move(s))); }
  static Value undefined(std::string name) { return Value(Data(Undefined{std::move(name)})); }

  // Errors: kInvalid if the nesting becomes too deep or an item is a namespace.
  static Result<Value> list(List items, bool tuple = false);
  static Result<Value> map(Entries entries);

  const Data& data() const { return data_; }
  template <typename T>
  const T* as() const {
    return std::get_if<T>(&data_);
  }
  const List* items() const;
  const Entries* entries() const;  // of a map or a namespace
  NamespaceBox* name_space() const;
  const std::string* string() const { return as<std::string>(); }
  bool is_undefined() const { return as<Undefined>() != nullptr; }
  bool is_none() const { return as<std::nullptr_t>() != nullptr; }
  bool is_integer() const { return as<std::int64_t>() != nullptr; }
  bool is_number() const { return is_integer() || as<double>() != nullptr || as<bool>() != nullptr; }
  double number() const;  // 0 if it is none

  bool truth() const;
  std::string type_name() const;  // as Python calls it

 private:
  Data data_;
};

// The entry of a map or namespace, or nullptr.
const Value* find(const Entries& entries, std::string_view key);

bool equal(const Value& a, const Value& b);

// What {{ value }} prints: Python's str().
std::string to_text(const Value& value);

// Python's json.dumps with ensure_ascii off; indent below 0 means one line.
// Errors: kInvalid for what JSON has no form for.
Result<std::string> to_json(const Value& value, int indent);

// A value from JSON text. Errors: kInvalid if it is no JSON or nested too deeply.
Result<Value> from_json(std::string_view text);

}  // namespace tidegate::chat

// Methods of texts and maps, and the functions a template finds in place.

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>

#include "base/ascii.h"
#include "engine/chat/evaluate.h"

namespace tidegate::chat {
namespace {

constexpr std::string_view kBlanks = " \t\n\r\f\v";

Result<Value> split(Evaluator& evaluator, std::string_view text, const Arguments& given, bool from_right) {
  const Value* sep = given.get(0, "sep");
  const Value* max = given.get(1, "maxsplit");
  const std::string separator = sep && sep->string() ? *sep->string() : std::string();
  std::int64_t left =
      max && max->is_integer() && *max->as<std::int64_t>() >= 0 ? *max->as<std::int64_t>() : INT64_MAX;
  std::vector<std::string> parts;
  if (sep && sep->string()) {
    if (separator.empty()) return evaluator.wrong("splits by an empty text");
    while (left-- > 0) {
      const std::size_t found = from_right ? text.rfind(separator) : text.find(separator);
      if (found == std::string_view::npos) break;
      parts.emplace_back(from_right ? text.substr(found + separator.size()) : text.substr(0, found));
      text = from_right ? text.substr(0, found) : text.substr(found + separator.size());
    }
    parts.emplace_back(text);
  } else {
    if (from_right && left != INT64_MAX)
      return evaluator.wrong("rsplit by blanks with a limit is not supported");
    std::string rest = stripped(text, kBlanks, true, false);
    while (!rest.empty() && left-- > 0) {
      const std::size_t end = std::min(rest.find_first_of(kBlanks), rest.size());
      parts.push_back(rest.substr(0, end));
      rest = stripped(std::string_view(rest).substr(end), kBlanks, true, false);
      if (auto paid = evaluator.spend(1, rest.size()); !paid) return tl::unexpected(std::move(paid.error()));
    }
    if (!rest.empty()) parts.push_back(rest);
    from_right = false;
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  if (auto paid = evaluator.spend(parts.size(), text.size()); !paid)
    return tl::unexpected(std::move(paid.error()));
  List list;
  for (std::string& part : parts) list.push_back(Value::text(std::move(part)));
  return Value::list(std::move(list));
}

// startswith and endswith take one text or a tuple of them.
bool has_affix(const std::string& text, const Value* affix, bool start) {
  if (!affix) return false;
  const auto one = [&](const Value& v) {
    return v.string() && (start ? text.starts_with(*v.string()) : text.ends_with(*v.string()));
  };
  if (const List* items = affix->items()) return std::any_of(items->begin(), items->end(), one);
  return one(*affix);
}

std::optional<Value> text_method(const std::string& text, const std::string& name, const Arguments& given) {
  const std::string characters = given.text(0, "chars", std::string(kBlanks));
  if (name == "strip") return Value::text(stripped(text, characters, true, true));
  if (name == "lstrip") return Value::text(stripped(text, characters, true, false));
  if (name == "rstrip") return Value::text(stripped(text, characters, false, true));
  if (name == "startswith") return Value::boolean(has_affix(text, given.get(0, "prefix"), true));
  if (name == "endswith") return Value::boolean(has_affix(text, given.get(0, "suffix"), false));
  if (name == "removeprefix" || name == "removesuffix") {
    const std::string affix = given.text(0, "affix");
    if (name == "removeprefix" && text.starts_with(affix)) return Value::text(text.substr(affix.size()));
    if (name == "removesuffix" && text.ends_with(affix))
      return Value::text(text.substr(0, text.size() - affix.size()));
    return Value::text(text);
  }
  const std::string part = given.text(0, "sub");
  if (name == "find" || name == "index" || name == "rfind") {
    const std::size_t found = name == "rfind" ? text.rfind(part) : text.find(part);
    if (found == std::string::npos) return Value::integer(-1);
    return Value::integer(
        static_cast<std::int64_t>(chat::characters(std::string_view(text).substr(0, found)).size()));
  }
  if (name == "count") {
    std::int64_t count = 0;
    for (std::size_t at = text.find(part); !part.empty() && at != std::string::npos;
         at = text.find(part, at + part.size())) {
      ++count;
    }
    return Value::integer(count);
  }
  const auto all = [&](auto member) {
    return Value::boolean(!text.empty() && std::all_of(text.begin(), text.end(), member));
  };
  if (name == "isdigit") return all([](char c) { return c >= '0' && c <= '9'; });
  if (name == "isspace") return all([](char c) { return kBlanks.find(c) != std::string_view::npos; });
  return std::nullopt;
}

Result<Value> map_method(Evaluator& evaluator, const Entries& entries, const std::string& name,
                         const Value& object, const Arguments& given) {
  if (name == "get") {
    const Value* found = find(entries, given.text(0, "key"));
    if (found) return *found;
    const Value* otherwise = given.get(1, "default");
    return otherwise ? *otherwise : Value::none();
  }
  if (name == "items") return evaluator.filter("items", object, {});
  if (name == "keys" || name == "values") {
    List list;
    for (const auto& [key, value] : entries) list.push_back(name == "keys" ? Value::text(key) : value);
    return Value::list(std::move(list));
  }
  return evaluator.wrong("a map has no method '" + name + "'");
}

Result<Value> range(Evaluator& evaluator, const Arguments& given) {
  std::array<std::int64_t, 3> bounds = {0, 0, 1};
  const std::size_t count = given.positional.size();
  if (count < 1 || count > 3) return evaluator.wrong("range takes one to three numbers");
  for (std::size_t i = 0; i < count; ++i) {
    const auto* number = given.positional[i].as<std::int64_t>();
    if (!number || *number > INT32_MAX || *number < INT32_MIN)
      return evaluator.wrong("range takes whole numbers");
    bounds[count == 1 ? 1 : i] = *number;
  }
  const auto [begin, end, step] = bounds;
  if (step == 0) return evaluator.wrong("range has step zero");
  List list;
  for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
    if (auto paid = evaluator.spend(1); !paid) return tl::unexpected(std::move(paid.error()));
    list.push_back(Value::integer(i));
  }
  return Value::list(std::move(list));
}

// UTC: the machine's place is no business of a template.
std::string formatted_time(WallTime now, const std::string& format) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 512> buffer;
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.substr(0, 128).c_str(), &parts);
  return std::string(buffer.data(), size);
}

}  // namespace

std::string stripped(std::string_view text, std::string_view characters, bool left, bool right) {
  const std::size_t begin = left ? text.find_first_not_of(characters) : 0;
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  if (right) text = text.substr(0, text.find_last_not_of(characters) + 1);
  return std::string(text);
}

Result<Value> call_method(Evaluator& evaluator, const Value& object, const std::string& name,
                          const Arguments& given) {
  if (const std::string* text = object.string()) {
    if (auto paid = evaluator.spend(1, text->size()); !paid) return tl::unexpected(std::move(paid.error()));
    if (name == "split" || name == "rsplit") return split(evaluator, *text, given, name == "rsplit");
    if (name == "splitlines") {
      Arguments lines;
      lines.positional.push_back(Value::text("\n"));
      return split(evaluator, text->ends_with('\n') ? text->substr(0, text->size() - 1) : *text, lines,
                   false);
    }
    if (name == "upper" || name == "lower" || name == "title" || name == "capitalize" || name == "replace") {
      return evaluator.filter(name, object, given);
    }
    if (name == "join") {
      Arguments between;
      between.positional.push_back(object);
      return evaluator.filter(
          "join", given.positional.empty() ? Value::undefined("join") : given.positional[0], between);
    }
    if (auto made = text_method(*text, name, given)) return std::move(*made);
    return evaluator.wrong("a text has no method '" + name + "' here");
  }
  if (const Entries* entries = object.entries()) return map_method(evaluator, *entries, name, object, given);
  return evaluator.wrong("a value of type " + object.type_name() + " has no method '" + name + "' here");
}

Result<Value> call_builtin(Evaluator& evaluator, const std::string& name, const Arguments& given) {
  if (name == "range") return range(evaluator, given);
  if (name == "dict") return Value::map(given.named);
  if (name == "namespace") {
    for (const auto& [key, value] : given.named) {
      if (value.name_space()) return evaluator.wrong("puts a namespace into a namespace");
    }
    return Value(Value::Data(std::make_shared<NamespaceBox>(NamespaceBox{given.named})));
  }
  if (name == "raise_exception")
    return invalid("messages", given.text(0, "message", "the chat template refused them"));
  if (name == "strftime_now") return Value::text(formatted_time(evaluator.now(), given.text(0, "format")));
  if (name.starts_with("cycle:") && !given.positional.empty()) {
    std::size_t turn = 0;
    std::from_chars(name.data() + 6, name.data() + name.size(), turn);
    return given.positional[turn % given.positional.size()];
  }
  return evaluator.wrong("'" + name + "' cannot be called so");
}

}  // namespace tidegate::chat

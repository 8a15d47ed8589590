#include "cluster/apiserver/selectors.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/ascii.h"
#include "resource/custom_kind.h"
#include "resource/fields.h"
#include "resource/json.h"
#include "resource/names.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;
using resource::Operator;

constexpr std::size_t kTextMax = 16 * 1024;

// The tokens of a label selector: a word, or one of the signs.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  // Empty at the end.
  std::string_view peek() {
    if (token_.empty()) token_ = read();
    return token_;
  }
  std::string_view next() {
    const std::string_view token = peek();
    token_ = {};
    return token;
  }
  bool take(std::string_view wanted) {
    if (peek() != wanted) return false;
    next();
    return true;
  }

 private:
  static bool is_sign(char c) { return std::string_view("=!,()<>").find(c) != std::string_view::npos; }

  std::string_view read() {
    text_ = ascii::trim(text_);
    if (text_.empty()) return {};
    std::size_t size = 0;
    if (is_sign(text_.front())) {
      size = text_.starts_with("==") || text_.starts_with("!=") ? 2 : 1;
    } else {
      while (size < text_.size() && !is_sign(text_[size]) && text_[size] != ' ' && text_[size] != '\t')
        ++size;
    }
    const std::string_view token = text_.substr(0, size);
    text_.remove_prefix(size);
    return token;
  }

  std::string_view text_;
  std::string_view token_;
};

bool is_word(std::string_view token) {
  return !token.empty() && std::string_view("=!,()<>").find(token.front()) == std::string_view::npos;
}

std::string shown(std::string_view token) { return "'" + std::string(token.substr(0, 100)) + "'"; }

Result<std::vector<std::string>> parse_values(Lexer& lexer) {
  std::vector<std::string> values;
  if (!lexer.take("(")) return invalid("", "found " + shown(lexer.peek()) + ", expected: '('");
  while (true) {
    // An empty value is a value: "in (a,)".
    const std::string value(is_word(lexer.peek()) ? lexer.next() : std::string_view());
    if (const auto rule = resource::label_value(value); !rule.empty()) {
      return invalid("", "values: Invalid value: " + shown(value) + ": " + std::string(rule));
    }
    values.push_back(value);
    if (lexer.take(")")) return values;
    if (!lexer.take(",")) return invalid("", "found " + shown(lexer.peek()) + ", expected: ',' or ')'");
  }
}

Result<void> parse_requirement(Lexer& lexer, Selector& selector) {
  const bool absent = lexer.take("!");
  const std::string key(lexer.next());
  if (!is_word(key)) return invalid("", "found " + shown(key) + ", expected: identifier");
  if (const auto rule = resource::label_key(key); !rule.empty()) {
    return invalid("", "key: Invalid value: " + shown(key) + ": " + std::string(rule));
  }
  auto& all = selector.labels.match_expressions;
  const auto add = [&](Operator op, std::vector<std::string> values) {
    all.push_back({key, op, std::move(values)});
  };
  if (absent) {
    add(Operator::kDoesNotExist, {});
    return {};
  }
  const std::string_view sign = lexer.peek();
  if (sign.empty() || sign == ",") {
    add(Operator::kExists, {});
    return {};
  }
  lexer.next();
  if (sign == "in" || sign == "notin") {
    auto values = parse_values(lexer);
    if (!values) return tl::unexpected(values.error());
    add(sign == "in" ? Operator::kIn : Operator::kNotIn, *std::move(values));
    return {};
  }
  const std::string value(is_word(lexer.peek()) ? lexer.next() : std::string_view());
  if (sign == "=" || sign == "==" || sign == "!=") {
    if (const auto rule = resource::label_value(value); !rule.empty()) {
      return invalid("", "values: Invalid value: " + shown(value) + ": " + std::string(rule));
    }
    add(sign == "!=" ? Operator::kNotIn : Operator::kIn, {value});
    return {};
  }
  if (sign == ">" || sign == "<") {
    LabelBound bound{.key = key, .above = sign == ">"};
    const auto end = value.data() + value.size();
    if (std::from_chars(value.data(), end, bound.number).ptr != end || value.empty()) {
      return invalid("", "values: Invalid value: " + shown(value) + ": for 'Gt', 'Lt' must be an integer");
    }
    selector.bounds.push_back(std::move(bound));
    return {};
  }
  return invalid("", "found " + shown(sign) + ", expected: in, notin, =, ==, !=, gt, lt");
}

Result<void> parse_labels(std::string_view text, Selector& selector) {
  Lexer lexer(text);
  while (!lexer.peek().empty()) {
    if (auto parsed = parse_requirement(lexer, selector); !parsed) return parsed;
    if (lexer.peek().empty()) break;
    if (!lexer.take(",")) return invalid("", "found " + shown(lexer.peek()) + ", expected: ','");
    if (lexer.peek().empty()) return invalid("", "found '', expected: identifier after ','");
  }
  return {};
}

// Fields by which collections can be narrowed, besides metadata.name and metadata.namespace.
struct Indexed {
  std::string_view group;
  std::string_view kind;
  std::vector<std::string_view> fields;
};

const std::vector<Indexed>& indexed() {
  static const std::vector<Indexed> kIndexed = {
      {"",
       "Pod",
       {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"}},
      {"",
       "Event",
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type"}},
      {"", "Node", {"spec.unschedulable"}},
      {"", "Namespace", {"status.phase"}},
      {"", "Secret", {"type"}},
      {"", "Service", {"spec.clusterIP", "spec.type"}},
      {"apps", "ReplicaSet", {"status.replicas"}},
  };
  return kIndexed;
}

bool is_indexed(const resource::Kind& kind, std::string_view path) {
  if (path == "metadata.name") return true;
  if (path == "metadata.namespace") return kind.namespaced;
  if (const resource::CustomKind* custom = resource::as_custom(kind)) return custom->selects(path);
  return std::any_of(indexed().begin(), indexed().end(), [&](const Indexed& entry) {
    return entry.group == kind.group && entry.kind == kind.kind &&
           std::find(entry.fields.begin(), entry.fields.end(), path) != entry.fields.end();
  });
}

Result<void> add_field(const resource::Kind& kind, std::string path, std::string sign, std::string value,
                       Selector& selector) {
  if (path.empty() && sign.empty()) return {};
  if (sign.empty()) {
    return invalid("", "invalid selector: '" + path.substr(0, 100) + "'; can't understand it");
  }
  if (!is_indexed(kind, path)) return invalid("", "field label not supported: " + path.substr(0, 100));
  selector.fields.push_back({std::move(path), std::move(value), sign != "!="});
  return {};
}

Result<void> parse_fields(const resource::Kind& kind, std::string_view text, Selector& selector) {
  std::string path, sign, value;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == ',') {
      if (auto added = add_field(kind, std::move(path), std::move(sign), std::move(value), selector);
          !added) {
        return added;
      }
      path.clear(), sign.clear(), value.clear();
      continue;
    }
    std::string& part = sign.empty() ? path : value;
    if (text[i] == '\\' && i + 1 < text.size()) {
      part += text[++i];
    } else if (sign.empty() && (text[i] == '=' || text.substr(i).starts_with("!="))) {
      sign = text[i] == '!' ? "!=" : "=";
      if (text.substr(i).starts_with("==") || sign == "!=") ++i;
    } else {
      part += text[i];
    }
  }
  return {};
}

std::string field_text(const resource::Object& object, std::string_view path) {
  if (path == "metadata.name") return object.name();
  if (path == "metadata.namespace") return object.namespace_();
  const Json* value = resource::find(object.json(), path == "source" ? "source.component" : path);
  if (value == nullptr) return path == "spec.unschedulable" || path == "spec.hostNetwork" ? "false" : "";
  return value->is_string() ? value->get<std::string>() : resource::to_text(*value);
}

bool within(const LabelBound& bound, const resource::Labels& labels) {
  const auto found = labels.find(bound.key);
  if (found == labels.end()) return false;
  long long number = 0;
  const auto end = found->second.data() + found->second.size();
  if (std::from_chars(found->second.data(), end, number).ptr != end || found->second.empty()) return false;
  return bound.above ? number > bound.number : number < bound.number;
}

}  // namespace

bool Selector::matches(const resource::Object& object) const {
  const auto& own = object.metadata().labels;
  if (!labels.matches(own)) return false;
  if (!std::all_of(bounds.begin(), bounds.end(), [&](const auto& bound) { return within(bound, own); })) {
    return false;
  }
  return std::all_of(fields.begin(), fields.end(), [&](const FieldTest& test) {
    return (field_text(object, test.path) == test.value) == test.equal;
  });
}

Result<Selector> parse_selector(const resource::Kind& kind, std::string_view labels,
                                std::string_view fields) {
  if (labels.size() > kTextMax || fields.size() > kTextMax) {
    return fail(Code::kTooLarge, "a selector has at most " + std::to_string(kTextMax) + " bytes");
  }
  Selector selector;
  if (auto parsed = parse_labels(labels, selector); !parsed) {
    return invalid("", "unable to parse requirement: " + parsed.error().message);
  }
  if (auto parsed = parse_fields(kind, fields, selector); !parsed) return tl::unexpected(parsed.error());
  return selector;
}

}  // namespace tidegate::apiserver

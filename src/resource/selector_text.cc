#include "resource/selector_text.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"
#include "resource/names.h"

namespace tidegate::resource {
namespace {

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
    if (const auto rule = label_value(value); !rule.empty()) {
      return invalid("", "values: Invalid value: " + shown(value) + ": " + std::string(rule));
    }
    values.push_back(value);
    if (lexer.take(")")) return values;
    if (!lexer.take(",")) return invalid("", "found " + shown(lexer.peek()) + ", expected: ',' or ')'");
  }
}

Result<void> parse_requirement(Lexer& lexer, LabelQuery& query) {
  const bool absent = lexer.take("!");
  const std::string key(lexer.next());
  if (!is_word(key)) return invalid("", "found " + shown(key) + ", expected: identifier");
  if (const auto rule = label_key(key); !rule.empty()) {
    return invalid("", "key: Invalid value: " + shown(key) + ": " + std::string(rule));
  }
  auto& all = query.labels.match_expressions;
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
    if (const auto rule = label_value(value); !rule.empty()) {
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
    query.bounds.push_back(std::move(bound));
    return {};
  }
  return invalid("", "found " + shown(sign) + ", expected: in, notin, =, ==, !=, gt, lt");
}

Result<void> parse_all(std::string_view text, LabelQuery& query) {
  Lexer lexer(text);
  while (!lexer.peek().empty()) {
    if (auto parsed = parse_requirement(lexer, query); !parsed) return parsed;
    if (lexer.peek().empty()) break;
    if (!lexer.take(",")) return invalid("", "found " + shown(lexer.peek()) + ", expected: ','");
    if (lexer.peek().empty()) return invalid("", "found '', expected: identifier after ','");
  }
  return {};
}

bool within(const LabelBound& bound, const Labels& labels) {
  const auto found = labels.find(bound.key);
  if (found == labels.end()) return false;
  long long number = 0;
  const auto end = found->second.data() + found->second.size();
  if (std::from_chars(found->second.data(), end, number).ptr != end || found->second.empty()) return false;
  return bound.above ? number > bound.number : number < bound.number;
}

}  // namespace

bool LabelQuery::matches(const Labels& own) const {
  return labels.matches(own) && std::all_of(bounds.begin(), bounds.end(), [&](const LabelBound& bound) {
           return within(bound, own);
         });
}

Result<LabelQuery> parse_label_query(std::string_view text) {
  LabelQuery query;
  if (auto parsed = parse_all(text, query); !parsed) {
    return invalid("", "unable to parse requirement: " + parsed.error().message);
  }
  return query;
}

std::string selector_text(const LabelSelector& selector) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  for (const auto& [key, value] : selector.match_labels) add(key + "=" + value);
  for (const Requirement& requirement : selector.match_expressions) {
    std::string values;
    for (const std::string& value : requirement.values) values += (values.empty() ? "" : ",") + value;
    switch (requirement.op) {
      case Operator::kIn:
        add(requirement.key + " in (" + values + ")");
        break;
      case Operator::kNotIn:
        add(requirement.key + " notin (" + values + ")");
        break;
      case Operator::kExists:
        add(requirement.key);
        break;
      case Operator::kDoesNotExist:
        add("!" + requirement.key);
        break;
    }
  }
  return text;
}

}  // namespace tidegate::resource

// Text to nodes.

#include <algorithm>
#include <array>
#include <charconv>

#include "cel/node.h"

namespace tidegate::cel {
namespace {

using Kind = Node::Kind;
using NodePtr = std::unique_ptr<Node>;
using Parsed = Result<NodePtr>;

constexpr std::size_t kTextMax = 10'000;
constexpr std::size_t kNodesMax = 1000;  // also how deep evaluating goes
constexpr int kDepthMax = 40;

bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_word_start(c) || is_digit(c); }

struct Token {
  enum class Kind { kEnd, kWord, kSign, kNumber, kText, kWrong } kind = Kind::kEnd;
  std::string text{};
};

tl::unexpected<Error> not_understood(const std::string& what) {
  return fail(Code::kInvalid, what.substr(0, 200) + " is not understood here");
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) { advance(); }

  const Token& peek() const { return token_; }
  Token next() {
    Token token = std::move(token_);
    advance();
    return token;
  }
  bool take(std::string_view sign) {
    if (token_.kind != Token::Kind::kSign || token_.text != sign) return false;
    advance();
    return true;
  }

 private:
  void advance() {
    skip();
    token_ = rest_.empty() ? Token{} : read();
  }

  void skip() {
    while (!rest_.empty()) {
      if (rest_.starts_with("//")) {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (std::string_view(" \t\r\n\f").find(rest_.front()) != std::string_view::npos) {
        rest_.remove_prefix(1);
      } else {
        return;
      }
    }
  }

  Token cut(Token::Kind kind, std::size_t size) {
    Token token{kind, std::string(rest_.substr(0, size))};
    rest_.remove_prefix(size);
    return token;
  }

  Token read() {
    const char c = rest_.front();
    const bool raw = (c == 'r' || c == 'R') && rest_.size() > 1 && (rest_[1] == '"' || rest_[1] == '\'');
    if (raw) rest_.remove_prefix(1);
    if (raw || c == '"' || c == '\'') return quoted(raw);
    if (is_digit(c) || (c == '.' && rest_.size() > 1 && is_digit(rest_[1]))) return number();
    if (is_word_start(c)) {
      const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_word);
      return cut(Token::Kind::kWord, static_cast<std::size_t>(end - rest_.begin()));
    }
    for (const std::string_view sign : {"&&", "||", "==", "!=", "<=", ">="}) {
      if (rest_.starts_with(sign)) return cut(Token::Kind::kSign, 2);
    }
    const bool known = std::string_view("<>+-*/%!?:.,()[]{}").find(c) != std::string_view::npos;
    return cut(known ? Token::Kind::kSign : Token::Kind::kWrong, 1);
  }

  // Digits, a point, an exponent, 0x; also what has no meaning, which is found out later.
  Token number() {
    std::size_t size = 0;
    while (size < rest_.size()) {
      const char c = rest_[size];
      const bool sign_of_exponent = (c == '-' || c == '+') && size > 0 &&
                                    (rest_[size - 1] == 'e' || rest_[size - 1] == 'E') && !rest_.starts_with("0x");
      if (!is_word(c) && c != '.' && !sign_of_exponent) break;
      ++size;
    }
    return cut(Token::Kind::kNumber, size);
  }

  Token quoted(bool raw) {
    const std::string mark(rest_.substr(0, rest_.starts_with("\"\"\"") || rest_.starts_with("'''") ? 3 : 1));
    rest_.remove_prefix(mark.size());
    Token token{Token::Kind::kText};
    while (!rest_.starts_with(mark)) {
      if (rest_.empty() || (mark.size() == 1 && rest_.front() == '\n')) return {Token::Kind::kWrong, mark};
      if (rest_.front() == '\\' && !raw) {
        if (!escape(token.text)) return {Token::Kind::kWrong, "\\"};
      } else {
        token.text += rest_.front();
        rest_.remove_prefix(1);
      }
    }
    rest_.remove_prefix(mark.size());
    return token;
  }

  bool escape(std::string& out) {
    if (rest_.size() < 2) return false;
    const char c = rest_[1];
    rest_.remove_prefix(2);
    constexpr std::string_view kLetters = "abfnrtv\\'\"`?";
    constexpr std::string_view kMeant = "\a\b\f\n\r\t\v\\'\"`?";
    if (const std::size_t at = kLetters.find(c); at != std::string_view::npos) {
      out += kMeant[at];
      return true;
    }
    const std::size_t digits = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    unsigned code = 0;
    const auto end = rest_.data() + std::min(digits, rest_.size());
    if (digits == 0 || std::from_chars(rest_.data(), end, code, 16).ptr != rest_.data() + digits || code > 0x10ffff) {
      return false;
    }
    rest_.remove_prefix(digits);
    append_utf8(out, code);
    return true;
  }

  std::string_view rest_;
  Token token_;
};

// Names that are no identifiers are written with underscores: self.__namespace__, self.a__dash__b.
std::string unescaped(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kSigns = {
      {{"__underscores__", "__"}, {"__dot__", "."}, {"__dash__", "-"}, {"__slash__", "/"}}};
  if (name.size() > 4 && name.starts_with("__") && name.ends_with("__")) {
    const std::string inner = name.substr(2, name.size() - 4);
    constexpr std::array<std::string_view, 21> kReserved = {
        "true", "false", "null",   "in",  "as",   "break",   "const",     "continue", "else", "for",  "function",
        "if",   "import", "let",   "loop", "package", "namespace", "return",   "var",  "void", "while"};
    if (std::find(kReserved.begin(), kReserved.end(), inner) != kReserved.end()) return inner;
  }
  std::string out;
  for (std::size_t i = 0; i < name.size();) {
    const auto sign = std::find_if(kSigns.begin(), kSigns.end(), [&](const auto& each) {
      return std::string_view(name).substr(i).starts_with(each.first);
    });
    if (sign != kSigns.end()) {
      out += sign->second;
      i += sign->first.size();
    } else {
      out += name[i++];
    }
  }
  return out;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Parsed all() {
    Parsed root = expression();
    if (root && lexer_.peek().kind != Token::Kind::kEnd) return not_understood("'" + lexer_.peek().text + "'");
    return root;
  }

 private:
  Parsed make(Kind kind, std::string name, std::vector<NodePtr> parts = {}) {
    if (++nodes_ > kNodesMax) return fail(Code::kInvalid, "it has more than " + std::to_string(kNodesMax) + " parts");
    auto node = std::make_unique<Node>(Node{.kind = kind, .name = std::move(name)});
    node->parts = std::move(parts);
    return node;
  }
  template <typename... Parts>
  Parsed make(Kind kind, std::string name, NodePtr first, Parts... more) {
    std::vector<NodePtr> parts;
    parts.push_back(std::move(first));
    (parts.push_back(std::move(more)), ...);
    return make(kind, std::move(name), std::move(parts));
  }
  Parsed literal(Json value) {
    auto node = make(Kind::kLiteral, {});
    if (node) (*node)->value = std::move(value);
    return node;
  }

  Parsed expression() {
    if (++depth_ > kDepthMax) return fail(Code::kInvalid, "it is nested too deeply");
    Parsed made = conditional();
    --depth_;
    return made;
  }

  Parsed conditional() {
    Parsed left = junction(0);
    if (!left || !lexer_.take("?")) return left;
    Parsed yes = expression();
    if (!yes) return yes;
    if (!lexer_.take(":")) return not_understood("'?' without ':'");
    Parsed no = expression();
    if (!no) return no;
    return make(Kind::kConditional, {}, *std::move(left), *std::move(yes), *std::move(no));
  }

  // The sign that is next, if it is one of this level; empty otherwise.
  std::string sign_of(int level) const {
    static const std::array<std::vector<std::string_view>, 5> kLevels = {
        {{"||"}, {"&&"}, {"<", "<=", ">=", ">", "==", "!=", "in"}, {"+", "-"}, {"*", "/", "%"}}};
    const Token& token = lexer_.peek();
    const bool possible = token.kind == Token::Kind::kSign || (token.kind == Token::Kind::kWord && token.text == "in");
    const auto& signs = kLevels[static_cast<std::size_t>(level)];
    return possible && std::find(signs.begin(), signs.end(), token.text) != signs.end() ? token.text : std::string();
  }

  Parsed junction(int level) {
    if (level == 5) return unary();
    Parsed left = junction(level + 1);
    while (left) {
      const std::string sign = sign_of(level);
      if (sign.empty()) break;
      lexer_.next();
      Parsed right = junction(level + 1);
      if (!right) return right;
      const Kind kind = level == 0 ? Kind::kOr : level == 1 ? Kind::kAnd : Kind::kBinary;
      left = make(kind, sign, *std::move(left), *std::move(right));
    }
    return left;
  }

  Parsed unary() {
    std::string signs;
    while (lexer_.peek().kind == Token::Kind::kSign && (lexer_.peek().text == "!" || lexer_.peek().text == "-")) {
      signs += lexer_.next().text;
    }
    const bool negative = signs.ends_with('-') && lexer_.peek().kind == Token::Kind::kNumber;
    if (negative) signs.pop_back();
    Parsed made = member(negative);
    for (auto sign = signs.rbegin(); made && sign != signs.rend(); ++sign) {
      made = make(*sign == '!' ? Kind::kNot : Kind::kNegate, {}, *std::move(made));
    }
    return made;
  }

  Parsed member(bool negative) {
    Parsed made = primary(negative);
    while (made) {
      if (lexer_.take("[")) {
        Parsed index = expression();
        if (!index) return index;
        if (!lexer_.take("]")) return not_understood("'[' without ']'");
        made = make(Kind::kIndex, {}, *std::move(made), *std::move(index));
      } else if (lexer_.take(".")) {
        if (lexer_.peek().kind != Token::Kind::kWord) return not_understood("'." + lexer_.peek().text + "'");
        std::string name = lexer_.next().text;
        made = lexer_.take("(") ? method(*std::move(made), name)
                                : make(Kind::kField, unescaped(name), *std::move(made));
      } else {
        break;
      }
    }
    return made;
  }

  // After the parenthesis.
  Result<std::vector<NodePtr>> items(std::string_view end) {
    std::vector<NodePtr> all;
    while (!lexer_.take(end)) {
      Parsed item = expression();
      if (!item) return tl::unexpected(item.error());
      all.push_back(*std::move(item));
      if (lexer_.take(",")) continue;
      if (!lexer_.take(end)) return not_understood("'" + lexer_.peek().text + "' in a list");
      break;
    }
    return all;
  }

  Parsed method(NodePtr receiver, const std::string& name) {
    auto arguments = items(")");
    if (!arguments) return tl::unexpected(arguments.error());
    const bool folds = name == "all" || name == "exists" || name == "exists_one" || name == "filter" || name == "map";
    const std::size_t count = arguments->size();
    if (folds && (count == 2 || (count == 3 && name == "map"))) {
      if (arguments->front()->kind != Kind::kVariable) return not_understood(name + " without a variable");
      std::vector<NodePtr> parts;
      parts.push_back(std::move(receiver));
      for (std::size_t i = 1; i < count; ++i) parts.push_back(std::move((*arguments)[i]));
      auto made = make(Kind::kFold, name, std::move(parts));
      if (made) (*made)->variable = arguments->front()->name;
      return made;
    }
    if (!is_function(name, true, count + 1)) return not_understood("the function " + name);
    arguments->insert(arguments->begin(), std::move(receiver));
    return make(Kind::kCall, name, *std::move(arguments));
  }

  Parsed function(const std::string& name) {
    auto arguments = items(")");
    if (!arguments) return tl::unexpected(arguments.error());
    if (name == "has") {
      if (arguments->size() != 1 || arguments->front()->kind != Kind::kField) return not_understood("has() of no field");
      NodePtr field = std::move(arguments->front());
      field->kind = Kind::kHas;
      return field;
    }
    if (!is_function(name, false, arguments->size())) return not_understood("the function " + name);
    return make(Kind::kCall, name, *std::move(arguments));
  }

  Parsed primary(bool negative) {
    Token token = lexer_.next();
    if (token.kind == Token::Kind::kNumber) return number((negative ? "-" : "") + token.text);
    if (token.kind == Token::Kind::kText) return literal(std::move(token.text));
    if (token.kind == Token::Kind::kWord) return word(token.text);
    if (token.kind == Token::Kind::kSign && token.text == "(") {
      Parsed inner = expression();
      if (inner && !lexer_.take(")")) return not_understood("'(' without ')'");
      return inner;
    }
    if (token.kind == Token::Kind::kSign && token.text == "[") {
      auto all = items("]");
      if (!all) return tl::unexpected(all.error());
      return make(Kind::kList, {}, *std::move(all));
    }
    if (token.kind == Token::Kind::kSign && token.text == "{") return map();
    return not_understood(token.kind == Token::Kind::kEnd ? "its end" : "'" + token.text + "'");
  }

  Parsed word(const std::string& name) {
    if (name == "true" || name == "false") return literal(name == "true");
    if (name == "null") return literal(nullptr);
    if (name == "in") return not_understood("'in'");
    if (lexer_.take("(")) return function(name);
    return make(Kind::kVariable, name);
  }

  Parsed map() {
    std::vector<NodePtr> parts;
    while (!lexer_.take("}")) {
      for (const std::string_view sign : {":", ""}) {
        Parsed part = expression();
        if (!part) return part;
        parts.push_back(*std::move(part));
        if (!sign.empty() && !lexer_.take(sign)) return not_understood("a map without ':'");
      }
      if (lexer_.take(",")) continue;
      if (!lexer_.take("}")) return not_understood("'{' without '}'");
      break;
    }
    return make(Kind::kMap, {}, std::move(parts));
  }

  Parsed number(const std::string& text) {
    const char* const end = text.data() + text.size();
    std::int64_t whole = 0;
    const bool negative = text.starts_with('-');
    const bool hexadecimal = text.substr(negative ? 1 : 0).starts_with("0x");
    const std::string digits = hexadecimal ? (negative ? "-" : "") + text.substr(negative ? 3 : 2) : text;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), whole, hexadecimal ? 16 : 10);
    if (read.ec == std::errc() && read.ptr == digits.data() + digits.size()) return literal(whole);
    double fraction = 0;
    const auto got = std::from_chars(text.data(), end, fraction);
    const bool right = got.ec == std::errc() && got.ptr == end && text.find_first_of(".eE") != std::string::npos;
    return right && !hexadecimal ? literal(fraction) : not_understood("the number " + text);
  }

  Lexer lexer_;
  std::size_t nodes_ = 0;
  int depth_ = 0;
};

bool mentions_in(const Node& node, std::string_view variable) {
  return (node.kind == Kind::kVariable && node.name == variable) ||
         std::any_of(node.parts.begin(), node.parts.end(),
                     [&](const NodePtr& part) { return mentions_in(*part, variable); });
}

}  // namespace

Result<Expression> Expression::parse(std::string_view text) {
  if (text.size() > kTextMax) {
    return fail(Code::kInvalid, "it has more than " + std::to_string(kTextMax) + " bytes");
  }
  Parsed root = Parser(text).all();
  if (!root) return tl::unexpected(root.error());
  return Expression(std::shared_ptr<const Node>(*std::move(root)));
}

bool Expression::mentions(std::string_view variable) const { return mentions_in(*root_, variable); }

}  // namespace tidegate::cel

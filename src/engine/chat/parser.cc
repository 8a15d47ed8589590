#include "engine/chat/parser.h"

#include <charconv>
#include <initializer_list>
#include <optional>

#include "engine/chat/lexer.h"

namespace tidegate::chat {
namespace {

constexpr int kNestingMax = 60;
constexpr int kLinksMax = 8000;  // in a whole template

// Recursive descent over the lexemes. The first error is kept and ends everything: parts return null or false
// then.
class Parser {
 public:
  explicit Parser(std::vector<Lexeme> lexemes) : lexemes_(std::move(lexemes)) {}

  Result<Block> run() {
    Block block;
    parse_block(block, {});
    if (error_) return tl::unexpected(std::move(*error_));
    return block;
  }

 private:
  using Names = std::initializer_list<std::string_view>;

  // ---- looking and taking

  const Lexeme& now() const { return lexemes_[at_]; }
  const Lexeme& ahead(std::size_t n) const { return lexemes_[std::min(at_ + n, lexemes_.size() - 1)]; }
  bool is(Lex kind, std::string_view text) const { return now().kind == kind && now().text == text; }
  bool is_sign(std::string_view text) const { return is(Lex::kSign, text); }
  bool is_name(std::string_view text) const { return is(Lex::kName, text); }
  void skip() {
    if (at_ + 1 < lexemes_.size()) ++at_;
  }
  bool take_sign(std::string_view text) { return is_sign(text) && (skip(), true); }
  bool take_name(std::string_view text) { return is_name(text) && (skip(), true); }

  void wrong(const std::string& what) {
    if (!error_)
      error_ = Error{Code::kInvalid, "chat_template", what + " in line " + std::to_string(now().line)};
  }
  bool need(Lex kind, std::string_view what) {
    if (error_ || now().kind != kind) {
      wrong("expected " + std::string(what));
      return false;
    }
    skip();
    return true;
  }
  bool need_sign(std::string_view text) {
    if (error_ || !take_sign(text)) {
      wrong("expected '" + std::string(text) + "'");
      return false;
    }
    return true;
  }
  std::string need_name() {
    const std::string name = now().text;
    return need(Lex::kName, "a name") ? name : std::string();
  }

  // Counts nesting; false when it is too deep.
  struct Nest {
    explicit Nest(Parser& p) : parser(p) {
      if (++parser.depth_ > kNestingMax) parser.wrong("nesting is too deep");
    }
    ~Nest() { --parser.depth_; }
    Parser& parser;
  };

  // Counts links of left-leaning chains, whose trees are as deep as they are long.
  void link() {
    if (++links_ > kLinksMax) wrong("expressions are too long");
  }

  // ---- statements

  // Reads up to a block tag named in `ends`, whose name is taken and returned; its closing is left to the
  // caller.
  std::string parse_block(Block& block, Names ends) {
    const Nest nest(*this);
    while (!error_) {
      if (now().kind == Lex::kEnd) {
        if (ends.size() > 0) wrong("a block is not closed");
        return {};
      }
      Statement statement;
      statement.line = now().line;
      if (now().kind == Lex::kText) {
        statement.text = now().text;
        skip();
      } else if (now().kind == Lex::kPrintBegin) {
        skip();
        statement.what = Do::kPrint;
        statement.value = expression_with_tuple();
        need(Lex::kPrintEnd, "}}");
      } else if (need(Lex::kBlockBegin, "{%")) {
        for (const std::string_view end : ends) {
          if (take_name(end)) return std::string(end);
        }
        parse_tag(statement);
      }
      if (!error_) block.push_back(std::move(statement));
    }
    return {};
  }

  void close() { need(Lex::kBlockEnd, "%}"); }

  std::unique_ptr<Block> body_until(std::string_view end) {
    auto body = std::make_unique<Block>();
    close();
    parse_block(*body, {end});
    close();
    return body;
  }

  void parse_tag(Statement& s) {
    const std::string tag = need_name();
    if (error_) return;
    if (tag == "if") return parse_if(s);
    if (tag == "for") return parse_for(s);
    if (tag == "set") return parse_set(s);
    if (tag == "macro") return parse_macro(s);
    if (tag == "break" || tag == "continue") {
      if (loops_ == 0) wrong(tag + " outside a loop");
      s.what = tag == "break" ? Do::kBreak : Do::kContinue;
      return close();
    }
    if (tag == "generation") {
      s.what = Do::kGroup;
      s.body = body_until("endgeneration");
      return;
    }
    if (tag == "filter") {
      s.what = Do::kFilterBlock;
      auto inner = std::make_unique<Expression>();
      inner->op = Op::kName;
      inner->text = "";  // stands for the body's text
      s.value = filters(std::move(inner), /*bar_first=*/false);
      s.body = body_until("endfilter");
      return;
    }
    wrong("the block '" + tag + "' is not supported");
  }

  void parse_if(Statement& s) {
    s.what = Do::kIf;
    ExpressionPtr condition = expression_with_tuple();
    while (!error_) {
      close();
      Block body;
      const std::string end = parse_block(body, {"elif", "else", "endif"});
      s.branches.emplace_back(std::move(condition), std::move(body));
      if (end == "elif") {
        condition = expression_with_tuple();
        continue;
      }
      if (end == "else") {
        close();
        Block last;
        parse_block(last, {"endif"});
        s.branches.emplace_back(nullptr, std::move(last));
      }
      return close();
    }
  }

  void parse_for(Statement& s) {
    s.what = Do::kFor;
    s.target = target();
    if (!take_name("in")) return wrong("expected 'in'");
    s.value = choice_free();
    if (take_name("if")) s.condition = expression();
    if (is_name("recursive")) return wrong("recursive loops are not supported");
    close();
    s.body = std::make_unique<Block>();
    ++loops_;
    const std::string end = parse_block(*s.body, {"else", "endfor"});
    --loops_;
    if (end == "else") {
      close();
      s.otherwise = std::make_unique<Block>();
      parse_block(*s.otherwise, {"endfor"});
    }
    close();
  }

  void parse_set(Statement& s) {
    s.target = target();
    if (take_sign("=")) {
      s.what = Do::kSet;
      s.value = expression_with_tuple();
      return close();
    }
    s.what = Do::kSetBlock;
    s.body = body_until("endset");
  }

  void parse_macro(Statement& s) {
    s.what = Do::kMacro;
    s.macro = std::make_unique<Macro>();
    s.macro->name = need_name();
    need_sign("(");
    while (!error_ && !is_sign(")")) {
      if (!s.macro->parameters.empty()) need_sign(",");
      Parameter parameter{need_name(), nullptr};
      if (take_sign("=")) parameter.otherwise = expression();
      s.macro->parameters.push_back(std::move(parameter));
    }
    need_sign(")");
    const int outer = loops_;
    loops_ = 0;
    s.body = body_until("endmacro");
    loops_ = outer;
    s.macro->body = s.body.get();
  }

  Target target() {
    Target t;
    const bool bracket = take_sign("(");
    do {
      if (t.tuple && (is_sign(")") || is_name("in") || is_sign("="))) break;
      t.names.push_back(need_name());
      if (!t.tuple && take_sign(".")) {
        t.attribute = need_name();
        return t;
      }
      if (is_sign(",")) t.tuple = true;
    } while (!error_ && take_sign(","));
    if (bracket) need_sign(")");
    return t;
  }

  // ---- expressions, loosest first

  ExpressionPtr make(Op op, std::string text, ExpressionPtr a = nullptr, ExpressionPtr b = nullptr) {
    auto made = std::make_unique<Expression>();
    made->op = op;
    made->line = now().line;
    made->text = std::move(text);
    if (a) made->parts.push_back(std::move(a));
    if (b) made->parts.push_back(std::move(b));
    return made;
  }

  ExpressionPtr expression_with_tuple() {
    ExpressionPtr first = expression();
    if (!is_sign(",")) return first;
    auto tuple = std::make_unique<Expression>();
    tuple->op = Op::kTuple;
    tuple->parts.push_back(std::move(first));
    while (!error_ && take_sign(",")) {
      if (now().kind == Lex::kBlockEnd || now().kind == Lex::kPrintEnd) break;
      tuple->parts.push_back(expression());
    }
    return tuple;
  }

  ExpressionPtr expression() {
    const Nest nest(*this);
    if (error_) return nullptr;
    ExpressionPtr value = choice_free();
    while (!error_ && take_name("if")) {
      auto choose = std::make_unique<Expression>();
      choose->op = Op::kChoose;
      choose->line = now().line;
      choose->parts.push_back(std::move(value));
      choose->parts.push_back(choice_free());
      choose->parts.push_back(take_name("else") ? expression() : nullptr);
      value = std::move(choose);
    }
    return value;
  }

  // Without a trailing "if", which in a for tag means a filter.
  ExpressionPtr choice_free() {
    ExpressionPtr value = conjunction();
    while (!error_ && take_name("or")) {
      value = make(Op::kOr, "", std::move(value), conjunction());
      link();
    }
    return value;
  }

  ExpressionPtr conjunction() {
    ExpressionPtr value = negation();
    while (!error_ && take_name("and")) {
      value = make(Op::kAnd, "", std::move(value), negation());
      link();
    }
    return value;
  }

  ExpressionPtr negation() {
    const Nest nest(*this);
    if (error_) return nullptr;
    if (is_name("not") && !(ahead(1).kind == Lex::kName && ahead(1).text == "in")) {
      skip();
      return make(Op::kNot, "", negation());
    }
    return comparison();
  }

  ExpressionPtr comparison() {
    ExpressionPtr value = sum();
    for (bool chained = false; !error_; chained = true) {
      std::string op;
      for (const std::string_view sign : {"==", "!=", "<", "<=", ">", ">="}) {
        if (is_sign(sign)) op = sign;
      }
      if (!op.empty()) {
        skip();
      } else if (take_name("in")) {
        op = "in";
      } else if (is_name("not") && ahead(1).kind == Lex::kName && ahead(1).text == "in") {
        skip();
        skip();
        op = "not in";
      } else {
        return value;
      }
      if (chained) return wrong("chained comparisons are not supported"), nullptr;
      value = make(Op::kCompare, op, std::move(value), sum());
    }
    return value;
  }

  ExpressionPtr binary(ExpressionPtr (Parser::*next)(), Names signs) {
    ExpressionPtr value = (this->*next)();
    while (!error_) {
      std::string op;
      for (const std::string_view sign : signs) {
        if (is_sign(sign)) op = sign;
      }
      if (op.empty()) return value;
      skip();
      value = make(Op::kBinary, op, std::move(value), (this->*next)());
      link();
    }
    return value;
  }
  ExpressionPtr sum() { return binary(&Parser::concat, {"+", "-"}); }
  ExpressionPtr concat() { return binary(&Parser::product, {"~"}); }
  ExpressionPtr product() { return binary(&Parser::unary, {"*", "/", "//", "%"}); }

  ExpressionPtr unary() {
    const Nest nest(*this);
    if (error_) return nullptr;
    if (take_sign("-")) return filters(make(Op::kNegate, "", unary_inner()), true);
    if (take_sign("+")) return filters(make(Op::kPlus, "", unary_inner()), true);
    return filters(unary_inner(), true);
  }

  ExpressionPtr unary_inner() {
    ExpressionPtr value = postfix(primary());
    if (take_sign("**")) value = make(Op::kBinary, "**", std::move(value), unary());
    return value;
  }

  // `a | f(x) is t`: filters and tests, in any order.
  ExpressionPtr filters(ExpressionPtr value, bool bar_first) {
    for (bool first = !bar_first; !error_; first = false) {
      if (first || take_sign("|")) {
        auto filter = std::make_unique<Expression>();
        filter->op = Op::kFilter;
        filter->line = now().line;
        filter->text = need_name();
        filter->parts.push_back(std::move(value));
        if (take_sign("(")) filter->arguments = arguments();
        value = std::move(filter);
      } else if (take_name("is")) {
        const bool inverse = take_name("not");
        auto test = std::make_unique<Expression>();
        test->op = Op::kTest;
        test->line = now().line;
        test->text = need_name();
        test->parts.push_back(std::move(value));
        if (take_sign("(")) {
          test->arguments = arguments();
        } else if (now().kind == Lex::kString || now().kind == Lex::kInteger ||
                   (now().kind == Lex::kName && !is_keyword(now().text))) {
          test->arguments.push_back({"", postfix(primary())});
        }
        value = std::move(test);
        if (inverse) value = make(Op::kNot, "", std::move(value));
      } else {
        return value;
      }
      link();
    }
    return value;
  }

  static bool is_keyword(std::string_view name) {
    for (const std::string_view k : {"and", "or", "else", "if", "is", "not", "in"}) {
      if (name == k) return true;
    }
    return false;
  }

  std::vector<Argument> arguments() {
    std::vector<Argument> list;
    while (!error_ && !is_sign(")")) {
      if (!list.empty() && !need_sign(",")) break;
      if (is_sign(")")) break;
      Argument argument;
      if (now().kind == Lex::kName && ahead(1).kind == Lex::kSign && ahead(1).text == "=") {
        argument.name = need_name();
        skip();
      }
      argument.value = expression();
      list.push_back(std::move(argument));
    }
    need_sign(")");
    return list;
  }

  ExpressionPtr postfix(ExpressionPtr value) {
    while (!error_) {
      if (take_sign(".")) {
        const bool numbered = now().kind == Lex::kInteger;
        std::string name = now().text;
        skip();
        if (numbered) {
          auto index = std::make_unique<Expression>();
          index->constant = Value::integer(std::atoi(name.c_str()));
          value = make(Op::kIndex, "", std::move(value), std::move(index));
        } else {
          value = make(Op::kAttribute, std::move(name), std::move(value));
        }
      } else if (take_sign("[")) {
        value = subscript(std::move(value));
      } else if (take_sign("(")) {
        auto call = std::make_unique<Expression>();
        call->op = Op::kCall;
        call->line = now().line;
        call->parts.push_back(std::move(value));
        call->arguments = arguments();
        value = std::move(call);
      } else {
        return value;
      }
      link();
    }
    return value;
  }

  ExpressionPtr subscript(ExpressionPtr value) {
    ExpressionPtr first = is_sign(":") ? nullptr : expression();
    if (!is_sign(":")) {
      need_sign("]");
      return make(Op::kIndex, "", std::move(value), std::move(first));
    }
    auto slice = std::make_unique<Expression>();
    slice->op = Op::kSlice;
    slice->line = now().line;
    slice->parts.push_back(std::move(value));
    slice->parts.push_back(std::move(first));
    while (slice->parts.size() < 4) {
      const bool more = take_sign(":");
      slice->parts.push_back(more && !is_sign(":") && !is_sign("]") ? expression() : nullptr);
    }
    need_sign("]");
    return slice;
  }

  ExpressionPtr constant(Value value) {
    auto made = std::make_unique<Expression>();
    made->line = now().line;
    made->constant = std::move(value);
    skip();
    return made;
  }

  ExpressionPtr primary() {
    const Nest nest(*this);
    if (error_) return nullptr;
    const Lexeme& l = now();
    if (l.kind == Lex::kString) {
      std::string text = l.text;
      while (ahead(1).kind == Lex::kString) {  // neighbours are joined
        skip();
        text += now().text;
      }
      return constant(Value::text(std::move(text)));
    }
    if (l.kind == Lex::kInteger) {
      std::int64_t number = 0;
      const auto read = std::from_chars(l.text.data(), l.text.data() + l.text.size(), number);
      if (read.ec != std::errc()) return wrong("a number is too large"), nullptr;
      return constant(Value::integer(number));
    }
    if (l.kind == Lex::kReal) return constant(Value::real(std::strtod(l.text.c_str(), nullptr)));
    if (l.kind == Lex::kName) return name();
    if (take_sign("(")) return bracketed();
    if (take_sign("[")) return sequence(Op::kList, "]");
    if (take_sign("{")) return map();
    wrong("expected a value");
    return nullptr;
  }

  ExpressionPtr name() {
    const std::string text = now().text;
    if (text == "true" || text == "True") return constant(Value::boolean(true));
    if (text == "false" || text == "False") return constant(Value::boolean(false));
    if (text == "none" || text == "None") return constant(Value::none());
    if (is_keyword(text)) return wrong("expected a value"), nullptr;
    skip();
    return make(Op::kName, text);
  }

  ExpressionPtr bracketed() {
    if (take_sign(")")) return make(Op::kTuple, "");
    ExpressionPtr first = expression();
    if (take_sign(")")) return first;
    auto tuple = std::make_unique<Expression>();
    tuple->op = Op::kTuple;
    tuple->parts.push_back(std::move(first));
    while (!error_ && take_sign(",")) {
      if (is_sign(")")) break;
      tuple->parts.push_back(expression());
    }
    need_sign(")");
    return tuple;
  }

  ExpressionPtr sequence(Op op, std::string_view end) {
    auto list = std::make_unique<Expression>();
    list->op = op;
    while (!error_ && !is_sign(end)) {
      if (!list->parts.empty() && !need_sign(",")) break;
      if (is_sign(end)) break;
      list->parts.push_back(expression());
    }
    need_sign(end);
    return list;
  }

  ExpressionPtr map() {
    auto made = std::make_unique<Expression>();
    made->op = Op::kMap;
    while (!error_ && !is_sign("}")) {
      if (!made->parts.empty() && !need_sign(",")) break;
      if (is_sign("}")) break;
      made->parts.push_back(expression());
      need_sign(":");
      made->parts.push_back(expression());
    }
    need_sign("}");
    return made;
  }

  std::vector<Lexeme> lexemes_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int loops_ = 0;
  int links_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<Block> parse(std::string_view source) {
  auto lexemes = scan(source);
  if (!lexemes) return tl::unexpected(std::move(lexemes.error()));
  return Parser(std::move(*lexemes)).run();
}

}  // namespace tidegate::chat

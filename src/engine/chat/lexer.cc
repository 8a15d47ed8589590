#include "engine/chat/lexer.h"

#include <algorithm>
#include <array>

#include "engine/unicode/unicode.h"

namespace tidegate::chat {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool name_part(char c) { return name_start(c) || digit(c); }

class Scanner {
 public:
  explicit Scanner(std::string_view source) : source_(source) {}

  Result<std::vector<Lexeme>> run() {
    if (source_.ends_with('\n')) source_.remove_suffix(1);
    while (at_ < source_.size()) {
      if (auto done = text_then_tag(); !done) return tl::unexpected(std::move(done.error()));
    }
    put(Lex::kEnd, {});
    return std::move(out_);
  }

 private:
  void put(Lex kind, std::string text) { out_.push_back({kind, std::move(text), line_}); }

  tl::unexpected<Error> wrong(const std::string& what) const {
    return invalid("chat_template", what + " in line " + std::to_string(line_));
  }

  void advance(std::size_t to) {
    line_ += static_cast<std::size_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }

  std::size_t next_tag() const {
    for (std::size_t i = at_; i + 1 < source_.size(); ++i) {
      if (source_[i] == '{' && (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#'))
        return i;
    }
    return source_.size();
  }

  Result<void> text_then_tag() {
    const std::size_t tag = next_tag();
    std::string_view text = source_.substr(at_, tag - at_);
    if (tag == source_.size()) {
      emit(text);
      advance(tag);
      return {};
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (sign == '-') {
      while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    } else if (sign != '+' && kind != '{') {
      // lstrip_blocks: only if nothing but blanks stands before the tag on its line.
      std::size_t keep = text.size();
      while (keep > 0 && (text[keep - 1] == ' ' || text[keep - 1] == '\t')) --keep;
      const bool line_start = keep > 0 ? text[keep - 1] == '\n' : at_ == 0 || source_[at_ - 1] == '\n';
      if (line_start) text = text.substr(0, keep);
    }
    emit(text);
    advance(tag + 2 + (sign == '-' || sign == '+' ? 1 : 0));
    if (kind == '#') return comment();
    put(kind == '{' ? Lex::kPrintBegin : Lex::kBlockBegin, {});
    return inside(kind == '{' ? '}' : '%');
  }

  void emit(std::string_view text) {
    if (!text.empty()) put(Lex::kText, std::string(text));
  }

  // `sign` stood before the closing; `block`: a line end after it goes.
  void after_tag(bool minus, bool plus, bool block) {
    if (minus) {
      std::size_t to = at_;
      while (to < source_.size() && blank(source_[to])) ++to;
      advance(to);
    } else if (block && !plus && at_ < source_.size()) {
      if (source_[at_] == '\n')
        advance(at_ + 1);
      else if (source_.substr(at_, 2) == "\r\n")
        advance(at_ + 2);
    }
  }

  Result<void> comment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) return wrong("a comment is not closed");
    const bool minus = end > at_ && source_[end - 1] == '-', plus = end > at_ && source_[end - 1] == '+';
    advance(end + 2);
    after_tag(minus, plus, true);
    return {};
  }

  // The inside of a tag up to its end: "}}" or "%}", with an optional sign before.
  Result<void> inside(char close) {
    int braces = 0;  // an open dictionary: its "}}" is no end of tag
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (blank(c)) {
        advance(at_ + 1);
        continue;
      }
      const std::size_t skip = c == '-' || c == '+' ? 1 : 0;
      if (braces == 0 && at_ + skip + 1 < source_.size() && source_[at_ + skip] == close &&
          source_[at_ + skip + 1] == '}') {
        advance(at_ + skip + 2);
        put(close == '}' ? Lex::kPrintEnd : Lex::kBlockEnd, {});
        after_tag(c == '-', c == '+', close == '%');
        return close == '%' ? raw_block() : Result<void>{};
      }
      if (auto done = lexeme(braces); !done) return done;
    }
    return wrong("a tag is not closed");
  }

  Result<void> lexeme(int& braces) {
    const char c = source_[at_];
    if (name_start(c)) {
      std::size_t end = at_;
      while (end < source_.size() && name_part(source_[end])) ++end;
      put(Lex::kName, std::string(source_.substr(at_, end - at_)));
      at_ = end;
      return {};
    }
    if (digit(c)) return number();
    if (c == '\'' || c == '"') return string(c);
    static constexpr std::array<std::string_view, 6> kDouble = {"==", "!=", "<=", ">=", "//", "**"};
    const std::string_view two = source_.substr(at_, 2);
    if (std::find(kDouble.begin(), kDouble.end(), two) != kDouble.end()) {
      put(Lex::kSign, std::string(two));
      at_ += 2;
      return {};
    }
    if (std::string_view("+-*/%~|.,:()[]{}<>=").find(c) == std::string_view::npos) {
      return wrong(std::string("the character '") + c + "' means nothing");
    }
    if (c == '{') ++braces;
    if (c == '}' && braces > 0) --braces;
    put(Lex::kSign, std::string(1, c));
    ++at_;
    return {};
  }

  Result<void> number() {
    std::size_t end = at_;
    while (end < source_.size() && (digit(source_[end]) || source_[end] == '_')) ++end;
    bool real = false;
    if (end + 1 < source_.size() && source_[end] == '.' && digit(source_[end + 1])) {
      real = true;
      ++end;
      while (end < source_.size() && digit(source_[end])) ++end;
    }
    std::string text(source_.substr(at_, end - at_));
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    put(real ? Lex::kReal : Lex::kInteger, std::move(text));
    at_ = end;
    return {};
  }

  Result<void> string(char quote) {
    std::string text;
    std::size_t i = at_ + 1;
    for (; i < source_.size() && source_[i] != quote; ++i) {
      if (source_[i] != '\\' || i + 1 >= source_.size()) {
        text += source_[i];
        continue;
      }
      const char c = source_[++i];
      if (c == 'n')
        text += '\n';
      else if (c == 't')
        text += '\t';
      else if (c == 'r')
        text += '\r';
      else if (c == '\\' || c == '\'' || c == '"')
        text += c;
      else if (c == 'u' || c == 'x') {
        const std::size_t digits = c == 'u' ? 4 : 2;
        char32_t point = 0;
        for (std::size_t k = 1; k <= digits; ++k) {
          const char h = i + k < source_.size() ? source_[i + k] : '\0';
          const int value = digit(h)               ? h - '0'
                            : h >= 'a' && h <= 'f' ? h - 'a' + 10
                            : h >= 'A' && h <= 'F' ? h - 'A' + 10
                                                   : -1;
          if (value < 0) return wrong("a string has a broken escape");
          point = point * 16 + static_cast<char32_t>(value);
        }
        if (point >= 0xD800 && point <= 0xDFFF) point = unicode::kReplacement;
        unicode::append_utf8(text, point);
        i += digits;
      } else {
        text += '\\';
        text += c;
      }
    }
    if (i >= source_.size()) return wrong("a string is not closed");
    put(Lex::kString, std::move(text));
    advance(i + 1);
    return {};
  }

  // After {% raw %}: everything up to {% endraw %} is text.
  Result<void> raw_block() {
    const std::size_t n = out_.size();
    if (n < 3 || out_[n - 2].text != "raw" || out_[n - 2].kind != Lex::kName ||
        out_[n - 3].kind != Lex::kBlockBegin) {
      return {};
    }
    out_.resize(n - 3);
    for (std::size_t open = source_.find("{%", at_); open != std::string_view::npos;
         open = source_.find("{%", open + 2)) {
      std::size_t i = open + 2;
      const bool minus = i < source_.size() && source_[i] == '-';
      if (minus) ++i;
      while (i < source_.size() && blank(source_[i])) ++i;
      if (source_.substr(i, 6) != "endraw") continue;
      const std::size_t end = source_.find("%}", i);
      if (end == std::string_view::npos) break;
      std::string_view text = source_.substr(at_, open - at_);
      while (minus && !text.empty() && blank(text.back())) text.remove_suffix(1);
      emit(text);
      const bool trim = source_[end - 1] == '-';
      advance(end + 2);
      after_tag(trim, false, true);
      return {};
    }
    return wrong("a raw block is not closed");
  }

  std::string_view source_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::vector<Lexeme> out_;
};

}  // namespace

Result<std::vector<Lexeme>> scan(std::string_view source) {
  if (source.size() > kTemplateBytesMax) return fail(Code::kTooLarge, "is too large", "chat_template");
  return Scanner(source).run();
}

}  // namespace tidegate::chat

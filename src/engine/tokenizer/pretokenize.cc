#include "engine/tokenizer/pretokenize.h"

#include "base/ascii.h"
#include "engine/unicode/unicode.h"

namespace tidegate::tokenizer {

using unicode::Category;
using unicode::category;
using unicode::decode_utf8;
using unicode::Decoded;
using unicode::is_letter;

namespace {

constexpr std::string_view kLlama3Expression =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kQwen2Expression =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kGpt2Expression =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kTekkenExpression =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
    "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

// One character of the text: its category and where the next one starts. At the end, size is 0.
struct At {
  char32_t point = 0;
  Category category = Category::kOther;
  std::size_t size = 0;

  bool end() const { return size == 0; }
  bool letter() const { return !end() && is_letter(category); }
  bool number() const { return !end() && category == Category::kNumber; }
  bool space() const { return !end() && category == Category::kSpace; }
  bool line_end() const { return point == '\r' || point == '\n'; }
  bool other() const { return !end() && !letter() && !number() && !space(); }
  // Neither letter nor digit nor line end: what may stand before a word and belongs to it.
  bool lead() const { return !end() && !letter() && !number() && !line_end(); }
  bool upper() const { return category == Category::kUpper || category == Category::kTitle || caseless(); }
  bool lower() const { return category == Category::kLower || caseless(); }
  bool caseless() const {
    return category == Category::kModifier || category == Category::kLetter || category == Category::kMark;
  }
};

At at(std::string_view text, std::size_t position) {
  if (position >= text.size()) return {};
  const Decoded d = decode_utf8(text.substr(position));
  return {d.point, category(d.point), d.size};
}

template <typename Member>
std::size_t run(std::string_view text, std::size_t position, Member member) {
  for (At c = at(text, position); !c.end() && member(c); c = at(text, position)) position += c.size;
  return position;
}

// Bytes of 's 't 're 've 'm 'll 'd at the start, or 0.
std::size_t contraction(std::string_view text, bool any_case) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  const auto letter = [&](std::size_t i) {
    return i < text.size() ? (any_case ? ascii::lower(text[i]) : text[i]) : '\0';
  };
  const char a = letter(1), b = letter(2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
  // The long s folds to s in a case-insensitive match.
  if (any_case && text.substr(1, 2) == "\xC5\xBF") return 3;
  return 0;
}

// Blanks: through the last line end if there is one, else all but the last before a word, else all.
std::size_t blanks(std::string_view text, bool line_ends_apart) {
  std::size_t end = 0, before_last = 0, after_line_end = 0;
  for (At c = at(text, 0); c.space(); c = at(text, end)) {
    before_last = end;
    end += c.size;
    if (c.line_end()) after_line_end = end;
  }
  if (line_ends_apart && after_line_end > 0) return after_line_end;
  if (end == text.size() || before_last == 0) return end;
  return before_last;
}

// The two case-splitting alternatives of Tekken's rule from `start`; 0 if neither matches there.
std::size_t cased_word(std::string_view text, std::size_t start) {
  std::size_t upper_end = start, last_lower = text.size(), last_lower_end = 0;
  for (At c = at(text, upper_end); !c.end() && c.upper(); c = at(text, upper_end)) {
    if (c.lower()) {
      last_lower = upper_end;
      last_lower_end = upper_end + c.size;
    }
    upper_end += c.size;
  }
  const std::size_t end = run(text, upper_end, [](const At& c) { return c.lower(); });
  if (end > upper_end) return end;
  // Nothing in lower case follows: the last caseless character of the run stands for it.
  if (last_lower < upper_end) return last_lower_end;
  return upper_end > start ? upper_end : 0;
}

// As cased_word(), first alternative only.
std::size_t cased_word_first(std::string_view text, std::size_t start) {
  const std::size_t end = cased_word(text, start);
  if (end == 0) return 0;
  std::size_t position = start, last = start;
  while (position < end) {
    last = position;
    position += at(text, position).size;
  }
  return at(text, last).lower() ? end : 0;
}

std::size_t tekken_word(std::string_view text) {
  const At first = at(text, 0);
  for (const bool first_alternative : {true, false}) {
    const auto match = first_alternative ? cased_word_first : cased_word;
    if (first.lead()) {
      if (const std::size_t end = match(text, first.size)) return end;
    }
    if (const std::size_t end = match(text, 0)) return end;
  }
  return 0;
}

std::size_t gpt2_word(std::string_view text) {
  if (const std::size_t size = contraction(text, false)) return size;
  const std::size_t skip = text[0] == ' ' ? 1 : 0;
  const At c = at(text, skip);
  if (c.letter()) return run(text, skip, [](const At& x) { return x.letter(); });
  if (c.number()) return run(text, skip, [](const At& x) { return x.number(); });
  if (c.other()) return run(text, skip, [](const At& x) { return x.other(); });
  return blanks(text, false);
}

}  // namespace

std::optional<CutRule> cut_rule(std::string_view expression) {
  if (expression == kLlama3Expression) return CutRule::kLlama3;
  if (expression == kQwen2Expression) return CutRule::kQwen2;
  if (expression == kTekkenExpression) return CutRule::kTekken;
  if (expression == kGpt2Expression) return CutRule::kGpt2;
  return std::nullopt;
}

std::size_t first_word(CutRule rule, std::string_view text) {
  if (rule == CutRule::kGpt2) return gpt2_word(text);
  const At first = at(text, 0);
  if (rule == CutRule::kTekken) {
    if (const std::size_t size = tekken_word(text)) return size;
  } else {
    if (const std::size_t size = contraction(text, true)) return size;
    const std::size_t letters = first.lead() ? first.size : 0;
    if (at(text, letters).letter()) return run(text, letters, [](const At& c) { return c.letter(); });
  }
  if (first.number()) {
    std::size_t end = first.size;
    for (int digits = 1; rule == CutRule::kLlama3 && digits < 3 && at(text, end).number(); ++digits) {
      end += at(text, end).size;
    }
    return end;
  }
  const std::size_t skip = first.point == ' ' ? 1 : 0;
  if (at(text, skip).other()) {
    const std::size_t end = run(text, skip, [](const At& c) { return c.other(); });
    return run(text, end,
               [rule](const At& c) { return c.line_end() || (rule == CutRule::kTekken && c.point == '/'); });
  }
  return blanks(text, true);
}

}  // namespace tidegate::tokenizer

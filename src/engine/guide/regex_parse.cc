#include <algorithm>
#include <optional>
#include <string>

#include "engine/guide/regex.h"
#include "engine/unicode/unicode.h"

namespace tidegate::guide {
namespace {

using Part = Expression::Part;
using Kind = Expression::Kind;

constexpr std::size_t kBytesMax = 64 * 1024;
constexpr int kNestingMax = 100;
constexpr std::uint32_t kCountMax = 100'000;

CodeSet digits() { return CodeSet::range('0', '9'); }
CodeSet word() {
  return digits().add(CodeSet::range('a', 'z')).add(CodeSet::range('A', 'Z')).add(CodeSet::of('_'));
}
CodeSet blanks() { return CodeSet::range('\t', '\r').add(CodeSet::of(' ')); }

class Parser {
 public:
  Parser(std::string_view text, Match match) : text_(text), match_(match) {}

  Result<Expression> parse() {
    if (text_.size() > kBytesMax) {
      return invalid({}, "is longer than " + std::to_string(kBytesMax) + " bytes; use a shorter expression");
    }
    const std::size_t root = alternatives(0);
    if (!error_.empty())
      return invalid({}, "cannot be read: " + error_ + " (at byte " + std::to_string(error_at_) + ")");
    if (root + 1 != out_.parts.size()) out_.parts.push_back({Kind::kSequence, {}, {root}, 0, 0});
    return std::move(out_);
  }

 private:
  bool failed() const { return !error_.empty(); }
  bool at_end() const { return at_ >= text_.size(); }
  bool next_is(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool take(std::string_view what) {
    if (!next_is(what)) return false;
    at_ += what.size();
    return true;
  }
  std::size_t refuse(std::string why) {
    if (error_.empty()) {
      error_ = std::move(why);
      error_at_ = std::min(at_, text_.size());
    }
    at_ = text_.size();
    return 0;
  }
  std::size_t add(Part part) {
    out_.parts.push_back(std::move(part));
    return out_.parts.size() - 1;
  }
  std::size_t anything() {
    const std::size_t any = add({Kind::kSet, CodeSet::all(), {}, 0, 0});
    return add({Kind::kRepeat, {}, {any}, 0, kNever});
  }

  std::size_t alternatives(int depth) {
    if (depth > kNestingMax) return refuse("groups nest too deeply");
    std::vector<std::size_t> branches{branch(depth)};
    while (!failed() && take("|")) branches.push_back(branch(depth));
    if (!failed() && depth == 0 && !at_end()) return refuse("there is a ) without its (");
    return branches.size() == 1 ? branches[0] : add({Kind::kEither, {}, std::move(branches), 0, 0});
  }

  // A sequence. Anchors stand at its very ends, outside of all groups.
  std::size_t branch(int depth) {
    Part sequence;
    const bool from_start = depth == 0 && take("^");
    if (depth == 0 && !from_start && match_ == Match::kSearch) sequence.inside.push_back(anything());
    bool to_end = false;
    while (!failed() && !at_end() && !next_is("|") && !next_is(")")) {
      if (depth == 0 && next_is("$")) {
        ++at_;
        to_end = true;
        if (!at_end() && !next_is("|")) return refuse("$ can stand at the end only");
        break;
      }
      const std::size_t one = atom(depth);
      if (!failed()) sequence.inside.push_back(quantified(one));
    }
    if (depth == 0 && !to_end && match_ == Match::kSearch) sequence.inside.push_back(anything());
    return failed() ? 0 : add(std::move(sequence));
  }

  std::size_t quantified(std::size_t one) {
    bool repeated = false;
    while (!failed()) {
      std::uint32_t least = 0, most = kNever;
      if (take("*")) {
      } else if (take("+")) {
        least = 1;
      } else if (take("?")) {
        most = 1;
      } else if (next_is("{")) {
        if (!counts(least, most)) return one;
      } else {
        return one;
      }
      if (repeated) return refuse("a quantifier follows a quantifier");
      repeated = true;
      if (next_is("+")) return refuse("possessive quantifiers are not supported");
      take("?");
      one = add({Kind::kRepeat, {}, {one}, least, most});
    }
    return one;
  }

  // {m}, {m,} or {m,n}. Anything else in braces is literal text to some and an error to others: refused.
  bool counts(std::uint32_t& least, std::uint32_t& most) {
    ++at_;
    const auto number = [&]() -> std::optional<std::uint32_t> {
      std::uint32_t value = 0;
      const std::size_t from = at_;
      while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9') {
        value = std::min(kCountMax + 1, value * 10 + static_cast<std::uint32_t>(text_[at_++] - '0'));
      }
      return at_ == from ? std::nullopt : std::optional(value);
    };
    const auto low = number();
    const bool open = take(",");
    const auto high = open ? number() : low;
    if ((!low && !(open && high)) || !take("}")) {
      refuse("{ needs a count as in {2}, {2,} or {2,5}; write \\{ for the character");
      return false;
    }
    least = low.value_or(0);
    most = high ? *high : kNever;
    if (least > kCountMax || (most != kNever && most > kCountMax)) {
      refuse("a count is over " + std::to_string(kCountMax));
    } else if (least > most) {
      refuse("the counts of {m,n} are in the wrong order");
    }
    return !failed();
  }

  std::size_t atom(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return set_of(bracket());
    if (take(".")) return set_of(CodeSet::of('\n').complement());
    if (next_is("\\")) return set_of(escape(false));
    if (next_is("^") || next_is("$"))
      return refuse("^ and $ can stand at the ends of the whole expression only");
    if (next_is("*") || next_is("+") || next_is("?")) return refuse("a quantifier follows nothing");
    if (next_is("{")) return refuse("{ follows nothing; write \\{ for the character");
    return set_of(CodeSet::of(character()));
  }

  std::size_t set_of(const CodeSet& set) { return failed() ? 0 : add({Kind::kSet, set, {}, 0, 0}); }

  std::size_t group(int depth) {
    if (take("?")) {
      if (next_is("=") || next_is("!") || next_is("<=") || next_is("<!")) {
        return refuse("look-around is not supported");
      }
      if (take("P<") || take("<")) {
        const std::size_t name_end = text_.find('>', at_);
        if (name_end == std::string_view::npos) return refuse("a group's name needs its >");
        at_ = name_end + 1;
      } else if (!take(":")) {
        return refuse("of groups with (? only (?:, (?<name> and (?P<name> are supported");
      }
    }
    const std::size_t inside = alternatives(depth + 1);
    if (!failed() && !take(")")) return refuse("a ( has no )");
    // A part of its own, so that a quantifier after it takes all of it.
    return failed() ? 0 : add({Kind::kSequence, {}, {inside}, 0, 0});
  }

  char32_t character() {
    const unicode::Decoded decoded = unicode::decode_utf8(text_.substr(at_));
    if (!decoded.valid) refuse("is not valid UTF-8");
    at_ += decoded.size;
    return decoded.point;
  }

  char32_t hex(std::size_t digits_count) {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits_count; ++i, ++at_) {
      const char c = at_end() ? '\0' : text_[at_];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) {
        refuse("an escape needs " + std::to_string(digits_count) + " hexadecimal digits");
        return 0;
      }
      value = value * 16 + static_cast<char32_t>(digit);
    }
    return value;
  }

  char32_t unicode_escape() {
    if (!take("{")) return hex(4);
    const std::size_t close = text_.find('}', at_);
    if (close == std::string_view::npos || close == at_ || close - at_ > 6) {
      refuse("\\u{ needs 1 to 6 hexadecimal digits and }");
      return 0;
    }
    const char32_t code = hex(close - at_);
    take("}");
    if (code > kCodeMax) refuse("\\u{} is beyond 10FFFF");
    return code;
  }

  CodeSet escape(bool in_bracket) {
    ++at_;
    if (at_end()) {
      refuse("a \\ ends the expression; write \\\\ for the character");
      return {};
    }
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) >= 0x80) return CodeSet::of(character());
    ++at_;
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return digits().complement();
      case 'w':
        return word();
      case 'W':
        return word().complement();
      case 's':
        return blanks();
      case 'S':
        return blanks().complement();
      case 't':
        return CodeSet::of('\t');
      case 'n':
        return CodeSet::of('\n');
      case 'r':
        return CodeSet::of('\r');
      case 'f':
        return CodeSet::of('\f');
      case 'v':
        return CodeSet::of('\v');
      case '0':
        return CodeSet::of(0);
      case 'x':
        return CodeSet::of(hex(2));
      case 'u':
        return CodeSet::of(unicode_escape());
      default:
        break;
    }
    if (in_bracket && c == 'b') return CodeSet::of('\b');
    if ((c >= '1' && c <= '9') || c == 'k') {
      refuse("references to groups are not supported");
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      refuse(std::string("\\") + c + " is not supported");
    }
    return CodeSet::of(static_cast<unsigned char>(c));
  }

  // One member of [...], or the end of a range.
  CodeSet member() { return next_is("\\") ? escape(true) : CodeSet::of(character()); }

  static std::optional<char32_t> single(const CodeSet& set) {
    const auto& ranges = set.ranges();
    if (ranges.size() != 1 || ranges[0].first != ranges[0].second) return std::nullopt;
    return ranges[0].first;
  }

  CodeSet bracket() {
    const bool inverted = take("^");
    CodeSet::Ranges members;
    for (bool first = true; !failed(); first = false) {
      if (at_end()) {
        refuse("a [ has no ]");
        break;
      }
      if (!first && take("]")) break;
      if (first && next_is("]")) {
        refuse("[] is empty to some and not to others; write \\] for the character");
        break;
      }
      CodeSet one = member();
      if (!failed() && next_is("-") && !text_.substr(at_).starts_with("-]")) {
        ++at_;
        if (at_end()) continue;
        const auto low = single(one), high = single(member());
        if (failed()) break;
        if (!low || !high || *low > *high) {
          refuse("a range in [] needs two characters in order");
          break;
        }
        one = CodeSet::range(*low, *high);
      }
      members.insert(members.end(), one.ranges().begin(), one.ranges().end());
    }
    const CodeSet set = CodeSet::of_ranges(std::move(members));
    return inverted ? set.complement() : set;
  }

  const std::string_view text_;
  const Match match_;
  std::size_t at_ = 0;
  Expression out_;
  std::string error_;
  std::size_t error_at_ = 0;
};

}  // namespace

Result<Expression> parse_regex(std::string_view regex, Match match) { return Parser(regex, match).parse(); }

}  // namespace tidegate::guide

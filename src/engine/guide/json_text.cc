#include "engine/guide/json_text.h"

#include <algorithm>

#include "engine/unicode/unicode.h"

namespace tidegate::guide {
namespace {

constexpr std::uint32_t kIndentMax = 20;
constexpr std::uint32_t kIntegerDigitsMax = 18, kFractionDigitsMax = 16, kExponentDigitsMax = 2;

ByteSet set_of(std::string_view bytes) {
  ByteSet set;
  for (const char c : bytes) set.set(static_cast<unsigned char>(c));
  return set;
}

CodeSet plain() {
  CodeSet escaped = CodeSet::range(0, 0x1F);
  escaped.add(CodeSet::of('"')).add(CodeSet::of('\\'));
  return escaped.complement();
}

}  // namespace

JsonText::JsonText(Builder& builder, bool blanks)
    : builder_(builder), with_blanks_(blanks), plain_(plain()) {}

NodeId JsonText::blanks(NodeId next) {
  if (!with_blanks_) return next;
  if (!blanks_) {
    const NodeId indent = builder_.repeat(0, kIndentMax, kEnd,
                                          [&](NodeId after) { return builder_.bytes(set_of(" \t"), after); });
    blanks_ = builder_.rule(
        builder_.either(kEnd, builder_.either(builder_.byte(' ', kEnd), builder_.byte('\n', indent))));
  }
  return builder_.call(*blanks_, next);
}

// One character of a string, escaped or not. Halves of surrogate pairs come in pairs only.
RuleId JsonText::character() {
  if (character_) return *character_;
  const auto hex = [&](NodeId next) { return builder_.bytes(set_of("0123456789abcdefABCDEF"), next); };
  const auto escaped_half = [&](std::string_view third, NodeId next) {
    return builder_.bytes(set_of("dD"), builder_.bytes(set_of(third), hex(hex(next))));
  };
  const NodeId second = builder_.text("\\u", escaped_half("cdefCDEF", kEnd));
  const NodeId pair = escaped_half("89abAB", second);
  const NodeId below = escaped_half("01234567", kEnd);
  const NodeId other = builder_.bytes(set_of("0123456789abcefABCEF"), hex(hex(hex(kEnd))));
  const NodeId code = builder_.byte('u', builder_.either(other, builder_.either(below, pair)));
  const NodeId escape =
      builder_.byte('\\', builder_.either(builder_.bytes(set_of("\"\\/bfnrt"), kEnd), code));
  character_ = builder_.rule(builder_.either(builder_.character(plain_, Spelling::kPlain, kEnd), escape));
  return *character_;
}

NodeId JsonText::string(NodeId next) { return string(0, kNever, next); }

NodeId JsonText::string(std::uint32_t least, std::uint32_t most, NodeId next) {
  const RuleId one = character();
  return builder_.byte('"', builder_.repeat(least, most, builder_.byte('"', next),
                                            [&](NodeId after) { return builder_.call(one, after); }));
}

NodeId JsonText::digits(std::uint32_t least, std::uint32_t most, NodeId next) {
  return builder_.repeat(least, most, next,
                         [&](NodeId after) { return builder_.bytes(set_of("0123456789"), after); });
}

NodeId JsonText::integer(NodeId next) {
  const NodeId more = builder_.bytes(set_of("123456789"), digits(0, kIntegerDigitsMax - 1, next));
  const NodeId whole = builder_.either(builder_.byte('0', next), more);
  return builder_.either(whole, builder_.byte('-', whole));
}

NodeId JsonText::number(NodeId next) {
  const NodeId power = digits(1, kExponentDigitsMax, next);
  const NodeId exponent =
      builder_.bytes(set_of("eE"), builder_.either(power, builder_.bytes(set_of("+-"), power)));
  const NodeId after_fraction = builder_.either(next, exponent);
  const NodeId fraction = builder_.byte('.', digits(1, kFractionDigitsMax, after_fraction));
  return integer(builder_.either(after_fraction, fraction));
}

NodeId JsonText::boolean(NodeId next) {
  return builder_.either(builder_.text("true", next), builder_.text("false", next));
}

NodeId JsonText::value(NodeId next) {
  if (!value_) {
    value_ = builder_.declare();
    const NodeId nested =
        builder_.either(builder_.call(object_rule(), kEnd), builder_.call(array_rule(), kEnd));
    const NodeId plain_value = builder_.either(builder_.either(string(kEnd), number(kEnd)),
                                               builder_.either(boolean(kEnd), null(kEnd)));
    builder_.define(*value_, builder_.either(nested, plain_value));
  }
  return builder_.call(*value_, next);
}

NodeId JsonText::object(NodeId next) { return builder_.call(object_rule(), next); }

RuleId JsonText::object_rule() {
  if (object_) return *object_;
  object_ = builder_.declare();
  const NodeId more = builder_.hole();
  const NodeId member = string(colon(value(more)));
  builder_.fill(more, comma(member), blanks(builder_.byte('}', kEnd)));
  const NodeId inside = builder_.either(builder_.byte('}', kEnd), member);
  builder_.define(*object_, builder_.byte('{', blanks(inside)));
  return *object_;
}

RuleId JsonText::array_rule() {
  if (array_) return *array_;
  array_ = builder_.declare();
  const NodeId more = builder_.hole();
  const NodeId item = value(more);
  builder_.fill(more, comma(item), blanks(builder_.byte(']', kEnd)));
  const NodeId inside = builder_.either(builder_.byte(']', kEnd), item);
  builder_.define(*array_, builder_.byte('[', blanks(inside)));
  return *array_;
}

NodeId JsonText::name_beside(const std::vector<std::string>& others, NodeId next) {
  std::vector<std::u32string> names;
  for (const std::string& other : others) {
    std::u32string name;
    for (std::string_view rest = other; !rest.empty();) {
      const unicode::Decoded one = unicode::decode_utf8(rest);
      name += one.point;
      rest.remove_prefix(one.size);
    }
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const RuleId any = builder_.rule(builder_.character(plain_, Spelling::kPlain, kEnd));
  const NodeId free = builder_.repeat(0, kNever, builder_.byte('"', next),
                                      [&](NodeId after) { return builder_.call(any, after); });
  return builder_.byte('"', name_after(names, 0, {free, next}));
}

// After the first `shared` characters, which all of `others` have in common: the name may end unless one of
// them ends here, go on as some of them do, or leave them all.
NodeId JsonText::name_after(std::span<const std::u32string> others, std::size_t shared, NameEnds ends) {
  const bool one_ends = !others.empty() && others[0].size() == shared;
  CodeSet::Ranges taken;
  std::vector<NodeId> ways;
  for (std::size_t i = one_ends ? 1 : 0; i < others.size() && !builder_.full();) {
    const std::size_t begin = i;
    const char32_t code = others[i][shared];
    while (i < others.size() && others[i][shared] == code) ++i;
    if (!plain_.contains(code)) continue;
    taken.emplace_back(code, code);
    const NodeId rest = name_after(others.subspan(begin, i - begin), shared + 1, ends);
    ways.push_back(builder_.character(CodeSet::of(code), Spelling::kPlain, rest));
  }
  CodeSet leaves = plain_;
  leaves.remove(CodeSet::of_ranges(std::move(taken)));
  NodeId at = builder_.character(leaves, Spelling::kPlain, ends.free);
  if (!one_ends) at = builder_.either(builder_.byte('"', ends.next), at);
  for (const NodeId way : ways) at = builder_.either(way, at);
  return at;
}

std::string json_string(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[static_cast<unsigned char>(c) >> 4];
          out += kHex[static_cast<unsigned char>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

}  // namespace tidegate::guide

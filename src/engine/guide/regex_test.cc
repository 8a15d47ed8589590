#include "engine/guide/regex.h"

#include <gtest/gtest.h>

#include "engine/guide/testing/matches.h"

namespace tidegate::guide {
namespace {

using testing::regex;

TEST(Regex, MatchesAllOfTheText) {
  EXPECT_EQ(regex("abc", "abc"), "yes");
  EXPECT_EQ(regex("abc", "ab"), "begins");
  EXPECT_EQ(regex("abc", "abcd"), "no");
  EXPECT_EQ(regex("^abc$", "abc"), "yes");
  EXPECT_EQ(regex("", ""), "yes");
  EXPECT_EQ(regex("a|bc|", "bc"), "yes");
  EXPECT_EQ(regex("a|bc|", ""), "yes");
  EXPECT_EQ(regex("^a$|^b$", "b"), "yes");
}

TEST(Regex, RepeatsAsOftenAsItSays) {
  EXPECT_EQ(regex("(ab){2,3}", "ab"), "begins");
  EXPECT_EQ(regex("(ab){2,3}", "abab"), "yes");
  EXPECT_EQ(regex("(ab){2,3}", "ababab"), "yes");
  EXPECT_EQ(regex("(ab){2,3}", "abababab"), "no");
  EXPECT_EQ(regex("(?:a|b)+?c?", "abbac"), "yes");
  EXPECT_EQ(regex("x{3}", "xxx"), "yes");
  EXPECT_EQ(regex("x{2,}", "x"), "begins");
  EXPECT_EQ(regex("x{2,}", "xxxxxx"), "yes");
  EXPECT_EQ(regex("x{0,2}", "xxx"), "no");
  EXPECT_EQ(regex("(a*)*b", "aaab"), "yes");
  EXPECT_EQ(regex("((a?){3}){3}", "aaaaaaaaa"), "yes");
  EXPECT_EQ(regex("((a?){3}){3}", "aaaaaaaaaa"), "no");
}

TEST(Regex, KnowsClassesAndEscapes) {
  EXPECT_EQ(regex(R"(\d{4}-\d\d)", "2026-11"), "yes");
  EXPECT_EQ(regex(R"(\d)", "x"), "no");
  EXPECT_EQ(regex(R"(\w+\s\S)", "ab_9 !"), "yes");
  EXPECT_EQ(regex(R"([^a-c\]])", "b"), "no");
  EXPECT_EQ(regex(R"([^a-c\]])", "]"), "no");
  EXPECT_EQ(regex(R"([^a-c\]])", "d"), "yes");
  EXPECT_EQ(regex(R"([a-c-])", "-"), "yes");
  EXPECT_EQ(regex(R"([\d.]+)", "1.5"), "yes");
  EXPECT_EQ(regex(R"(\x41\u0042\u{43}\.)", "ABC."), "yes");
  EXPECT_EQ(regex("(?<year>x)(?P<y>z)", "xz"), "yes");
}

TEST(Regex, CharactersAreUnicodesNotBytes) {
  EXPECT_EQ(regex(".", "ü"), "yes");
  EXPECT_EQ(regex(".", "日"), "yes");
  EXPECT_EQ(regex(".", "😀"), "yes");
  EXPECT_EQ(regex(".", "\n"), "no");
  EXPECT_EQ(regex(".", "\xFF"), "no");
  EXPECT_EQ(regex(".", "\xC0\x80"), "no") << "overlong";
  EXPECT_EQ(regex(".", "\xED\xA0\x80"), "no") << "half a surrogate pair";
  EXPECT_EQ(regex("[α-ω]{2}", "λξ"), "yes");
  EXPECT_EQ(regex("[α-ω]{2}", "λΞ"), "no");
  EXPECT_EQ(regex("[^日]", "本"), "yes");
  EXPECT_EQ(regex("[^日]", "日"), "no");
}

TEST(Regex, EveryCharacterOfASetAndNoOther) {
  // All two- and three-byte characters and some of four, against the set's own word.
  const CodeSet set =
      CodeSet::range(0x7F, 0x83).add(CodeSet::range(0x7F0, 0x812)).add(CodeSet::range(0xFFF0, 0x10010));
  Builder builder;
  const RuleId root = builder.declare();
  builder.define(root, builder.character(set, Spelling::kPlain, kEnd));
  Machine machine(*builder.finish());
  machine.begin_work(10'000'000);
  for (char32_t code = 0x60; code < 0x10100; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text;
    if (code < 0x80) {
      text = {static_cast<char>(code)};
    } else if (code < 0x800) {
      text = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
    } else if (code < 0x10000) {
      text = {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
              static_cast<char>(0x80 | (code & 63))};
    } else {
      text = {static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
              static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
    }
    StateId state = kBegin;
    for (const char c : text) state = machine.step(state, static_cast<std::uint8_t>(c));
    ASSERT_EQ(machine.accepting(state), set.contains(code)) << std::hex << static_cast<unsigned>(code);
  }
}

TEST(Regex, WhatCannotBeFollowedIsRefusedByName) {
  EXPECT_EQ(regex("(a", ""), "cannot be read: a ( has no ) (at byte 2)");
  EXPECT_EQ(regex("a)", ""), "cannot be read: there is a ) without its ( (at byte 1)");
  EXPECT_EQ(regex("[a", ""), "cannot be read: a [ has no ] (at byte 2)");
  EXPECT_EQ(regex("*a", ""), "cannot be read: a quantifier follows nothing (at byte 0)");
  EXPECT_EQ(regex("a**", ""), "cannot be read: a quantifier follows a quantifier (at byte 3)");
  EXPECT_EQ(regex("a++", ""), "cannot be read: possessive quantifiers are not supported (at byte 2)");
  EXPECT_EQ(regex("(?=a)", ""), "cannot be read: look-around is not supported (at byte 2)");
  EXPECT_EQ(regex("(?i)a", ""),
            "cannot be read: of groups with (? only (?:, (?<name> and (?P<name> are supported (at byte 2)");
  EXPECT_EQ(regex("(a)\\1", ""), "cannot be read: references to groups are not supported (at byte 5)");
  EXPECT_EQ(regex("a\\b", ""), "cannot be read: \\b is not supported (at byte 3)");
  EXPECT_EQ(regex("\\p{L}", ""), "cannot be read: \\p is not supported (at byte 2)");
  EXPECT_EQ(regex("a^b", ""),
            "cannot be read: ^ and $ can stand at the ends of the whole expression only (at byte 1)");
  EXPECT_EQ(
      regex("a{2", ""),
      "cannot be read: { needs a count as in {2}, {2,} or {2,5}; write \\{ for the character (at byte 3)");
  EXPECT_EQ(regex("a{3,2}", ""), "cannot be read: the counts of {m,n} are in the wrong order (at byte 6)");
  EXPECT_EQ(regex("[z-a]", ""), "cannot be read: a range in [] needs two characters in order (at byte 4)");
  EXPECT_EQ(regex("a\\", ""),
            "cannot be read: a \\ ends the expression; write \\\\ for the character (at byte 2)");
  EXPECT_EQ(regex(std::string(200, '(') + std::string(200, ')'), "").substr(0, 37),
            "cannot be read: groups nest too deepl");
}

TEST(Regex, HostileSizesAreRefusedAtOnce) {
  EXPECT_EQ(regex("a{1000000000}", "").substr(0, 40), "cannot be read: a count is over 100000 (");
  EXPECT_EQ(regex("(((a{1,1000}){1,1000}){1,1000}){1,1000}", ""), "begins") << "counts of counts are calls";
  EXPECT_EQ(regex("(.?){0,50000}(.?){0,50000}(.?){0,50000}", "").substr(0, 9), "is too la");
  // Thousands of ranges, thousands of times.
  std::string many = "[";
  for (char32_t code = 0x4E00; code < 0x4E00 + 2 * 9000; code += 2) {
    many += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
             static_cast<char>(0x80 | (code & 63))};
  }
  EXPECT_EQ(regex(many + "]{1,50000}", "一丂"), "yes");
  EXPECT_EQ(regex(many + "]{1,50000}", "丁"), "no");
  EXPECT_EQ(regex(std::string(70'000, 'a'), "").substr(0, 14), "is longer than");
}

}  // namespace
}  // namespace tidegate::guide

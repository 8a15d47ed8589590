#include "engine/unicode/unicode.h"

#include <gtest/gtest.h>

namespace tidegate::unicode {
namespace {

TEST(Unicode, EveryScalarValueSurvivesUtf8) {
  for (char32_t point = 0; point <= 0x10FFFF; point += point < 0x3000 ? 1 : 17) {
    if (point >= 0xD800 && point <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, point);
    const Decoded d = decode_utf8(text);
    EXPECT_TRUE(d.valid);
    EXPECT_EQ(d.point, point);
    EXPECT_EQ(d.size, text.size());
    EXPECT_EQ(unfinished_tail(text), 0u);
    for (std::size_t cut = 1; cut < text.size(); ++cut) EXPECT_EQ(unfinished_tail(text.substr(0, cut)), cut);
  }
}

// Table 3-8 of the Unicode standard, version 15: each maximal subpart becomes one replacement.
TEST(Unicode, IllFormedBytesAreReplacedAsTheStandardSays) {
  EXPECT_EQ(to_valid_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(to_valid_utf8("\xC0\xAF"), "\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(to_valid_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // surrogate
  EXPECT_EQ(to_valid_utf8("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_FALSE(is_valid_utf8("\xE2\x82"));
  EXPECT_TRUE(is_valid_utf8("\xE2\x82\xAC"));
}

TEST(Unicode, BytesThatCannotBecomeACharacterAreNotWaitedFor) {
  EXPECT_EQ(unfinished_tail("\xED\xA0"), 0u);
  EXPECT_EQ(unfinished_tail("a\x80\x80"), 0u);
  EXPECT_EQ(unfinished_tail("\xF0\x9F\x94"), 3u);
}

TEST(Unicode, CategoriesOfTheOddPlaces) {
  EXPECT_EQ(category('A'), Category::kUpper);
  EXPECT_EQ(category(U'ß'), Category::kLower);
  EXPECT_EQ(category(U'漢'), Category::kLetter);
  EXPECT_EQ(category(U'٣'), Category::kNumber);
  EXPECT_EQ(category(U'²'), Category::kNumber);
  EXPECT_EQ(category(0x0301), Category::kMark);
  EXPECT_EQ(category(0x3000), Category::kSpace);
  EXPECT_EQ(category(0x200B), Category::kOther);  // zero-width space is no white space
  EXPECT_EQ(category(0x1F525), Category::kSymbol);
  EXPECT_EQ(category(0x10FFFF), Category::kOther);
}

TEST(Unicode, NfcComposesAndOrders) {
  EXPECT_EQ(to_nfc("e\u0301"), "é");
  EXPECT_EQ(to_nfc("a\u0323\u0307"), to_nfc("a\u0307\u0323"));
  EXPECT_EQ(to_nfc("\u1100\u1161\u11A8"), "각");
  EXPECT_EQ(to_nfc("\u212B"), "Å");             // singleton
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");  // composition exclusion
  EXPECT_EQ(to_nfc("a\u0315\u0300"), "à\u0315");
}

TEST(Unicode, LongRunsOfMarksTakeLinearTime) {
  std::string text = "a";
  for (int i = 0; i < 200'000; ++i) text += i % 2 ? "\u0323" : "\u0301";
  EXPECT_EQ(to_nfc(to_nfc(text)), to_nfc(text));
}

}  // namespace
}  // namespace tidegate::unicode

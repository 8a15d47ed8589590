#include "engine/tokenizer/pretokenize.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tidegate::tokenizer {
namespace {

using Words = std::vector<std::string>;

Words words(CutRule rule, std::string_view text) {
  Words out;
  cut(rule, text, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

TEST(Pretokenize, Llama3CutsAsItsExpressionDoes) {
  EXPECT_EQ(words(CutRule::kLlama3, "I'LL go, 12345 x"),
            (Words{"I", "'LL", " go", ",", " ", "123", "45", " x"}));
  EXPECT_EQ(words(CutRule::kLlama3, "a  b\n\n  c"), (Words{"a", " ", " b", "\n\n", " ", " c"}));
  EXPECT_EQ(words(CutRule::kLlama3, "x\t\ty  "), (Words{"x", "\t", "\ty", "  "}));
  EXPECT_EQ(words(CutRule::kLlama3, "f(x);\r\n  "), (Words{"f", "(x", ");\r\n", "  "}));
  EXPECT_EQ(words(CutRule::kLlama3, " \n \n x"), (Words{" \n \n", " x"}));
  EXPECT_EQ(words(CutRule::kLlama3, "don'ſ 'san"), (Words{"don", "'ſ", " '", "san"}));
  EXPECT_EQ(words(CutRule::kLlama3, "é漢字🔥🔥!?"), (Words{"é漢字", "🔥🔥!?"}));
  EXPECT_EQ(words(CutRule::kLlama3, "e\u0301a"), (Words{"e", "\u0301a"}));
}

TEST(Pretokenize, Qwen2TakesOneDigitAWord) {
  EXPECT_EQ(words(CutRule::kQwen2, "v12²"), (Words{"v", "1", "2", "²"}));
}

TEST(Pretokenize, Gpt2JoinsDigitsAndIsCaseSensitive) {
  EXPECT_EQ(words(CutRule::kGpt2, "I'LL 've 1234 ok\n\n x"),
            (Words{"I", "'", "LL", " '", "ve", " 1234", " ok", "\n\n", " x"}));
  EXPECT_EQ(words(CutRule::kGpt2, "I've"), (Words{"I", "'ve"}));
}

TEST(Pretokenize, TekkenSplitsWhereCaseTurns) {
  EXPECT_EQ(words(CutRule::kTekken, "helloWorld HTMLParser ABC"),
            (Words{"hello", "World", " HTMLParser", " ABC"}));
  EXPECT_EQ(words(CutRule::kTekken, "a/b//\nc 12"), (Words{"a", "/b", "//\n", "c", " ", "1", "2"}));
  EXPECT_EQ(words(CutRule::kTekken, "漢字Abc ABC漢x"), (Words{"漢字Abc", " ABC漢x"}));
}

TEST(Pretokenize, KnowsTheExpressionsOfPublishedFiles) {
  EXPECT_EQ(cut_rule("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
                     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
            CutRule::kLlama3);
  EXPECT_EQ(cut_rule("\\w+"), std::nullopt);
}

// Every cut gives the text back and ends, whatever the text is.
TEST(Pretokenize, PiecesTogetherAreTheText) {
  const std::string parts[] = {"a", "Z",      " ",  "\n", "\r",     "'", "s", "1",
                               "é", "\u0301", "漢", "🔥", "\u3000", "ǅ", "/", "ʰ"};
  std::uint32_t state = 1;
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
      state = state * 1664525u + 1013904223u;
      text += parts[(state >> 16) % std::size(parts)];
    }
    for (const CutRule rule : {CutRule::kGpt2, CutRule::kLlama3, CutRule::kQwen2, CutRule::kTekken}) {
      std::string again;
      for (const std::string& word : words(rule, text)) again += word;
      ASSERT_EQ(again, text);
    }
  }
}

}  // namespace
}  // namespace tidegate::tokenizer

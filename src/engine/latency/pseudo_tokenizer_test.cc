#include "engine/latency/pseudo_tokenizer.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "engine/latency/words.h"

namespace tidegate::latency {
namespace {

const PseudoTokenizer kTokenizer;

std::string decode(const std::vector<batch::Token>& tokens, bool skip_special = false) {
  const auto decoder = kTokenizer.decoder({}, skip_special);
  std::string text;
  for (const batch::Token token : tokens) decoder->push(token, text);
  decoder->finish(text);
  return text;
}

std::size_t count(std::string_view text) { return kTokenizer.encode(text, false).size(); }

TEST(PseudoTokenizer, WordsOfTheTableAreSortedAndUnique) {
  const auto words = common_words();
  for (std::size_t i = 1; i < words.size(); ++i) ASSERT_LT(words[i - 1], words[i]);
}

TEST(PseudoTokenizer, EveryIdDecodesToTextThatEncodesToIt) {
  std::set<std::string> seen;
  for (batch::Token token = 272; token < static_cast<batch::Token>(kTokenizer.vocabulary()); ++token) {
    const std::string text = kTokenizer.bytes(token);
    const auto back = kTokenizer.encode(text, false);
    // A piece that spells a common word is never produced by encode; everything else comes back as itself.
    if (back.size() == 1 && back[0] != token) {
      EXPECT_LT(back[0], 272 + 2 * static_cast<batch::Token>(common_words().size()));
    } else {
      ASSERT_EQ(back, std::vector<batch::Token>{token}) << text;
      ASSERT_TRUE(seen.insert(text).second) << text;
    }
  }
}

TEST(PseudoTokenizer, CountsLikeATrainedTokenizer) {
  EXPECT_EQ(count("the model"), 2u);
  EXPECT_EQ(count(" tokenization"), 4u);
  EXPECT_EQ(count("12345"), 2u);
  EXPECT_EQ(count("SELECT name FROM flights WHERE price < 84;"), 10u);
  const std::string prose =
      "Write a short story about a small harbor town where the tide brings back what people have lost, and "
      "what the "
      "old keeper of the lighthouse makes of it when she finds a letter addressed to her.";
  const double per_token = static_cast<double>(prose.size()) / static_cast<double>(count(prose));
  EXPECT_GT(per_token, 3.2);
  EXPECT_LT(per_token, 5.5);
}

TEST(PseudoTokenizer, RoundTripsMixedScriptsAndSpaces) {
  for (const std::string_view text :
       {"Hello, World!", "  two  three   four    \n\ttab", "na\xc3\xafve caf\xc3\xa9",
        "\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c",
        "emoji \xf0\x9f\x8c\x8a\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", "ALLCAPS MiXeD cAse 007 3.14",
        "a", " ", "                    x", "<s>special</s>", "<<s>",
        "xyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyZ9"}) {
    EXPECT_EQ(decode(kTokenizer.encode(text, false)), text);
  }
  EXPECT_EQ(decode(kTokenizer.encode("<s>hidden</s>", false), true), "hidden");
}

TEST(PseudoTokenizer, RoundTripsRandomValidText) {
  Random random(11);
  for (int turn = 0; turn < 3000; ++turn) {
    std::string text;
    for (std::size_t i = random.below(30); i > 0; --i) {
      static constexpr std::string_view kParts[] = {
          " ", "  ", "a",   "Z", "7", "the", "The", "\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\x8a",
          "<", "ab", "QRS", "."};
      text += kParts[random.below(std::size(kParts))];
    }
    ASSERT_EQ(decode(kTokenizer.encode(text, false)), text);
  }
}

TEST(PseudoTokenizer, NeverShowsABrokenCharacter) {
  const auto decoder = kTokenizer.decoder({}, true);
  std::string text;
  decoder->push(16 + 0xe2, text);
  decoder->push(16 + 0x82, text);
  EXPECT_EQ(text, "") << "unfinished";
  decoder->push(16 + 0xac, text);
  EXPECT_EQ(text, "\xe2\x82\xac");
  decoder->push(16 + 0xed, text);
  decoder->push(16 + 0xa0, text);  // would begin a surrogate
  decoder->push(16 + 0xff, text);
  decoder->push(16 + 0xf0, text);
  decoder->finish(text);
  EXPECT_EQ(text, "\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(PseudoTokenizer, RendersChatMl) {
  batch::ChatPrompt prompt;
  prompt.messages = {{"user", "hi"}};
  EXPECT_EQ(*kTokenizer.render_chat(prompt), "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
}

}  // namespace
}  // namespace tidegate::latency

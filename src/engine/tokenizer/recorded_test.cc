// Tokens of mixed strings as the reference library gave them (`tests/peers/make_peers.py recorded`), for the
// three kinds of tokenizers that the families use: scripts, emoji, combining marks, white space,
// contractions, digits.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/weights/text_file.h"

namespace tidegate::tokenizer {
namespace {

using nlohmann::json;

class Recorded : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Peers, Recorded, testing::Values("llama2", "llama3", "qwen2"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(Recorded, StringsHaveTheReferencesTokens) {
  const SystemClock clock;
  const auto text = weights::read_text_file(std::string("tests/peers/recorded/") + GetParam() + ".json");
  ASSERT_TRUE(text);
  const json recorded = json::parse(*text);
  auto spec = parse_tokenizer_json(recorded["tokenizer"].dump());
  ASSERT_TRUE(spec) << describe(spec.error());
  const auto made = BpeTokenizer::make(std::move(*spec), {}, clock);
  ASSERT_TRUE(made) << describe(made.error());
  ASSERT_GE(recorded["strings"].size(), 300U);
  for (std::size_t i = 0; i < recorded["strings"].size(); ++i) {
    const auto string = recorded["strings"][i].get<std::string>();
    EXPECT_EQ((*made)->encode(string, false), recorded["ids"][i].get<std::vector<Token>>()) << string;
  }
}

}  // namespace
}  // namespace tidegate::tokenizer

#include <gtest/gtest.h>

#include "base/random.h"
#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/unicode/unicode.h"

namespace tidegate::tokenizer {
namespace {

using Ids = std::vector<Token>;

const SystemClock kClock;

std::unique_ptr<BpeTokenizer> demo() {
  auto made = load_tokenizer("examples/models/demo-llama", kClock);
  EXPECT_TRUE(made) << (made ? "" : describe(made.error()));
  return made ? std::move(*made) : nullptr;
}

std::unique_ptr<BpeTokenizer> from_json(const std::string& json) {
  auto spec = parse_tokenizer_json(json);
  EXPECT_TRUE(spec) << (spec ? "" : describe(spec.error()));
  if (!spec) return nullptr;
  auto made = BpeTokenizer::make(std::move(*spec), {}, kClock);
  EXPECT_TRUE(made) << (made ? "" : describe(made.error()));
  return made ? std::move(*made) : nullptr;
}

std::string error_of(const std::string& json) {
  auto spec = parse_tokenizer_json(json);
  if (!spec) return describe(spec.error());
  auto made = BpeTokenizer::make(std::move(*spec), {}, kClock);
  return made ? "accepted" : describe(made.error());
}

std::string text_of(const BpeTokenizer& tokenizer, const Ids& ids, bool skip_special = true,
                    const Ids& prompt = {}) {
  std::string text;
  auto decoder = tokenizer.decoder(prompt, skip_special);
  for (const Token id : ids) decoder->push(id, text);
  decoder->finish(text);
  return text;
}

// A SentencePiece-like vocabulary as Llama 2's file has it.
std::string llama2_json(const std::string& pre_tokenizer = "null",
                        const std::string& normalizer = R"({"type":"Sequence",
    "normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]})") {
  std::string vocab = R"("<unk>":0,"<s>":1,"</s>":2)";
  char name[16];
  for (int b = 0; b < 256; ++b) {
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(b));
    vocab += ",\"" + std::string(name) + "\":" + std::to_string(3 + b);
  }
  const char* rest[] = {"▁", "a", "b", "c", "ab", "▁ab", "abc"};
  for (int i = 0; i < 7; ++i) vocab += ",\"" + std::string(rest[i]) + "\":" + std::to_string(259 + i);
  return R"({"added_tokens":[{"id":0,"content":"<unk>","special":true,"normalized":false},
    {"id":1,"content":"<s>","special":true,"normalized":false},{"id":2,"content":"</s>","special":true,"normalized":false}],
    "normalizer":)" +
         normalizer + R"(,"pre_tokenizer":)" + pre_tokenizer + R"(,
    "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
      {"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},
    "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
      {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
    "model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,
      "vocab":{)" +
         vocab + R"(},"merges":["a b","▁ ab","ab c"]}})";
}

TEST(Tokenizer, TheDemoModelReadsItsOwnText) {
  const auto tokenizer = demo();
  ASSERT_TRUE(tokenizer);
  const std::string text = "show flights of Victor with price under 84\nSELECT * FROM t; 🔥 #SanFrancisco";
  const Ids ids = tokenizer->encode(text, true);
  EXPECT_EQ(ids.front(), tokenizer->id("<s>"));
  EXPECT_LT(ids.size(), text.size() / 2);
  EXPECT_EQ(text_of(*tokenizer, ids), text);
  EXPECT_EQ(tokenizer->eos().size(), 1u);
  EXPECT_TRUE(tokenizer->special(tokenizer->eos()[0]));
}

TEST(Tokenizer, SpecialTokensInTextAreTokensAndAreHiddenOnRequest) {
  const auto tokenizer = demo();
  ASSERT_TRUE(tokenizer);
  const Ids ids = tokenizer->encode("<|user|>hi<|assistant|>", false);
  EXPECT_EQ(ids.front(), tokenizer->id("<|user|>"));
  EXPECT_EQ(ids.back(), tokenizer->id("<|assistant|>"));
  EXPECT_EQ(text_of(*tokenizer, ids, true), "hi");
  EXPECT_EQ(text_of(*tokenizer, ids, false), "<|user|>hi<|assistant|>");
}

TEST(Tokenizer, RendersTheDemoChatTemplate) {
  const auto tokenizer = demo();
  ASSERT_TRUE(tokenizer);
  batch::ChatPrompt prompt;
  prompt.messages = {{"user", "hi"}};
  prompt.messages_json = R"([{"role":"user","content":"hi"}])";
  EXPECT_EQ(*tokenizer->render_chat(prompt), "<s><|user|>hi<|assistant|>");
  prompt.messages[0].role = "tool";
  const auto refused = tokenizer->render_chat(prompt);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "role tool is unknown; use system, user or assistant");
}

// Whatever bytes come in, valid text goes out, whole and piece by piece alike.
TEST(Tokenizer, StreamsNeverSplitACharacter) {
  const auto tokenizer = demo();
  ASSERT_TRUE(tokenizer);
  Random random(7);
  for (int round = 0; round < 500; ++round) {
    Ids ids(1 + random.below(30));
    for (Token& id : ids) id = static_cast<Token>(random.below(tokenizer->vocabulary()));
    auto decoder = tokenizer->decoder({}, true);
    std::string joined, whole;
    for (const Token id : ids) {
      std::string piece;
      decoder->push(id, piece);
      EXPECT_TRUE(unicode::is_valid_utf8(piece));
      joined += piece;
      if (!tokenizer->special(id)) whole += tokenizer->bytes(id);
    }
    decoder->finish(joined);
    EXPECT_EQ(joined, unicode::to_valid_utf8(whole));
  }
}

TEST(Tokenizer, Llama2PrependsFallsBackAndStrips) {
  const auto tokenizer = from_json(llama2_json());
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("ab abc", true), (Ids{1, 264, 264, 262}));
  EXPECT_EQ(tokenizer->encode("é", false), (Ids{259, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(tokenizer->encode("</s>ab", false), (Ids{2, 264}));
  EXPECT_EQ(tokenizer->encode("", true), (Ids{1}));
  EXPECT_EQ(text_of(*tokenizer, {1, 264, 264, 262}), "ab abc");
  // What follows a prompt keeps its blank.
  EXPECT_EQ(text_of(*tokenizer, {264}, true, {1, 264}), " ab");
  EXPECT_EQ(text_of(*tokenizer, {3 + 0xC3, 3 + 0xA9, 3 + 0xC3}), "é\uFFFD");
}

TEST(Tokenizer, MetaspacePrependsFirstOnly) {
  const auto tokenizer = from_json(llama2_json(
      R"({"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false})", "null"));
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("ab</s>ab", false), (Ids{264, 2, 263}));
}

// The heap for long words and the scan for short ones must agree: a long word's merges do not reach across
// blanks here.
TEST(Tokenizer, LongAndShortWordsMergeAlike) {
  const auto tokenizer = from_json(llama2_json());
  ASSERT_TRUE(tokenizer);
  Random random(3);
  for (int round = 0; round < 200; ++round) {
    Ids expected{};
    std::string text;
    for (int word = 0; word < 20; ++word) {
      std::string letters;
      for (std::size_t i = 1 + random.below(6); i > 0; --i)
        letters += static_cast<char>('a' + random.below(3));
      const Ids alone = tokenizer->encode(letters, false);
      expected.insert(expected.end(), alone.begin(), alone.end());
      text += (word > 0 ? " " : "") + letters;
    }
    EXPECT_EQ(tokenizer->encode(text, false), expected) << text;
  }
}

TEST(Tokenizer, HostileTextTakesNoQuadraticTime) {
  const auto tokenizer = from_json(llama2_json());
  ASSERT_TRUE(tokenizer);
  const std::string text(400'000, 'a');
  EXPECT_EQ(tokenizer->encode(text, false).size(), 400'001u);
  const auto byte_level = demo();
  EXPECT_GT(byte_level
                ->encode(std::string(200'000, '<') + std::string(200'000, ' ') + std::string(200'000, '\xFF'),
                         false)
                .size(),
            0u);
}

TEST(Tokenizer, AddedTokensStripAndStandAlone) {
  std::string json = llama2_json("null", "null");
  const std::string more = R"({"id":300,"content":"[M]","lstrip":true,"rstrip":true,"normalized":false},
    {"id":301,"content":"cc","single_word":true,"normalized":false},)";
  json.insert(json.find('[') + 1, more);
  const auto tokenizer = from_json(json);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->encode("a [M]  b", false), (Ids{260, 300, 261}));
  EXPECT_EQ(tokenizer->encode("cc,ccc", false), (Ids{301, 3 + ',', 262, 262, 262}));
  EXPECT_EQ(tokenizer->vocabulary(), 302u);
}

TEST(Tokenizer, RefusesWhatItDoesNotKnowByName) {
  EXPECT_TRUE(error_of("{").starts_with("tokenizer.json is no JSON: "));
  EXPECT_EQ(error_of("{}"), "model is missing");
  EXPECT_EQ(error_of(R"({"model":{"type":"Unigram"}})"),
            "model is of type \"Unigram\", which is unsupported here");
  EXPECT_EQ(error_of(R"({"model":{"vocab":{"a":99999999},"merges":[]}})"),
            "model.vocab has an id that is no number below 4194304");
  EXPECT_EQ(error_of(R"({"model":{"vocab":{"a":0,"b":0},"merges":[]}})"), "model.vocab uses id 0 twice");
  EXPECT_EQ(error_of(R"({"model":{"vocab":{"a":0},"merges":["a"]}})"),
            "model.merges[0] is not two parts with one blank between them");
  EXPECT_EQ(error_of(R"({"model":{"vocab":{"a":0},"merges":["a a"]}})"),
            "model.merges[0] names a part or a result that is not in the vocabulary");
  EXPECT_EQ(error_of(R"({"model":{"vocab":{},"merges":[]},"normalizer":{"type":"Lowercase"}})"),
            "normalizer is of type \"Lowercase\", which is unsupported here");
  EXPECT_EQ(error_of(R"({"model":{"vocab":{},"merges":[]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[
      {"type":"Split","pattern":{"Regex":"x+"},"behavior":"Isolated"}]}})"),
            "pre_tokenizer.pretokenizers[0].pattern is an expression that is unsupported here: x+");
}

TEST(Tokenizer, MissingFilesAreNamed) {
  const auto made = load_tokenizer("examples/models/none", kClock);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kNotFound);
  EXPECT_EQ(made.error().field, "examples/models/none/tokenizer.json");
}

}  // namespace
}  // namespace tidegate::tokenizer

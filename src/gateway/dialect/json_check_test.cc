#include "gateway/dialect/json_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/random.h"

namespace tidegate::dialect {
namespace {

bool fine(std::string_view text) { return json_fault(text) == kJsonFine; }

TEST(JsonCheck, TakesEveryKindOfValue) {
  for (const char* text : {"{}",
                           "[]",
                           " [ ] ",
                           "[[]]",
                           "[{}]",
                           R"({"a":[]})",
                           "0",
                           "-0",
                           "1.5",
                           "-12.0e+7",
                           "1E9",
                           "1e-9",
                           "true",
                           "false",
                           "null",
                           "\"\"",
                           R"("\"\\\/\b\f\n\r\t\u00eF")",
                           R"({"a":1,"b":[true,null,"x",{}]})",
                           "\t\r\n{\"a\" : 1 , \"b\" : [ 1 , 2 ] }\n",
                           "\"0123456789abcdef0123456789abcdef\\n0123456789\""}) {
    EXPECT_TRUE(fine(text)) << text;
  }
}

TEST(JsonCheck, RefusesEverythingElse) {
  for (const char* text : {"",        " ",         "{",           "}",
                           "[",       "]",         "[}",          "{]",
                           "[1,]",    "[,1]",      "[1 2]",       "{,}",
                           "{\"a\"}", "{\"a\":}",  "{\"a\" 1}",   "{\"a\":1,}",
                           "{a:1}",   "{1:1}",     "{'a':1}",     "{\"a\":1 \"b\":2}",
                           "[1][2]",  "1 2",       "01",          "-",
                           "+1",      ".5",        "1.",          "1.e1",
                           "1e",      "1e+",       "0x1",         "- 1",
                           "NaN",     "Infinity",  "tru",         "truex",
                           "nul",     "True",      "\"",          "\"\\",
                           "\"\\q\"", "\"\\u12\"", "\"\\u12g4\"", "'a'",
                           "/**/1",   "1//",       "[1]\f",       "\xEF\xBB\xBF{}",
                           "\"a\"b"}) {
    EXPECT_FALSE(fine(text)) << text;
  }
  EXPECT_FALSE(fine(std::string_view("1\0", 2)));
}

// Strings of every length around the widths of the blocks, with an escape or a fault at every place.
TEST(JsonCheck, StringsAreFollowedAcrossBlocks) {
  for (std::size_t length = 0; length < 80; ++length) {
    const std::string plain(length, 'x');
    EXPECT_TRUE(fine("\"" + plain + "\""));
    EXPECT_FALSE(fine("\"" + plain));
    for (std::size_t at = 0; at <= length; ++at) {
      for (const char* good : {"\\n", "\\\"", "\\\\", "\\u00e9", "\\\\\\\""}) {
        std::string text = plain;
        text.insert(at, good);
        ASSERT_TRUE(fine("\"" + text + "\"")) << text;
        ASSERT_TRUE(fine("[\"" + text + "\",\"" + plain + "\"]")) << text;
      }
      for (const char* good : {"\xC3\xA9", "\xF0\x9F\x8C\x8A", "\x7F"}) {
        std::string text = plain;
        text.insert(at, good);
        ASSERT_TRUE(fine("\"" + text + "\"")) << text;
      }
      for (const char* bad :
           {"\\x", "\\u00g9", "\"", "\\\\\"", "\n", "\x1F", "\x01", "\xFF", "\xC3", "\xED\xA0\x80"}) {
        std::string text = plain;
        text.insert(at, bad);
        ASSERT_FALSE(fine("\"" + text + "\"")) << text;
      }
    }
    EXPECT_FALSE(fine("\"" + plain + "\\"));
    EXPECT_FALSE(fine("\"" + plain + "\\u12"));
    EXPECT_FALSE(fine("\"" + plain + "\\\""));
  }
}

TEST(JsonCheck, SaysWhere) {
  EXPECT_EQ(json_fault("[1,x]"), 3U);
  EXPECT_EQ(json_fault("{} x"), 3U);
}

TEST(JsonMembers, GivesKeysAndWholeValues) {
  JsonMembers members(R"( { "a" : [1, {"b":2}] , "c\n":"x\"y" ,"d" :-1.5e3} )");
  std::vector<std::string> seen;
  while (members.next()) seen.push_back(std::string(members.key()) + "=" + std::string(members.value()));
  EXPECT_TRUE(members.fine());
  EXPECT_EQ(members.open(), 2U);
  EXPECT_EQ(seen, (std::vector<std::string>{"a=[1, {\"b\":2}]", "c\\n=\"x\\\"y\"", "d=-1.5e3"}));
}

TEST(JsonMembers, KnowsWhatIsNoObject) {
  for (const char* text : {"[]", " 1 ", "\"x\"", "null"}) {
    JsonMembers members(text);
    EXPECT_FALSE(members.next());
    EXPECT_FALSE(members.is_object()) << text;
    EXPECT_FALSE(members.fine()) << text;
  }
  for (const char* text :
       {"", " ", "{", "{]", "{}x", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}}", "1 x", "{\"\xFF\":1}"}) {
    JsonMembers members(text);
    while (members.next()) continue;
    EXPECT_FALSE(members.fine()) << text;
    EXPECT_TRUE(members.is_object()) << text;
  }
}

TEST(JsonCheck, DepthIsBounded) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(fine(nested(kJsonDepthMax)));
  EXPECT_FALSE(fine(nested(kJsonDepthMax + 1)));
}

// The twin: a document reader, over random texts that are nearly JSON.
TEST(JsonCheck, AgreesWithADocumentReader) {
  const std::vector<std::string> parts = {"{",       "}",           "[",  "]",       ",",  ":",    "\"a\"",
                                          "\"\\n\"", "\"\\u00e9\"", "1",  "-0.5e-3", "0",  "true", "null",
                                          " ",       "\n",          "\"", "\\",      "1.", "e",    "x"};
  Random random(11);
  int accepted = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string text;
    for (std::uint64_t i = random.below(9); i > 0; --i)
      text += parts[random.below(random.below(3) == 0 ? parts.size() : 16)];
    const bool expected = nlohmann::json::accept(text);
    ASSERT_EQ(fine(text), expected) << text;
    accepted += expected ? 1 : 0;
  }
  EXPECT_GT(accepted, 3000);
}

}  // namespace
}  // namespace tidegate::dialect

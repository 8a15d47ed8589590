#include "engine/guide/guide.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "engine/guide/testing/matches.h"

namespace tidegate::guide {
namespace {

constexpr Token kEos = 0;

// All bytes, some pieces of text, and one token that ends.
const std::vector<std::string>& pieces() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> made{""};
    for (int byte = 0; byte < 256; ++byte) made.emplace_back(1, static_cast<char>(byte));
    for (const char* piece :
         {"{\"",  "\":",  "\": ", "\",", "\", \"", "true", "false", "null", "}}",  "]}",  "12", "ab", "abc",
          "abcd", "name", " the", "日",  "日本",   "\n  ", "e\"",   "tr",   "\\u", "yes", "no", "ye"}) {
      made.emplace_back(piece);
    }
    return made;
  }();
  return list;
}

std::shared_ptr<const Vocabulary> vocabulary() {
  return std::make_shared<Vocabulary>(
      pieces().size(), [](Token token) { return pieces()[static_cast<std::size_t>(token)]; },
      std::vector<Token>{kEos});
}

std::shared_ptr<Guide> guide_of(Source source) {
  auto made = Guide::make(source, vocabulary());
  EXPECT_TRUE(made.has_value()) << describe(made.error());
  return made ? *made : nullptr;
}

std::string text_of(std::span<const Token> tokens) {
  std::string text;
  for (const Token token : tokens) text += pieces()[static_cast<std::size_t>(token)];
  return text;
}

// A text as a model with no idea would write it: any allowed token, until one ends it. After a while the one
// that is nearest to an end.
std::string write(Guide& guide, std::uint64_t seed, std::size_t patience = 40) {
  Random random(seed);
  Follower follower;
  std::vector<Token> output;
  std::size_t work = 10'000'000;
  while (output.size() < 3000) {
    const auto mask = follower.next(seed + 1, guide, output, work);
    if (!mask) return "error: " + describe(mask.error());
    std::vector<Token> allowed;
    for (Token token = 0; token < static_cast<Token>(pieces().size()); ++token) {
      if ((*mask)->allows(token)) allowed.push_back(token);
    }
    EXPECT_EQ(allowed.size(), (*mask)->count);
    Token next = allowed[random.below(allowed.size())];
    if (output.size() > patience) {
      std::uint32_t best = kNever;
      for (const Token token : allowed) {
        if (token == kEos) return text_of(output);
        const std::uint32_t far = guide.distance(guide.follow(follower.state(), std::span(&token, 1), work));
        if (far < best) {
          best = far;
          next = token;
        }
      }
    }
    if (next == kEos) return text_of(output);
    output.push_back(next);
  }
  return "no end: " + text_of(output).substr(0, 200);
}

TEST(Guide, AMaskIsWhatTheAutomatonAllows) {
  // Every token by itself against the mask, in many states.
  for (const Source& source :
       {Source{Source::Kind::kJsonObject, ""}, Source{Source::Kind::kRegex, "(ab|abc|日){1,3}e?"},
        Source{Source::Kind::kChoice, R"(["yes","no","yellow"])"}}) {
    const auto guide = guide_of(source);
    Follower follower;
    std::size_t work = kRequestWork;
    Random random(7);
    std::vector<Token> output;
    for (int step = 0; step < 30; ++step) {
      const auto mask = follower.next(1, *guide, output, work);
      ASSERT_TRUE(mask.has_value()) << describe(mask.error());
      std::vector<Token> allowed;
      for (Token token = 1; token < static_cast<Token>(pieces().size()); ++token) {
        const std::string longer = text_of(output) + pieces()[static_cast<std::size_t>(token)];
        ASSERT_EQ((*mask)->allows(token), testing::match(source, longer) != "no") << longer;
        if ((*mask)->allows(token)) allowed.push_back(token);
      }
      ASSERT_EQ((*mask)->allows(kEos), testing::match(source, text_of(output)) == "yes") << text_of(output);
      if (allowed.empty()) break;
      output.push_back(allowed[random.below(allowed.size())]);
    }
  }
}

TEST(Guide, EveryTextThatEndsIsValid) {
  const auto guide = guide_of({Source::Kind::kJsonObject, ""});
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string text = write(*guide, seed);
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
    EXPECT_TRUE(text.starts_with("{")) << text;
  }
}

TEST(Guide, EveryTextSatisfiesItsSchema) {
  const auto guide = guide_of({Source::Kind::kJsonSchema, R"({"type":"object","properties":{
      "name":{"type":"string","minLength":1,"maxLength":8},"age":{"type":"integer","minimum":18,"maximum":99},
      "tags":{"type":"array","items":{"enum":["ab","abcd","no"]},"minItems":1,"maxItems":3},
      "more":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["name","age","more"]})"});
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string text = write(*guide, seed, 30);
    nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    ASSERT_FALSE(json.is_discarded()) << text;
    for (const nlohmann::json* at = &json; !at->is_null(); at = &at->at("more")) {
      EXPECT_FALSE(at->at("name").get<std::string>().empty()) << text;
      EXPECT_GE(at->at("age").get<int>(), 18) << text;
      EXPECT_LE(at->at("age").get<int>(), 99) << text;
      if (at->contains("tags")) {
        EXPECT_LE(at->at("tags").size(), 3u) << text;
      }
    }
  }
}

TEST(Guide, ChoicesShareTheirBeginnings) {
  const auto guide = guide_of({Source::Kind::kChoice, R"(["yes","yesno","ab"])"});
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) ++seen[write(*guide, seed)];
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_TRUE(seen.contains("yes") && seen.contains("yesno") && seen.contains("ab"));
}

TEST(Guide, AFollowerFindsItsPlaceAgain) {
  const auto guide = guide_of({Source::Kind::kJsonObject, ""});
  const auto token = [](std::string_view piece) {
    return static_cast<Token>(std::find(pieces().begin(), pieces().end(), piece) - pieces().begin());
  };
  const std::vector<Token> output{token("{\""), token("ab"), token("\": "), token("tr")};
  std::size_t work = kRequestWork;
  Follower steady;
  for (std::size_t n = 0; n <= output.size(); ++n) {
    ASSERT_TRUE(steady.next(5, *guide, std::span(output).first(n), work).has_value());
  }
  Follower fresh;
  const auto mask = fresh.next(5, *guide, output, work);
  ASSERT_TRUE(mask.has_value());
  EXPECT_EQ((*mask)->bits, (*steady.next(5, *guide, output, work))->bits);
  EXPECT_EQ((*mask)->count, 1u) << "only u";
  EXPECT_TRUE((*mask)->allows(token("u")));
  // Another request in the same slot begins anew.
  work = kRequestWork;
  EXPECT_FALSE((*steady.next(6, *guide, {}, work))->allows(token("u")));
}

TEST(Guide, WhatIsTooAmbiguousIsRefusedBeforeItCostsMuch) {
  const auto why = [](Source source) {
    const auto made = Guide::make(source, vocabulary());
    return made ? std::string("accepted") : describe(made.error());
  };
  const std::string ambiguous =
      "is too ambiguous to be followed; use fewer alternatives and counts that overlap less";
  EXPECT_EQ(why({Source::Kind::kRegex, "((a?){2000}){2000}"}), ambiguous);
  EXPECT_EQ(why({Source::Kind::kRegex, "(x+x+)+y"}), "accepted");
  EXPECT_EQ(why({Source::Kind::kChoice, "[]"}), "needs a list of at least one string");
  EXPECT_EQ(why({Source::Kind::kChoice, "[1]"}), "needs a list of strings");
  const auto endless = std::make_shared<Vocabulary>(
      3, [](Token) { return std::string("a"); }, std::span<const Token>());
  EXPECT_EQ(describe(Guide::make({Source::Kind::kRegex, "a"}, endless).error()),
            "needs a model with an end-of-sequence token, and this one names none");
  const auto poor = std::make_shared<Vocabulary>(
      2, [](Token) { return std::string("a"); }, std::vector<Token>{0});
  EXPECT_EQ(describe(Guide::make({Source::Kind::kRegex, "b"}, poor).error()),
            "cannot be followed: no token of this model's vocabulary continues the output");
}

TEST(Guide, AHardTextFailsItselfWithinItsAllowance) {
  // Quadratic in the text's length: each step keeps about as many places as characters were written.
  auto made =
      Guide::make({Source::Kind::kRegex, "(a|ab|b|abc|bc|c){0,3000}(a|b){0,3000}[abc]{2000}"}, vocabulary());
  if (!made) return;
  Follower follower;
  std::size_t work = kRequestWork;
  std::vector<Token> output;
  std::string end;
  for (int i = 0; i < 2000 && end.empty(); ++i) {
    const auto mask = follower.next(1, **made, output, work);
    if (!mask) end = describe(mask.error());
    output.push_back(1 + 'a');
  }
  EXPECT_TRUE(end.empty() || end.starts_with("is too ambiguous")) << end;
}

}  // namespace
}  // namespace tidegate::guide

#include "engine/guide/schema.h"

#include <gtest/gtest.h>

#include "engine/guide/testing/matches.h"

namespace tidegate::guide {
namespace {

using testing::match;
using testing::schema;

std::string object(std::string_view text) { return match({Source::Kind::kJsonObject, ""}, text); }

TEST(Json, AnyObject) {
  for (const char* text : {"{}", "{ }", R"({"a":1})", R"({"a": [1, -2.5e3, null], "b": {"c": "d"}})",
                           "{\n  \"a\": true,\n  \"b\": [\n    {}\n  ]\n}", R"({"\u00e9\n\"": "ü😀"})",
                           R"({"a":"\ud83d\ude00"})", R"({"":[]})"}) {
    EXPECT_EQ(object(text), "yes") << text;
  }
  for (const char* text :
       {"[]", "1", R"({"a":01})", R"({"a":1,})", R"({,"a":1})", R"({a:1})", "{\"a\":\"\n\"}", R"({"a":.5})",
        R"({"a":1.})", R"({"a":"\x"})", R"({"a":"\ud83d"})", R"({"a":"\ude00"})", "{}{}", "{} ",
        R"({"a":tru})", "{\"a\":\"\xFF\"}"}) {
    EXPECT_EQ(object(text), "no") << text;
  }
  EXPECT_EQ(object(R"({"a":[)"), "begins");
  EXPECT_EQ(match({Source::Kind::kJsonObject, "", false}, R"({"a": 1})"), "no") << "without blanks";
  EXPECT_EQ(match({Source::Kind::kJsonObject, "", false}, R"({"a":1})"), "yes");
}

TEST(Json, NestingEndsBeforeItCannotBeClosed) {
  std::string deep;
  for (int i = 0; i < 2000 && object(deep + "{\"a\":") == "begins"; ++i) deep += "{\"a\":";
  EXPECT_GT(deep.size(), 5u * 60) << "deep enough for people";
  EXPECT_LT(deep.size(), 5u * 500);
  EXPECT_EQ(object(deep + "1"), "begins");
  EXPECT_EQ(object(deep + "1" + std::string(deep.size() / 5, '}')), "yes");
}

TEST(Schema, PropertiesComeInOrder) {
  const char* text = R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},
                         "c":{"type":"boolean"}},"required":["b"]})";
  EXPECT_EQ(schema(text, R"({"a":1,"b":"x","c":true})"), "yes");
  EXPECT_EQ(schema(text, R"({"b":"x"})"), "yes");
  EXPECT_EQ(schema(text, R"({ "b": "x", "c": false })"), "yes");
  EXPECT_EQ(schema(text, R"({"a":1,"b":"x"})"), "yes");
  EXPECT_EQ(schema(text, R"({"a":1})"), "no");
  EXPECT_EQ(schema(text, R"({"a":1,"c":true})"), "no");
  EXPECT_EQ(schema(text, R"({"b":"x","a":1})"), "no");
  EXPECT_EQ(schema(text, R"({"b":"x","d":1})"), "no");
  EXPECT_EQ(schema(text, R"({"a":1.5,"b":"x"})"), "no");
  EXPECT_EQ(schema(text, R"({})"), "no");
  EXPECT_EQ(schema(R"({"type":"object","properties":{"a":{}}})", "{}"), "yes");
}

TEST(Schema, OtherPropertiesWhereTheyAreAllowed) {
  const char* text = R"({"properties":{"ab":{"type":"integer"},"abc":{"type":"integer"}},"required":["ab"],
                         "additionalProperties":{"type":"string"}})";
  EXPECT_EQ(schema(text, R"({"ab":1})"), "yes");
  EXPECT_EQ(schema(text, R"({"ab":1,"x":"y","abd":"z","a":"","":"","abcd":"","ü":""})"), "yes");
  EXPECT_EQ(schema(text, R"({"ab":1,"x":2})"), "no");
  EXPECT_EQ(schema(text, R"({"ab":1,"abc":"not a number"})"), "no");
  EXPECT_EQ(schema(text, R"({"ab":1,"\u0061bc":"in disguise"})"), "no");
  EXPECT_EQ(schema(R"({"type":"object","additionalProperties":false})", "{}"), "yes");
  EXPECT_EQ(schema(R"({"type":"object","additionalProperties":false})", R"({"a":1})"), "no");
  EXPECT_EQ(schema(R"({"type":"object"})", R"({"a":[1]})"), "yes");
  EXPECT_EQ(schema(R"({"type":"object","required":["k"]})", R"({"k":[1],"l":2})"), "yes");
  EXPECT_EQ(schema(R"({"type":"object","required":["k"]})", R"({"l":2})"), "no");
  EXPECT_EQ(schema(R"({"properties":{"a":{}},"required":["k"]})", "{}"),
            "required names a property that may not be there");
}

TEST(Schema, Arrays) {
  EXPECT_EQ(schema(R"({"type":"array","items":{"type":"integer"}})", "[]"), "yes");
  EXPECT_EQ(schema(R"({"type":"array","items":{"type":"integer"}})", "[1, 2,3]"), "yes");
  EXPECT_EQ(schema(R"({"type":"array","items":{"type":"integer"}})", R"(["a"])"), "no");
  const char* some = R"({"type":"array","items":{"enum":["a","b"]},"minItems":2,"maxItems":3})";
  EXPECT_EQ(schema(some, R"(["a"])"), "no");
  EXPECT_EQ(schema(some, R"(["a","b"])"), "yes");
  EXPECT_EQ(schema(some, R"(["a","b","a"])"), "yes");
  EXPECT_EQ(schema(some, R"(["a","b","a","a"])"), "no");
  EXPECT_EQ(schema(R"({"type":"array","items":{},"minItems":2})", "[1]"), "no");
  EXPECT_EQ(schema(R"({"type":"array","items":{},"minItems":2})", "[1,[],{}]"), "yes");
  EXPECT_EQ(schema(R"({"type":"array","maxItems":0})", "[]"), "yes");
  EXPECT_EQ(schema(R"({"type":"array","maxItems":0})", "[1]"), "no");
  const char* pair =
      R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"minItems":2,"items":false})";
  EXPECT_EQ(schema(pair, R"(["a",1])"), "yes");
  EXPECT_EQ(schema(pair, R"(["a"])"), "no");
  EXPECT_EQ(schema(pair, R"(["a",1,2])"), "no");
  EXPECT_EQ(schema(pair, R"([1,1])"), "no");
  EXPECT_EQ(schema(R"({"prefixItems":[{"type":"string"}],"items":{"type":"integer"}})", R"(["a",1,2])"),
            "yes");
  EXPECT_EQ(schema(R"({"type":"array","minItems":3,"maxItems":2})", ""),
            "minItems is more items than there may be");
}

TEST(Schema, Strings) {
  EXPECT_EQ(schema(R"({"type":"string","minLength":2,"maxLength":3})", R"("ü")"), "no");
  EXPECT_EQ(schema(R"({"type":"string","minLength":2,"maxLength":3})", R"("üé")"), "yes");
  EXPECT_EQ(schema(R"({"type":"string","minLength":2,"maxLength":3})", R"("\n\u00e9\"")"), "yes");
  EXPECT_EQ(schema(R"({"type":"string","minLength":2,"maxLength":3})", R"("abcd")"), "no");
  EXPECT_EQ(schema(R"({"type":"string","pattern":"^[A-Z]{2}$"})", R"("AB")"), "yes");
  EXPECT_EQ(schema(R"({"type":"string","pattern":"^[A-Z]{2}$"})", R"("ABC")"), "no");
  EXPECT_EQ(schema(R"({"type":"string","pattern":"b+"})", R"("abc")"), "yes") << "anywhere in the string";
  EXPECT_EQ(schema(R"({"type":"string","pattern":"b+"})", R"("ac")"), "no");
  EXPECT_EQ(schema(R"({"type":"string","pattern":"^\"\\n$"})", R"("\"\n")"), "yes") << "written as JSON";
}

TEST(Schema, FormatsThatAreKnown) {
  const auto fits = [](std::string_view format, std::string_view text) {
    return schema(R"({"type":"string","format":")" + std::string(format) + "\"}",
                  "\"" + std::string(text) + "\"");
  };
  EXPECT_EQ(fits("date", "2026-11-25"), "yes");
  EXPECT_EQ(fits("date", "2026-13-25"), "no");
  EXPECT_EQ(fits("date", "26-11-25"), "no");
  EXPECT_EQ(fits("time", "23:59:59Z"), "yes");
  EXPECT_EQ(fits("time", "24:00:00Z"), "no");
  EXPECT_EQ(fits("date-time", "2026-11-25T07:08:09.5+01:00"), "yes");
  EXPECT_EQ(fits("date-time", "2026-11-25 07:08:09Z"), "no");
  EXPECT_EQ(fits("uuid", "123e4567-e89b-12d3-a456-426614174000"), "yes");
  EXPECT_EQ(fits("uuid", "123e4567e89b12d3a456426614174000"), "no");
  EXPECT_EQ(fits("ipv4", "127.0.0.255"), "yes");
  EXPECT_EQ(fits("ipv4", "127.0.0.256"), "no");
  EXPECT_EQ(fits("email", "jo.doe@mail.example.org"), "yes");
  EXPECT_EQ(fits("email", "jo@doe"), "no");
  EXPECT_EQ(fits("idn-email", "whatever"), "yes") << "not known: not followed";
  EXPECT_EQ(schema(R"({"type":"string","format":"date","maxLength":3})", R"("abc")"), "yes");
}

TEST(Schema, WholeNumbersBetweenBounds) {
  const auto fits = [](std::string bounds, std::string_view text) {
    return schema(R"({"type":"integer",)" + bounds + "}", text) == "yes";
  };
  for (int i = -130; i <= 1300; ++i) {
    const std::string text = std::to_string(i);
    EXPECT_EQ(fits(R"("minimum":-12,"maximum":1204)", text), i >= -12 && i <= 1204) << text;
    EXPECT_EQ(fits(R"("exclusiveMinimum":9,"exclusiveMaximum":100)", text), i > 9 && i < 100) << text;
    EXPECT_EQ(fits(R"("minimum":0)", text), i >= 0) << text;
    EXPECT_EQ(fits(R"("maximum":-7)", text), i <= -7) << text;
    EXPECT_EQ(fits(R"("minimum":98.5,"maximum":101.5)", text), i >= 99 && i <= 101) << text;
  }
  EXPECT_EQ(schema(R"({"type":"integer","minimum":9007199254740993})", ""),
            "minimum is too large to be followed");
  EXPECT_EQ(schema(R"({"type":"integer","minimum":5,"maximum":4})", ""),
            "the schema has bounds that no number satisfies");
}

TEST(Schema, NumbersBetweenBounds) {
  const char* share = R"({"type":"number","minimum":0,"maximum":1})";
  for (const char* text : {"0", "0.0", "0.5", "0.999", "1", "1.0"})
    EXPECT_EQ(schema(share, text), "yes") << text;
  for (const char* text : {"1.1", "2", "-0.5", "-1", "10", "1.01"})
    EXPECT_EQ(schema(share, text), "no") << text;
  const char* around = R"({"type":"number","minimum":-2,"maximum":3})";
  for (const char* text : {"-2", "-1.9", "-0.1", "0", "2.99", "3.0"})
    EXPECT_EQ(schema(around, text), "yes") << text;
  for (const char* text : {"-2.1", "-3", "3.1", "4"}) EXPECT_EQ(schema(around, text), "no") << text;
  EXPECT_EQ(schema(R"({"type":"number"})", "-1.5E+10"), "yes");
}

TEST(Schema, ChoicesAndTypes) {
  EXPECT_EQ(schema(R"({"enum":["a",1,null,{"b":[2]}]})", R"({"b":[2]})"), "yes");
  EXPECT_EQ(schema(R"({"enum":["a",1,null]})", "null"), "yes");
  EXPECT_EQ(schema(R"({"type":"string","enum":["a",1,null]})", "1"), "no");
  EXPECT_EQ(schema(R"({"const":"é\n"})", R"("é\n")"), "yes");
  EXPECT_EQ(schema(R"({"type":["integer","null"]})", "null"), "yes");
  EXPECT_EQ(schema(R"({"type":["integer","null"]})", "3"), "yes");
  EXPECT_EQ(schema(R"({"type":["integer","null"]})", "true"), "no");
  EXPECT_EQ(schema(R"({"type":"integer","nullable":true})", "null"), "yes");
  EXPECT_EQ(schema(R"({"anyOf":[{"type":"integer"},{"type":"string"}]})", R"("x")"), "yes");
  EXPECT_EQ(schema(R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", "null"), "no");
  EXPECT_EQ(schema(R"({"allOf":[{"type":"boolean"}],"description":"d"})", "true"), "yes");
  EXPECT_EQ(schema("true", "[1]"), "yes");
  EXPECT_EQ(schema("{}", "[1]"), "yes");
}

TEST(Schema, MayReferToItself) {
  const char* tree = R"({"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},
      "next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"]}},"$ref":"#/$defs/node"})";
  EXPECT_EQ(schema(tree, R"({"v":1,"next":{"v":2,"next":null}})"), "yes");
  EXPECT_EQ(schema(tree, R"({"v":1,"next":{"v":2}})"), "no");
  EXPECT_EQ(schema(R"({"type":"array","items":{"$ref":"#"}})", "[[],[[]]]"), "yes");
  EXPECT_EQ(schema(R"({"anyOf":[{"$ref":"#"},{"type":"integer"}]})", "5"), "yes");
  EXPECT_EQ(schema(R"({"$defs":{"a/b":{"type":"null"}},"properties":{"x":{"$ref":"#/$defs/a~1b"}}})",
                   R"({"x":null})"),
            "yes");
  const std::string endless = "no output can satisfy it: every way through it goes on without an end";
  EXPECT_EQ(schema(R"({"$ref":"#"})", ""), endless);
  EXPECT_EQ(schema(R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})", ""), endless);
}

TEST(Schema, WhatIsNotKnownIsRefusedByNameAndPlace) {
  EXPECT_EQ(schema(R"({"properties":{"a":{"type":"integer","multipleOf":2}}})", ""),
            "properties.a.multipleOf is not supported by this engine; leave it out or say it another way");
  EXPECT_EQ(schema(R"({"type":"array","items":{"not":{}}})", ""),
            "items.not is not supported by this engine; leave it out or say it another way");
  EXPECT_EQ(schema(R"({"type":"object","patternProperties":{}})", "").substr(0, 34),
            "patternProperties is not supported");
  EXPECT_EQ(schema(R"({"type":"array","uniqueItems":true})", "").substr(0, 24), "uniqueItems is not suppo");
  EXPECT_EQ(schema(R"({"type":"array","uniqueItems":false})", "[]"), "yes");
  EXPECT_EQ(schema(R"({"type":"thing"})", "").substr(0, 18), "type is not a type");
  EXPECT_EQ(schema(R"({"type":5})", "").substr(0, 18), "type is not a type");
  EXPECT_EQ(schema(R"({"type":[]})", ""), "type names no type");
  EXPECT_EQ(schema(R"({"$ref":"other.json"})", "").substr(0, 33), "$ref leads out of the schema; onl");
  EXPECT_EQ(schema(R"({"$ref":"#/$defs/none"})", ""), "$ref leads nowhere in this schema");
  EXPECT_EQ(schema(R"({"anyOf":[{}],"properties":{}})", ""),
            "properties beside anyOf is not supported by this engine; use one of them");
  EXPECT_EQ(schema(R"({"allOf":[{},{}]})", "").substr(0, 26), "allOf is supported with on");
  EXPECT_EQ(schema(R"({"anyOf":[]})", ""), "anyOf needs a list of schemas");
  EXPECT_EQ(schema(R"({"enum":[]})", ""), "enum allows no value of the type");
  EXPECT_EQ(schema(R"({"type":"string","pattern":"("})", ""),
            "pattern cannot be read: a ( has no ) (at byte 1)");
  EXPECT_EQ(schema(R"({"type":"string","minLength":-1})", ""), "minLength needs a whole number from 0");
  EXPECT_EQ(schema(R"({"type":"number","exclusiveMinimum":0})", "").substr(0, 21), "the schema has bounds");
  EXPECT_EQ(schema("5", ""), "the schema is not a schema; use an object");
  EXPECT_EQ(schema("{", "").substr(0, 25), "the schema is not JSON: T");
  EXPECT_EQ(schema("false", ""), "the schema is false, which no value satisfies");
}

TEST(Schema, HostileOnesAreRefused) {
  EXPECT_EQ(schema(R"({"type":"string","maxLength":4000000000})", "").substr(0, 15), "is too large fo");
  EXPECT_EQ(schema(R"({"type":"array","minItems":9000000000000000000})", "").substr(0, 15),
            "is too large fo");
  std::string nested = "{}";
  for (int i = 0; i < 300; ++i) nested = R"({"type":"array","items":)" + nested + "}";
  EXPECT_NE(schema(nested, "").find("is nested too deeply"), std::string::npos);
  // Long names that are alike for long, beside which others are allowed.
  std::string alike = R"({"additionalProperties":true,"properties":{)";
  for (int i = 0; i < 450; ++i) alike += "\"" + std::string(500, 'a') + std::to_string(i) + "\":{},";
  EXPECT_EQ(schema(alike + "\"\":{}}}", R"({"ab":1})").substr(0, 15), "is too large fo");
  EXPECT_EQ(schema(std::string(300'000, ' ') + "{}", ""), "the schema is larger than 262144 bytes");
  // Each definition is two of the next: the ways multiply.
  std::string doubling = R"({"$defs":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"({"$ref":"#/$defs/d)" + std::to_string(i + 1) + "\"}";
    doubling += "\"d" + std::to_string(i) + R"(":{"anyOf":[)" + next + "," + next + "]},";
  }
  doubling += R"("d40":{"type":"integer"}},"$ref":"#/$defs/d0"})";
  EXPECT_EQ(schema(doubling, "7"), "yes") << "equal ways are one";
  // Mutually recursive ones that may begin with each other: really many.
  std::string mutual = R"({"$defs":{)";
  for (int i = 0; i < 8; ++i) {
    mutual += "\"m" + std::to_string(i) + R"(":{"anyOf":[{"type":"null"})";
    for (int j = 0; j < 8; ++j) mutual += R"(,{"allOf":[{"$ref":"#/$defs/m)" + std::to_string(j) + "\"}]}";
    mutual += "]},";
  }
  mutual += R"("x":{}},"$ref":"#/$defs/m0"})";
  EXPECT_EQ(schema(mutual, "null"), "yes") << "calls at the end of a rule need no stack";
}

}  // namespace
}  // namespace tidegate::guide

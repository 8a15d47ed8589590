#include "resource/yaml.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "resource/json.h"
#include "resource/kind.h"

namespace tidegate::resource {
namespace {

// The JSON of the only document, or the error.
std::string json_of(std::string_view text) {
  const auto documents = parse_documents("f.yaml", text);
  if (!documents) return documents.error().message;
  if (documents->size() != 1) return std::to_string(documents->size()) + " documents";
  return documents->front().json->dump();
}

TEST(Yaml, ScalarsAreReadByKubernetesRulesOnly) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"true", "true"},
      {"false", "false"},
      {"null", "null"},
      {"~", "null"},
      {"", "null"},
      {"True", "\"True\""},
      {"yes", "\"yes\""},
      {"NO", "\"NO\""},
      {"on", "\"on\""},
      {"\"true\"", "\"true\""},
      {"'8000'", "\"8000\""},
      {"8000", "8000"},
      {"-1", "-1"},
      {"0", "0"},
      {"010", "\"010\""},
      {"0o10", "\"0o10\""},
      {"0x10", "\"0x10\""},
      {"1_000", "\"1_000\""},
      {"1:30", "\"1:30\""},
      {"500m", "\"500m\""},
      {"12Gi", "\"12Gi\""},
      {"1.5", "1.5"},
      {"1e3", "1000.0"},
      {"1.", "\"1.\""},
      {".5", "\".5\""},
      {"+1", "\"+1\""},
      {".inf", "\".inf\""},
      {"9007199254740993", "9007199254740993"},
      {"18446744073709551615", "18446744073709551615"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"18446744073709551616", "f.yaml:1: the number 18446744073709551616 is too large; put it in quotes"},
      {"1e999", "f.yaml:1: the number 1e999 is out of range; put it in quotes"},
      {"!!str 12", "\"12\""},
      {"!!int \"12\"", "12"},
      {"2026-01-01", "\"2026-01-01\""},
      {"|\n  a\n  b\n", "\"a\\nb\\n\""},
      {"!custom x", "f.yaml:1: the tag !custom is not supported; leave it out"},
      {"!!binary aGk=", "f.yaml:1: the tag tag:yaml.org,2002:binary is not supported; leave it out"},
  };
  for (const auto& [text, expected] : cases) {
    const std::string got = json_of("a: " + text);
    const bool is_error = expected.starts_with("f.yaml");
    EXPECT_EQ(got, is_error ? expected : "{\"a\":" + expected + "}") << text;
  }
}

TEST(Yaml, KeysAreTextAndUnique) {
  EXPECT_EQ(json_of("8000: a\ntrue: b"), R"({"8000":"a","true":"b"})");
  EXPECT_EQ(json_of("a: 1\nb: 2\na: 3"), "f.yaml:3: the key \"a\" is there twice; keep one of them");
  EXPECT_EQ(json_of("\"a\": 1\na: 3"), "f.yaml:2: the key \"a\" is there twice; keep one of them");
  EXPECT_EQ(json_of("? [a]\n: b"), "f.yaml:1: a key is no text; use a word or a quoted string");
}

TEST(Yaml, AnchorsAliasesAndMergeKeys) {
  EXPECT_EQ(json_of("a: &x {p: 1, q: 2}\nb: *x"), R"({"a":{"p":1,"q":2},"b":{"p":1,"q":2}})");
  EXPECT_EQ(json_of("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}"), R"({"a":{"p":1,"q":2},"b":{"q":3,"p":1}})");
  EXPECT_EQ(json_of("a: &x {p: 1}\nb: &y {p: 2, r: 3}\nc: {<<: [*x, *y]}"),
            R"({"a":{"p":1},"b":{"p":2,"r":3},"c":{"p":1,"r":3}})");
  EXPECT_EQ(json_of("b: *x"), "f.yaml:1: the alias *x has no anchor before it");
  EXPECT_EQ(json_of("a: {<<: 3}"), "f.yaml:1: the merge key << takes an object or a list of objects");
  EXPECT_EQ(json_of("\"<<\": 3"), "{\"<<\":3}");
  // An anchor holds for its own document only.
  EXPECT_EQ(json_of("a: &x 1\n---\nb: *x"), "f.yaml:3: the alias *x has no anchor before it");
}

TEST(Yaml, AliasBombsAreRefused) {
  std::string bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k) bomb += before + (k < 8 ? ", " : "]\n");
  }
  const std::string said = json_of(bomb);
  EXPECT_NE(said.find("aliases expand to more than"), std::string::npos) << said.substr(0, 200);

  // Merge keys are another way to the same place.
  std::string merges = "m0: &m0 {k: " + std::string(100'000, 'x') + "}\n";
  for (int i = 1; i < 100; ++i) merges += "m" + std::to_string(i) + ": {<<: *m0}\n";
  EXPECT_NE(json_of(merges).find("aliases expand"), std::string::npos);
}

TEST(Yaml, DepthAndWidthAreBounded) {
  EXPECT_NE(json_of("a: " + std::string(200, '[') + std::string(200, ']')).find("nested deeper"),
            std::string::npos);
  EXPECT_NE(json_of("{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}").find("nested deeper"),
            std::string::npos);
  std::string wide;
  for (int i = 0; i < 10'001; ++i) wide += "k" + std::to_string(i) + ": 1\n";
  EXPECT_NE(json_of(wide).find("more than 10000 fields"), std::string::npos);
  EXPECT_NE(json_of("a: " + std::string(kObjectBytesMax, 'x')).find("use at most 1572864"),
            std::string::npos);
  // Aliases in depth: each level is shallow, together they are deep.
  std::string deep = "a0: &a0 [1]\n";
  for (int i = 1; i < 120; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_NE(json_of(deep).find("nested deeper"), std::string::npos);
}

TEST(Yaml, ManyDocuments) {
  const auto documents = parse_documents("f.yaml", "# nothing\n---\na: 1\n---\n---\nb: 2\n...\n");
  ASSERT_TRUE(documents) << documents.error().message;
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ(documents->at(0).line(), 3u);
  EXPECT_EQ(documents->at(1).line("b"), 6u);
  EXPECT_EQ(json_of(""), "0 documents");
  EXPECT_EQ(json_of("- a"),
            "f.yaml:1: the document is no object; begin it with apiVersion, kind and metadata");
}

TEST(Yaml, SyntaxErrorsNameTheLine) {
  EXPECT_EQ(json_of("a: 1\nb:\n\t- c").substr(0, 23), "f.yaml:3: is not YAML: ");
  EXPECT_EQ(json_of("a: [1, 2").substr(0, 10), "f.yaml:1: ");
  EXPECT_EQ(json_of("a: \"x").substr(0, 9), "f.yaml:1:");
  EXPECT_EQ(json_of("a: \xff\xfe\xfd").substr(0, 7), "f.yaml:");
}

TEST(Yaml, ListsAreFlattenedAndKeepTheirLines) {
  const auto documents = parse_documents("f.yaml",
                                         "kind: List\n"
                                         "apiVersion: v1\n"
                                         "items:\n"
                                         "- kind: A\n"
                                         "  x: 1\n"
                                         "- kind: B\n"
                                         "  x:\n"
                                         "  - y: 2\n");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ(documents->at(0).line("x"), 5u);
  EXPECT_EQ(documents->at(1).line(), 6u);
  EXPECT_EQ(documents->at(1).line("x[0].y"), 8u);
  EXPECT_EQ(documents->at(1).line("x[3].nothing"), 7u);
}

TEST(Yaml, JsonFilesKeepTheirLinesToo) {
  const auto documents = parse_documents("f.json",
                                         "{\n"
                                         "  \"kind\": \"A\",\n"
                                         "  \"spec\": {\n"
                                         "    \"list\": [\n"
                                         "      {\"x\": \"\\ud83d\\ude00\"}\n"
                                         "    ]\n"
                                         "  }\n"
                                         "}\n"
                                         "{\"kind\": \"B\"}\n");
  ASSERT_TRUE(documents) << documents.error().message;
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ(documents->at(0).line("spec.list[0].x"), 5u);
  EXPECT_EQ((*documents->at(0).json)["spec"]["list"][0]["x"], "\xF0\x9F\x98\x80");
  EXPECT_EQ(documents->at(1).line("kind"), 9u);
  EXPECT_EQ(json_of("{\"a\": 1, \"a\": 2}"), "f.yaml:1: the key \"a\" is there twice; keep one of them");
  EXPECT_EQ(json_of("{\"a\": 1,\n}").substr(0, 23), "f.yaml:2: is not JSON: ");
  EXPECT_EQ(json_of("{a: 1}"), "{\"a\":1}");
}

TEST(Yaml, ErrorsAreLocatedByFileLineAndObject) {
  const auto documents = parse_documents("canary.yaml",
                                         "apiVersion: inference.networking.x-k8s.io/v1alpha2\n"
                                         "kind: InferenceModel\n"
                                         "metadata:\n"
                                         "  name: lora-request\n"
                                         "  namespace: default\n"
                                         "spec:\n"
                                         "  modelName: lora-request\n"
                                         "  poolRef: {name: p}\n"
                                         "  targetModels:\n"
                                         "  - name: a\n"
                                         "    weight: 10\n"
                                         "  - name: b\n"
                                         "    weight: 0\n");
  ASSERT_TRUE(documents);
  const Document& document = documents->front();
  const auto errors = admit(**kind_of(*document.json), *document.json);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(locate(document, errors[0]),
            "canary.yaml:13: InferenceModel default/lora-request: spec.targetModels[1].weight is 0; use 1 to "
            "1000000, "
            "or remove the target to stop sending to it");
}

TEST(Json, RefusesWhatTwoReadersCouldReadDifferently) {
  const auto error_of = [](std::string_view text) {
    const auto value = parse_json(text);
    return value ? "accepted " + value->dump() : value.error().message;
  };
  EXPECT_EQ(error_of("{\"a\":1}"), "accepted {\"a\":1}");
  EXPECT_EQ(error_of("5"), "accepted 5");
  EXPECT_EQ(error_of("{\"a\":1,\"a\":1}"), "the key \"a\" is there twice; keep one of them (line 1)");
  EXPECT_EQ(error_of("{\"a\":1} x").substr(0, 12), "is not JSON:");
  EXPECT_EQ(error_of("5x").substr(0, 12), "is not JSON:");
  EXPECT_EQ(error_of("").substr(0, 12), "is not JSON:");
  EXPECT_EQ(error_of("18446744073709551616"),
            "the number 18446744073709551616 is too large; use a string for it (line 1)");
  EXPECT_EQ(error_of("\"\xff\"").substr(0, 12), "is not JSON:");
  EXPECT_EQ(parse_json("[1,2,3]", 3).error().code, Code::kTooLarge);
  std::string wide = "{";
  for (int i = 0; i < 200; ++i) wide += "\"k" + std::to_string(i) + "\":1,";
  EXPECT_EQ(error_of(wide + "\"k7\":1}"), "the key \"k7\" is there twice; keep one of them (line 1)");
}

}  // namespace
}  // namespace tidegate::resource

#include "resource/definition.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "resource/structural.h"
#include "resource/structural_formats.h"
#include "resource/version_order.h"
#include "resource/yaml.h"

namespace tidegate::resource {
namespace {

Json yaml(std::string_view text) {
  auto documents = parse_documents("test.yaml", text);
  EXPECT_TRUE(documents.has_value());
  return *documents->front().json;
}

std::shared_ptr<const Structural> structural(std::string_view text) {
  std::vector<Error> errors;
  auto made = Structural::read(yaml(text), "", errors);
  EXPECT_TRUE(errors.empty()) << describe(errors.front());
  return made;
}

std::vector<std::string> wrong(const Structural& schema, std::string_view document) {
  std::vector<Error> errors;
  schema.validate(yaml(document), errors);
  std::vector<std::string> texts;
  for (const Error& error : errors) texts.push_back(error.field + ": " + error.message);
  return texts;
}

constexpr std::string_view kSchema = R"(
type: object
required: [a]
properties:
  a: {type: integer, minimum: 1, exclusiveMinimum: true, multipleOf: 2}
  b: {type: array, maxItems: 1, items: {type: string, default: x}, default: [y]}
  c: {type: object, properties: {d: {type: string, default: z}}}
  e: {type: object, additionalProperties: {type: object, properties: {f: {type: boolean, default: true}}}}
  g: {type: string, nullable: true}
  h: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
  i: {type: object, oneOf: [{required: [j]}, {required: [k]}], properties: {j: {type: string}, k: {type: string}}}
  l: {type: string, not: {enum: [bad]}}
)";

TEST(Structurals, FillInDefaultsAtEveryDepth) {
  const auto schema = structural(kSchema);
  Json document = yaml("{a: 2, b: null, c: {}, e: {one: {}, two: {f: false}}, g: null}");
  schema->set_defaults(document);
  EXPECT_EQ(document, yaml("{a: 2, b: [y], c: {d: z}, e: {one: {f: true}, two: {f: false}}, g: null}"));
  EXPECT_TRUE(schema->has_defaults());
}

TEST(Structurals, SayWhatIsWrong) {
  const auto schema = structural(kSchema);
  EXPECT_TRUE(wrong(*schema, "{a: 4, b: [x], g: null, h: 1, i: {j: x}, l: good}").empty());
  using Texts = std::vector<std::string>;
  EXPECT_EQ(wrong(*schema, "{}"), Texts{"a: Required value"});
  EXPECT_EQ(wrong(*schema, "{a: 1}"), (Texts{"a: Invalid value: 1: a in body should be greater than 1",
                                            "a: Invalid value: 1: a in body should be a multiple of 2"}));
  EXPECT_EQ(wrong(*schema, "{a: 2.5}"),
            Texts{R"(a: Invalid value: "number": a in body must be of type integer: "number")"});
  EXPECT_TRUE(wrong(*schema, "{a: 2.0}").empty());
  EXPECT_EQ(wrong(*schema, "{a: 2, b: [x, y]}"), Texts{"b: Too many: 2: must have at most 1 items"});
  EXPECT_EQ(wrong(*schema, "{a: 2, e: {x: {f: 1}}}"),
            Texts{R"(e.x.f: Invalid value: "integer": e.x.f in body must be of type boolean: "integer")"});
  EXPECT_EQ(wrong(*schema, "{a: 2, h: true}").size(), 1);
  EXPECT_EQ(wrong(*schema, "{a: 2, i: {j: x, k: y}}").size(), 1);
  EXPECT_EQ(wrong(*schema, "{a: 2, i: {}}").size(), 1);
  EXPECT_EQ(wrong(*schema, "{a: 2, l: bad}").size(), 1);
}

// What the rules say of a document, or of a change.
std::vector<std::string> ruled(const Structural& schema, std::string_view document, std::string_view before = {}) {
  const Json old = before.empty() ? Json() : yaml(before);
  std::vector<Error> errors;
  schema.check_rules(yaml(document), before.empty() ? nullptr : &old, errors);
  std::vector<std::string> texts;
  for (const Error& error : errors) texts.push_back(error.field + ": " + error.message);
  return texts;
}

constexpr std::string_view kRuled = R"yaml(
type: object
x-kubernetes-validations:
- {rule: "!has(self.a) || self.a != 13", message: not that one}
properties:
  a: {type: integer, x-kubernetes-validations: [{rule: self == oldSelf, message: a stays}]}
  b:
    type: object
    x-kubernetes-validations:
    - {rule: self.min <= self.max, messageExpression: "'at most ' + string(self.max)", fieldPath: .min}
    - {rule: "self.min > 0", reason: FieldValueForbidden}
    properties: {min: {type: integer}, max: {type: integer}}
  c:
    type: array
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [name]
    items:
      type: object
      x-kubernetes-validations: [{rule: self.size >= oldSelf.size, message: never less}]
      properties: {name: {type: string}, size: {type: integer}}
  d: {type: string, x-kubernetes-validations: [{rule: quantity(self) > 1}, {rule: "self < 3"}]}
)yaml";

TEST(Rules, AreCheckedWhereTheyStand) {
  const auto schema = structural(kRuled);
  using Texts = std::vector<std::string>;
  EXPECT_EQ(ruled(*schema, "{a: 1, b: {min: 1, max: 2}, c: [{name: x, size: 1}], d: x}"), Texts{});
  EXPECT_EQ(ruled(*schema, "{a: 13, b: {min: 3, max: 2}}"),
            (Texts{"<nil>: Invalid value: \"object\": not that one", "b.min: Invalid value: \"object\": at most 2"}));
  EXPECT_EQ(ruled(*schema, "{b: {min: 0, max: 2}}"), Texts{"b: Forbidden: failed rule: self.min > 0"});
  EXPECT_EQ(ruled(*schema, "{b: {min: 1}}"),
            Texts{"b.min: Invalid value: \"object\": no such key: max evaluating rule: failed rule: self.min <= self.max"});
}

TEST(Rules, OfChangesLookAtWhatWasThere) {
  const auto schema = structural(kRuled);
  using Texts = std::vector<std::string>;
  EXPECT_EQ(ruled(*schema, "{a: 2, c: [{name: y, size: 1}, {name: x, size: 1}]}", "{c: [{name: x, size: 1}]}"), Texts{});
  EXPECT_EQ(ruled(*schema, "{a: 2, c: [{name: y, size: 1}, {name: x, size: 1}]}", "{a: 1, c: [{name: x, size: 2}]}"),
            (Texts{"a: Invalid value: \"integer\": a stays", "c[1]: Invalid value: \"object\": never less"}));
}

TEST(Rules, ThatAreNotCheckedAreTold) {
  EXPECT_EQ(why_unchecked({{"rule", "self.a > 1"}}), "");
  EXPECT_EQ(why_unchecked({{"rule", "quantity(self) > 1"}}), "the function quantity is not understood here");
  EXPECT_NE(why_unchecked({{"rule", "true"}, {"optionalOldSelf", true}}), "");
}

TEST(Structurals, AreRefusedWithTheirPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"{type: object, properties: {a: {}}}", ".properties[a].type"},
      {"{type: object, properties: {a: {type: [x]}}}", ".properties[a].type"},
      {"{type: object, properties: [a]}", ".properties"},
      {"{type: array, items: {type: string}}", ".type"},
      {"{type: object, properties: {a: {type: array}}}", ".properties[a].items"},
      {"{type: object, properties: {a: {type: string, pattern: '('}}}", ".properties[a].pattern"},
      {"{type: object, properties: {a: {type: string, minLength: x}}}", ".properties[a].minLength"},
      {"{type: object, properties: {a: {type: string, default: 1}}}", ".properties[a].default"},
      {"{type: object, additionalProperties: {type: string}}", ".additionalProperties"}};
  for (const auto& [text, place] : cases) {
    std::vector<Error> errors;
    (void)Structural::read(yaml(text), "", errors);
    ASSERT_FALSE(errors.empty()) << text;
    EXPECT_EQ(errors.front().field, place) << text;
  }
}

TEST(Formats, KnowTheirTexts) {
  EXPECT_TRUE(has_format("date-time", "2024-02-29T23:59:60.5Z"));
  EXPECT_FALSE(has_format("date-time", "2024-02-29"));
  EXPECT_TRUE(has_format("ipv6", "::1"));
  EXPECT_FALSE(has_format("ipv4", "::1"));
  EXPECT_TRUE(has_format("cidr", "10.0.0.0/8"));
  EXPECT_FALSE(has_format("cidr", "10.0.0.0/33"));
  EXPECT_FALSE(has_format("uuid", "x"));
  EXPECT_TRUE(has_format("unheard-of", "x"));
}

TEST(Versions, StableOnesComeFirst) {
  EXPECT_TRUE(version_before("v10", "v2"));
  EXPECT_TRUE(version_before("v1", "v2beta1"));
  EXPECT_TRUE(version_before("v1beta2", "v1beta1"));
  EXPECT_TRUE(version_before("v1beta1", "v2alpha1"));
  EXPECT_TRUE(version_before("v1alpha1", "foo"));
  EXPECT_TRUE(version_before("bar", "foo"));
  EXPECT_FALSE(version_before("v1", "v1"));
}

}  // namespace
}  // namespace tidegate::resource

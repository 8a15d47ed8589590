#include "cel/expression.h"

#include <gtest/gtest.h>

namespace tidegate::cel {
namespace {

const Json kSelf = Json::parse(R"({"min":1,"max":3,"rate":1.5,"name":"a-b","on":true,"none":null,"none-yet":7,"namespace":"n",
  "tags":["x","y"],"ports":[{"name":"http","port":80},{"name":"tls","port":443}],"labels":{"app":"web","tier":"one"},
  "words":"Grüße"})");

// The value as JSON, or what is wrong.
std::string result(std::string_view text, std::size_t steps = 10'000) {
  const auto parsed = Expression::parse(text);
  if (!parsed) return "not read: " + parsed.error().message;
  Budget budget{steps};
  const auto value = parsed->evaluate({{"self", &kSelf}}, budget);
  if (!value) return (value.error().code == Code::kInvalid ? "wrong: " : "unfit: ") + value.error().message;
  return value->dump();
}

TEST(Expression, Operators) {
  for (const auto& [text, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"1 + 2 * 3 - 4 / 2", "5"},
           {"(1 + 2) * 3 % 4", "1"},
           {"-7 / 2", "-3"},
           {"- -1", "1"},
           {"-9223372036854775808", "-9223372036854775808"},
           {"0x1f", "31"},
           {"1.5e1 + 1", "16.0"},
           {"self.min <= self.max && self.rate > 1", "true"},
           {"self.min == 1.0 && 1 != 2", "true"},
           {"self.name == 'a-b' ? \"yes\" : 'no'", "\"yes\""},
           {"false ? 1 : true ? 2 : 3", "2"},
           {"!self.on || self.on", "true"},
           {"'x' in self.tags && !('z' in self.tags) && 'app' in self.labels", "true"},
           {"'abc' < 'abd'", "true"},
           {"'a' + \"b\" + '''c'd'''", "\"abc'd\""},
           {R"('\n\t\x41\u00e9\\')", R"("\n\tAé\\")"},
           {R"(r'\d' == '\\d')", "true"},
           {"[1, 2,] + [3]", "[1,2,3]"},
           {"{'a': 1, 'b': [2]}.b[0]", "2"},
           {"self.ports[1].name", "\"tls\""},
           {"self.labels['tier']", "\"one\""},
           {"self.__namespace__ + string(self.none__dash__yet)", "\"n7\""},
           {"{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "true"},
           {"1 == '1'", "false"},
           {"true // as it is", "true"},
       }) {
    EXPECT_EQ(result(text), wanted) << text;
  }
}

TEST(Expression, FieldsThatMayBeAbsent) {
  EXPECT_EQ(result("has(self.min) && !has(self.other) && !has(self.none)"), "true");
  EXPECT_EQ(result("!has(self.other) || self.other > 3"), "true");
  EXPECT_EQ(result("self.other > 3 || true"), "true");  // the other side decides
  EXPECT_EQ(result("self.other > 3 && false"), "false");
  EXPECT_EQ(result("self.other > 3"), "wrong: no such key: other");
  EXPECT_EQ(result("self.other > 3 || false"), "wrong: no such key: other");
}

TEST(Expression, ListsAndMaps) {
  for (const auto& [text, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"self.ports.all(p, p.port > 0)", "true"},
           {"self.ports.all(p, p.port > 80)", "false"},
           {"self.ports.exists(p, p.name == 'tls')", "true"},
           {"self.ports.exists_one(p, p.port > 0)", "false"},
           {"self.ports.filter(p, p.port > 80).map(q, q.name)", "[\"tls\"]"},
           {"self.ports.map(p, p.port > 80, p.port)", "[443]"},
           {"self.ports.all(p, self.ports.exists_one(q, q.name == p.name))", "true"},
           {"self.labels.all(key, self.labels[key] != '')", "true"},
           {"size(self.tags) == 2 && self.labels.size() == 2 && size('') == 0", "true"},
           {"[3, 1, 2].max() + [3, 1, 2].min() + [1, 2].sum()", "7"},
           {"[1, 2, 2].isSorted() && ![2, 1].isSorted()", "true"},
           {"['a', 'b', 'a'].lastIndexOf('a') - ['a'].indexOf('b')", "3"},
       }) {
    EXPECT_EQ(result(text), wanted) << text;
  }
}

TEST(Expression, Texts) {
  for (const auto& [text, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"self.name.contains('-') && self.name.startsWith('a') && self.name.endsWith('b')", "true"},
           {"self.name.matches('^[a-z]-[a-z]$') && matches('ab', 'b')", "true"},
           {"size(self.words)", "5"},
           {"self.words.substring(2, 4) + self.words.substring(4)", "\"üße\""},
           {"self.words.indexOf('ß') + 'aba'.lastIndexOf('a')", "5"},
           {"'Ab'.lowerAscii() + 'Ab'.upperAscii() + ' c '.trim()", "\"abABc\""},
           {"'a,b,,c'.split(',')", R"(["a","b","","c"])"},
           {"'üa'.split('')", R"(["ü","a"])"},
           {"['a', 'b'].join('-') + ['c'].join()", "\"a-bc\""},
           {"'aXbXc'.replace('X', '--')", "\"a--b--c\""},
           {"int('12') + int(3.9) + int(double('1.0'))", "16"},
           {"string(true) + string(1.5) + string(7)", "\"true1.57\""},
       }) {
    EXPECT_EQ(result(text), wanted) << text;
  }
}

TEST(Expression, SaysWhatIsWrong) {
  for (const auto& [text, wanted] : std::vector<std::pair<std::string, std::string>>{
           {"1 / 0", "wrong: division by zero"},
           {"9223372036854775807 + 1", "wrong: integer overflow"},
           {"self.tags[2]", "wrong: index out of bounds: 2"},
           {"int('x')", "wrong: int(): cannot read \"x\""},
           {"'a'.substring(0, 2)", "wrong: substring(): index out of range"},
           {"'a'.matches('(')", "wrong: the pattern cannot be read: missing ): ("},
           {"'a' < 1", "unfit: '<' does not fit the values it is about"},
           {"other", "unfit: the name other does not fit the values it is about"},
           {"1 +", "not read: its end is not understood here"},
           {"quantity('1')", "not read: the function quantity is not understood here"},
           {"self.?a", "not read: '.?' is not understood here"},
           {"'a", "not read: ''' is not understood here"},
           {"(1", "not read: '(' without ')' is not understood here"},
           {"1 2", "not read: '2' is not understood here"},
           {"12u", "not read: the number 12u is not understood here"},
       }) {
    EXPECT_EQ(result(text), wanted) << text;
  }
}

TEST(Expression, IsBounded) {
  EXPECT_EQ(result(std::string(50, '(') + "1" + std::string(50, ')')), "not read: it is nested too deeply");
  std::string sum = "1";
  for (int i = 0; i < 1000; ++i) sum += "+1";
  EXPECT_EQ(result(sum), "not read: it has more than 1000 parts");
  EXPECT_EQ(result(std::string(20'000, ' ')), "not read: it has more than 10000 bytes");
  const std::string many = "[1,2,3,4,5,6,7,8,9,10]";
  EXPECT_EQ(result(many + ".all(a, " + many + ".all(b, " + many + ".all(c, " + many + ".all(d, a + b + c + d > 0))))"),
            "wrong: the rules of this object cost too much to evaluate");
  EXPECT_EQ(result("self.tags.map(a, self).map(a, self).size() > 0", 20),
            "wrong: the rules of this object cost too much to evaluate");
}

TEST(Expression, KnowsItsVariables) {
  EXPECT_TRUE(Expression::parse("self.a == oldSelf.a")->mentions("oldSelf"));
  EXPECT_FALSE(Expression::parse("self.oldSelf == 'oldSelf'")->mentions("oldSelf"));
}

}  // namespace
}  // namespace tidegate::cel

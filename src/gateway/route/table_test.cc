#include "gateway/route/table.h"

#include <gtest/gtest.h>

#include <map>

namespace tidegate::route {
namespace {

Match path(PathMatch::Kind kind, std::string value) {
  Match match;
  match.path = {kind, std::move(value)};
  return match;
}

Match header(std::string name, StringMatch::Kind kind, std::string value) {
  Match match;
  match.headers.push_back({std::move(name), {kind, std::move(value)}});
  return match;
}

Rule rule(std::string name, std::vector<Match> matches = {}) {
  return {std::move(name), std::move(matches), {{0, 1}}};
}

Route http_route(std::string name, std::vector<std::string> hosts, std::vector<Rule> rules,
                 std::string created = "2026-01-01T00:00:00Z") {
  return {Family::kHttpRoute, std::move(name), std::move(created), std::move(hosts), std::move(rules)};
}

Route llm_route(std::string name, std::vector<std::string> hosts, std::vector<Rule> rules) {
  return {Family::kLlmRoute, std::move(name), "2026-01-01T00:00:00Z", std::move(hosts), std::move(rules)};
}

Table table_of(std::vector<Route> routes) {
  auto table = Table::build(std::move(routes));
  EXPECT_TRUE(table.has_value()) << table.error().field << " " << table.error().message;
  return *std::move(table);
}

struct Call {
  std::string host = "test.com";
  std::string target = "/v1/completions";
  std::string method = "POST";
  std::vector<http::Header> headers = {};
};

// The name of the rule that answers.
std::string answer(const Table& table, const Call& call) {
  const Matched matched = table.match({call.host, call.method, call.target, &call.headers});
  return matched ? matched.rule->name : "none";
}

TEST(Models, AreMatchedAsIfABodyWereAHeader) {
  const Table table = table_of({http_route(
      "models", {},
      {rule("llama", {header("X-Gateway-Model-Name", StringMatch::kExact, "llama")}),
       rule("base", {header("x-gateway-base-model-name", StringMatch::kRegex, "qwen.*")}), rule("rest")})});
  EXPECT_TRUE(table.asks_for_model());
  const std::vector<http::Header> lies = {{"X-Gateway-Model-Name", "llama"}};
  const auto answer_for = [&](std::string_view model, std::string_view base) {
    return table.match({"h", "POST", "/", &lies, model, base}).rule->name;
  };
  EXPECT_EQ(answer_for("llama", ""), "llama");
  EXPECT_EQ(answer_for("sql", "qwen-2"), "base");
  EXPECT_EQ(answer_for("sql", ""), "rest");
  EXPECT_EQ(answer_for("", ""), "rest");
  EXPECT_FALSE(table_of({http_route("any", {}, {rule("any")})}).asks_for_model());
}

TEST(Targets, AreAllThatAHostLeadsToUnderAPath) {
  Rule a = rule("a", {path(PathMatch::kPrefix, "/v1")});
  a.destinations = {{1, 1}, {2, 1}, {Destination::kBroken, 1}};
  Rule b = rule("b", {header("x", StringMatch::kExact, "y")});
  b.destinations = {{2, 1}, {3, 1}};
  Rule c = rule("c", {path(PathMatch::kExact, "/other")});
  c.destinations = {{4, 1}};
  const Table table = table_of({http_route("r", {"test.com"}, {a, b, c}), http_route("s", {}, {rule("d")})});
  EXPECT_EQ(table.targets("TEST.com:80", "/v1/models?x"), (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(table.targets("else", "/v1/models"), (std::vector<std::uint32_t>{0}));
}

TEST(Hosts, TheMostSpecificDecidesAlone) {
  const Table table =
      table_of({http_route("any", {}, {rule("any")}), http_route("wild", {"*.com"}, {rule("wild")}),
                http_route("wilder", {"*.test.com"}, {rule("wilder")}),
                http_route("exact", {"test.com"}, {rule("exact", {path(PathMatch::kPrefix, "/v1")})})});
  EXPECT_EQ(answer(table, {"test.com"}), "exact");
  EXPECT_EQ(answer(table, {"TEST.com:8080"}), "exact");
  EXPECT_EQ(answer(table, {"test.com."}), "exact");
  EXPECT_EQ(answer(table, {"test.com", "/other"}), "none");
  EXPECT_EQ(answer(table, {"a.b.test.com"}), "wilder");
  EXPECT_EQ(answer(table, {"other.com"}), "wild");
  EXPECT_EQ(answer(table, {"com"}), "any");
  EXPECT_EQ(answer(table, {""}), "any");
  EXPECT_EQ(answer(table, {"[::1]:8080"}), "any");
  EXPECT_EQ(answer(table, {std::string(300, 'a')}), "any");
}

TEST(Hosts, AWildcardNeverMatchesItsOwnApex) {
  const Table table = table_of({http_route("wild", {"*.test.com"}, {rule("wild")})});
  EXPECT_EQ(answer(table, {"test.com"}), "none");
  EXPECT_EQ(answer(table, {"a.test.com"}), "wild");
  EXPECT_EQ(answer(table, {"atest.com"}), "none");
}

TEST(Hosts, PortsAndBracketsAreTakenOff) {
  EXPECT_EQ(host_of("test.com:80"), "test.com");
  EXPECT_EQ(host_of("[fd00::7]:80"), "fd00::7");
  EXPECT_EQ(host_of("[fd00::7"), "[fd00::7");
  EXPECT_EQ(host_of(""), "");
}

TEST(Paths, PrefixesMatchByElement) {
  const Table table = table_of({http_route("r", {}, {rule("abc", {path(PathMatch::kPrefix, "/abc/")})})});
  EXPECT_EQ(answer(table, {"h", "/abc"}), "abc");
  EXPECT_EQ(answer(table, {"h", "/abc/"}), "abc");
  EXPECT_EQ(answer(table, {"h", "/abc/d?x=/y"}), "abc");
  EXPECT_EQ(answer(table, {"h", "/abc?x"}), "abc");
  EXPECT_EQ(answer(table, {"h", "/abcd"}), "none");
  EXPECT_EQ(answer(table, {"h", "/"}), "none");
}

TEST(Paths, ExactBeatsRegexBeatsLongestPrefix) {
  const Table table = table_of({http_route(
      "r", {},
      {rule("root", {path(PathMatch::kPrefix, "/")}), rule("v1", {path(PathMatch::kPrefix, "/v1")}),
       rule("v1chat", {path(PathMatch::kPrefix, "/v1/chat")}),
       rule("regex", {path(PathMatch::kRegex, "/v1/e.*")}),
       rule("exact", {path(PathMatch::kExact, "/v1/embeddings")})})});
  EXPECT_EQ(answer(table, {"h", "/v1/embeddings"}), "exact");
  EXPECT_EQ(answer(table, {"h", "/v1/embed"}), "regex");
  EXPECT_EQ(answer(table, {"h", "/x/v1/embed"}), "root");
  EXPECT_EQ(answer(table, {"h", "/v1/chat/completions"}), "v1chat");
  EXPECT_EQ(answer(table, {"h", "/v1/x"}), "v1");
}

TEST(Paths, AMatchSaysWhetherItNamesThePath) {
  const Table table =
      table_of({http_route("r", {}, {rule("root"), rule("metrics", {path(PathMatch::kExact, "/metrics")})})});
  const std::vector<http::Header> none;
  EXPECT_FALSE(table.match({"h", "GET", "/sleep", &none}).names_path);
  EXPECT_TRUE(table.match({"h", "GET", "/metrics", &none}).names_path);
}

TEST(Precedence, MethodThenHeadersThenQueryThenAge) {
  Match post;
  post.method = "POST";
  Match two_headers = header("a", StringMatch::kPresent, "");
  two_headers.headers.push_back({"b", {StringMatch::kPresent, ""}});
  Match query;
  query.query.push_back({"q", {StringMatch::kExact, "1 2"}});
  const Table table = table_of(
      {http_route("ns/young", {}, {rule("young")}, "2026-02-01T00:00:00Z"),
       http_route("ns/b", {}, {rule("b-first"), rule("b-second")}), http_route("ns/a", {}, {rule("a-first")}),
       http_route("ns/z", {},
                  {rule("query", {query}), rule("one", {header("a", StringMatch::kPresent, "")}),
                   rule("two", {two_headers}), rule("post", {post})},
                  "2026-03-01T00:00:00Z")});
  EXPECT_EQ(answer(table, {"h", "/", "POST", {{"a", "1"}, {"b", "1"}}}), "post");
  EXPECT_EQ(answer(table, {"h", "/?q=1+2", "GET", {{"A", "1"}, {"b", "1"}}}), "two");
  EXPECT_EQ(answer(table, {"h", "/?q=1+2", "GET", {{"a", "1"}}}), "one");
  EXPECT_EQ(answer(table, {"h", "/?x=1&q=1%202&q=3", "GET", {}}), "query");
  EXPECT_EQ(answer(table, {"h", "/?q=12", "GET", {}}), "a-first");
}

TEST(Precedence, LlmRulesGoInListOrderBehindHttpRoutes) {
  const Table table =
      table_of({llm_route("ns/llm", {"test.com"},
                          {rule("exact", {header("x-user", StringMatch::kExact, "ann")}),
                           rule("prefix-or-regex", {header("x-user", StringMatch::kPrefix, "an"),
                                                    header("x-team", StringMatch::kRegex, "a+b")}),
                           rule("default"), rule("never", {header("x-user", StringMatch::kExact, "bob")})}),
                http_route("ns/http", {"test.com"},
                           {rule("embeddings", {path(PathMatch::kPrefix, "/v1/embeddings")})})});
  EXPECT_EQ(answer(table, {"test.com", "/v1/completions", "POST", {{"X-User", "ann"}}}), "exact");
  EXPECT_EQ(answer(table, {"test.com", "/v1/completions", "POST", {{"x-user", "anna"}}}), "prefix-or-regex");
  EXPECT_EQ(answer(table, {"test.com", "/v1/completions", "POST", {{"x-team", "aab"}}}), "prefix-or-regex");
  EXPECT_EQ(answer(table, {"test.com", "/v1/completions", "POST", {{"x-team", "aabc"}}}), "default");
  EXPECT_EQ(answer(table, {"test.com", "/v1/completions", "POST", {{"x-user", "bob"}}}), "default");
  EXPECT_EQ(answer(table, {"test.com", "/v1/embeddings", "POST", {{"x-user", "ann"}}}), "embeddings");
}

TEST(Matches, FieldsOfOneMatchMustAllHold) {
  Match both = header("a", StringMatch::kExact, "1");
  both.headers.push_back({"b", {StringMatch::kExact, "2"}});
  const Table table = table_of({llm_route("ns/l", {}, {rule("both", {both})})});
  EXPECT_EQ(answer(table, {"h", "/", "GET", {{"a", "1"}, {"b", "2"}}}), "both");
  EXPECT_EQ(answer(table, {"h", "/", "GET", {{"a", "1"}}}), "none");
  EXPECT_EQ(answer(table, {"h", "/", "GET", {{"a", "1"}, {"b", "1"}, {"b", "2"}}}),
            "none");  // the first of a name counts
}

TEST(Draw, SharesFollowTheWeights) {
  Rule split{"r", {}, {{7, 70}, {8, 0}, {9, 30}}};
  EXPECT_EQ(draw(split, 0)->target, 7U);
  EXPECT_EQ(draw(split, ~std::uint64_t{0})->target, 9U);
  std::map<std::uint32_t, int> count;
  for (std::uint64_t i = 0; i < 10'000; ++i) ++count[draw(split, i * (~std::uint64_t{0} / 10'000))->target];
  EXPECT_NEAR(count[7], 7000, 2);
  EXPECT_EQ(count[8], 0);
  split.destinations = {{7, 0}};
  EXPECT_EQ(draw(split, 5), nullptr);
  split.destinations = {};
  EXPECT_EQ(draw(split, 5), nullptr);
}

TEST(Build, BrokenExpressionsNameTheirField) {
  const auto broken =
      Table::build({http_route("r", {}, {rule("ok"), rule("bad", {path(PathMatch::kRegex, "(")})})});
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().field, "rules[1].matches[0].path.value");
  const auto header_broken =
      Table::build({http_route("r", {}, {rule("bad", {header("a", StringMatch::kRegex, "[")})})});
  ASSERT_FALSE(header_broken.has_value());
  EXPECT_EQ(header_broken.error().field, "rules[0].matches[0].headers[0].value");
  EXPECT_FALSE(compiles(std::string(5000, 'a')).has_value());
  EXPECT_FALSE(compiles("((a{100}){100}){100}").has_value());
  EXPECT_TRUE(compiles("a.*b").has_value());
}

TEST(Build, AnEmptyTableMatchesNothing) {
  EXPECT_EQ(answer(Table(), {"h"}), "none");
  EXPECT_EQ(Table().size(), 0U);
}

}  // namespace
}  // namespace tidegate::route

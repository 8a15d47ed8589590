#include "gateway/route/filters.h"

#include <gtest/gtest.h>

namespace tidegate::route {
namespace {

// The cases of the Gateway API's conformance suite for path rewrites and redirects.
TEST(PathEdits, PrefixesAreReplacedByElements) {
  const auto prefix = [](const char* to, const char* target, const char* matched) {
    return edited({PathEdit::kPrefix, to}, target, matched);
  };
  EXPECT_EQ(prefix("/one", "/prefix/one/two", "/prefix/one"), "/one/two");
  EXPECT_EQ(prefix("/one", "/strip-prefix/three", "/strip-prefix"), "/one/three");
  EXPECT_EQ(prefix("/", "/strip-prefix/three", "/strip-prefix"), "/three");
  EXPECT_EQ(prefix("/", "/strip-prefix", "/strip-prefix"), "/");
  EXPECT_EQ(prefix("", "/foo", "/foo"), "/");
  EXPECT_EQ(prefix("", "/foo/bar", "/foo"), "/bar");
  EXPECT_EQ(prefix("/xyz", "/foo/bar", "/foo"), "/xyz/bar");
  EXPECT_EQ(prefix("/xyz/", "/foo/bar", "/foo"), "/xyz/bar");
  EXPECT_EQ(prefix("/xyz", "/foo/", "/foo"), "/xyz/");
  EXPECT_EQ(prefix("/xyz", "/foo", "/foo"), "/xyz");
  EXPECT_EQ(prefix("/team", "/v1/models?x=1", ""), "/team/v1/models?x=1");
}

TEST(PathEdits, TheWholePathIsReplacedAndTheQueryKept) {
  EXPECT_EQ(edited({PathEdit::kFull, "/one"}, "/full/one/two", "/full"), "/one");
  EXPECT_EQ(edited({PathEdit::kFull, "/one"}, "/full?a=/b", "/full"), "/one?a=/b");
  EXPECT_EQ(edited({PathEdit::kFull, ""}, "/full", "/full"), "/");
  EXPECT_EQ(edited({}, "/full?x", "/full"), "/full?x");
}

TEST(Redirects, SchemeAndPortFollowTheRules) {
  const Origin plain{"example.org", 80, false};
  const Origin odd{"example.org", 8080, false};
  const Origin secure{"example.org", 443, true};
  const Origin secure_odd{"example.org", 8443, true};
  const auto to = [](const Redirect& redirect, const Origin& origin) {
    return location(redirect, origin, "/p?q", "");
  };
  EXPECT_EQ(to({.scheme = "", .host = "", .path = {}}, plain), "http://example.org/p?q");
  EXPECT_EQ(to({.scheme = "", .host = "a.org", .path = {}}, odd), "http://a.org:8080/p?q");
  EXPECT_EQ(to({.scheme = "https", .host = "", .path = {}}, odd), "https://example.org/p?q");
  EXPECT_EQ(to({.scheme = "http", .host = "", .path = {}}, secure), "http://example.org/p?q");
  EXPECT_EQ(to({.scheme = "", .host = "", .path = {}}, secure), "https://example.org/p?q");
  EXPECT_EQ(to({.scheme = "", .host = "", .path = {}}, secure_odd), "https://example.org:8443/p?q");
  EXPECT_EQ(to({.scheme = "http", .host = "", .path = {}, .port = 8080}, secure),
            "http://example.org:8080/p?q");
  EXPECT_EQ(to({.scheme = "https", .host = "", .path = {}, .port = 443}, plain), "https://example.org/p?q");
  EXPECT_EQ(to({.scheme = "https", .host = "", .path = {}, .port = 80}, plain), "https://example.org:80/p?q");
  EXPECT_EQ(to({.scheme = "", .host = "", .path = {}, .port = 80}, odd), "http://example.org/p?q");
  EXPECT_EQ(to({.scheme = "", .host = "", .path = {PathEdit::kFull, "/full"}}, {"::1", 81, false}),
            "http://[::1]:81/full?q");
}

TEST(HeaderEdits, LaterEditsWorkOnWhatEarlierOnesLeft) {
  HeaderEdits first;
  first.set("X-A", "1");
  first.add("X-B", "2");
  first.remove("X-C");
  HeaderEdits second;
  second.add("x-a", "3");
  second.set("x-b", "4");
  second.add("x-c", "5");
  second.remove("x-d");
  const HeaderEdits both = first.joined(second);
  ASSERT_EQ(both.all().size(), 4U);
  EXPECT_EQ(both.all()[0].values, (std::vector<std::string>{"1", "3"}));
  EXPECT_FALSE(both.all()[0].keeps);
  EXPECT_EQ(both.all()[1].values, (std::vector<std::string>{"4"}));
  EXPECT_FALSE(both.all()[1].keeps);
  EXPECT_EQ(both.all()[2].values, (std::vector<std::string>{"5"}));
  EXPECT_TRUE(both.drops("X-c"));
  EXPECT_TRUE(both.drops("X-D"));
  EXPECT_FALSE(first.drops("X-B"));
}

TEST(Filters, ADestinationsFiltersComeBehindTheRules) {
  Filters rule;
  rule.request.set("x", "rule");
  rule.mirrors.push_back({1});
  Filters destination;
  destination.request.add("x", "destination");
  const auto both =
      joined(std::make_shared<const Filters>(rule), std::make_shared<const Filters>(destination));
  EXPECT_EQ(both->request.all()[0].values, (std::vector<std::string>{"rule", "destination"}));
  EXPECT_EQ(both->mirrors.size(), 1U);
  EXPECT_EQ(joined(nullptr, nullptr), nullptr);
}

}  // namespace
}  // namespace tidegate::route

// Which rule of which route a request matches: host, then path, method, headers, query.
//
// Both route families compile into one table per listener:
//   HTTPRoute (Gateway API): Exact path > regex path (longer expression first; the API leaves its place open,
//   and behind
//     prefixes a "/" would shadow it) > longest prefix (by element: /abc is no prefix of /abcd) > method >
//     header count > query count > oldest route > namespace/name > first rule.
//   LLMRoute (ASM): rules in list order, first match wins; it has no path, so it stands where an HTTPRoute
//   with "/" would,
//     behind HTTPRoutes that say the same about path and method.
// Hosts: exact beats wildcard, a longer wildcard beats a shorter one, "*" comes last. The most specific host
// that has a route decides alone; requests do not fall through to a less specific one. A port in Host is
// ignored. "*.x" matches any depth, never x itself.
//
// The path is compared as it was sent, without its query and without decoding.
//
// Sources: Gateway API HTTPRoute v1; ASM LLMRoute; Istio Gateway hosts.
// Thread: immutable once built; any thread. No allocation in match().

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/route/filters.h"
#include "http/head.h"

namespace tidegate::route {

struct StringMatch {
  enum Kind : std::uint8_t { kPresent, kExact, kPrefix, kRegex };
  Kind kind = kExact;
  std::string value;  // an RE2 expression for kRegex, matched against the whole text
};

struct NamedMatch {
  std::string name;  // a header's (compared without case) or a query parameter's
  StringMatch match;
};

struct PathMatch {
  enum Kind : std::uint8_t { kPrefix, kExact, kRegex };
  Kind kind = kPrefix;
  std::string value = "/";
};

struct Match {
  PathMatch path;
  std::string method;  // empty: any
  std::vector<NamedMatch> headers;
  std::vector<NamedMatch> query;
};

// Where a rule sends its share. The number is the snapshot's; this room does not look inside.
struct Destination {
  static constexpr std::uint32_t kBroken =
      0xFFFFFFFF;  // an invalid reference: its share is answered with 500
  std::uint32_t target = kBroken;
  std::uint32_t weight = 1;
  FiltersPtr filters = {};      // its rule's and its own
  bool takes_any_path = false;  // not only those of inference APIs
};

struct Rule {
  std::string name;            // may be empty
  std::vector<Match> matches;  // ORed; empty matches everything
  std::vector<Destination> destinations;
  std::optional<Duration> request_timeout = {};  // the whole exchange, retries included; 0 turns it off
  std::optional<Duration> attempt_timeout = {};  // one try of one endpoint; 0 turns it off
  FiltersPtr filters = {};                       // for rules that lead nowhere: a redirect
};

enum class Family : std::uint8_t { kHttpRoute, kLlmRoute };

struct Route {
  Family family = Family::kHttpRoute;
  std::string name;                // "namespace/name"
  std::string created;             // RFC 3339; older wins
  std::vector<std::string> hosts;  // lower case; empty or "*": any
  std::vector<Rule> rules;
};

// A request as far as routing looks at it.
struct Request {
  std::string_view host;  // Host or authority, may carry a port
  std::string_view method;
  std::string_view target;  // origin form
  const std::vector<http::Header>* headers = nullptr;
  // What the headers kModelHeader and kBaseModelHeader stand for; a client's own do not count.
  std::string_view model = {};
  std::string_view base_model = {};
};

// Names under which header matches see the model that a body names, and its base.
inline constexpr std::string_view kModelHeader = "x-gateway-model-name";
inline constexpr std::string_view kBaseModelHeader = "x-gateway-base-model-name";

struct Matched {
  const Route* route = nullptr;
  const Rule* rule = nullptr;
  bool names_path = false;  // the match names an exact path, a regex or a prefix longer than "/"
  std::string_view prefix;  // of a prefix match, without a closing "/"
  explicit operator bool() const { return rule != nullptr; }
};

// Draws a destination by weight; null if every weight is 0 or there is none. `point` as in
// rewrite::Split::draw.
const Destination* draw(const Rule& rule, std::uint64_t point);

class Table {
 public:
  Table();
  ~Table();
  Table(Table&&) noexcept;
  Table& operator=(Table&&) noexcept;

  // Errors: kInvalid with field "rules[i].matches[j]..." if an expression does not compile; see compiles().
  static Result<Table> build(std::vector<Route> routes);

  Matched match(const Request& request) const;

  // Some match looks at the model: the body must be read first.
  bool asks_for_model() const;

  // Everything that rules of this host lead to whose path match lets `target` in, each once.
  std::vector<std::uint32_t> targets(std::string_view host, std::string_view target) const;

  std::size_t size() const;  // entries: one per match of a rule of a host

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether RE2 takes the expression. Errors: kInvalid with its message.
Result<void> compiles(std::string_view expression);

// Without the port, and of an IPv6 literal without the brackets.
std::string_view host_of(std::string_view authority);

}  // namespace tidegate::route

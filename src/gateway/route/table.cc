#include "gateway/route/table.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/ascii.h"
#include "gateway/route/pattern.h"
#include "gateway/route/query.h"

namespace tidegate::route {
namespace {

constexpr std::size_t kHostMax = 255;

struct Named {
  enum Source : std::uint8_t { kGiven, kModel, kBaseModel };
  std::string name;
  Pattern pattern;
  Source source = kGiven;
};

Named::Source source_of(std::string_view header) {
  if (ascii::equals_ignoring_case(header, kModelHeader)) return Named::kModel;
  if (ascii::equals_ignoring_case(header, kBaseModelHeader)) return Named::kBaseModel;
  return Named::kGiven;
}

// One match of one rule, ready to be tried.
struct Entry {
  const Route* route = nullptr;
  const Rule* rule = nullptr;
  std::size_t rule_index = 0;
  std::size_t match_index = 0;
  PathMatch::Kind path_kind = PathMatch::kPrefix;
  std::string path;      // for prefixes without the closing "/"; empty: every path
  Pattern path_pattern;  // for kRegex
  std::string method;
  std::vector<Named> headers;
  std::vector<Named> query;
};

// Entries in order of precedence.
using Order = std::vector<const Entry*>;

int rank_of(PathMatch::Kind kind) {
  switch (kind) {
    case PathMatch::kExact:
      return 0;
    case PathMatch::kRegex:
      return 1;
    case PathMatch::kPrefix:
      return 2;
  }
  return 2;
}

bool precedes(const Entry* a, const Entry* b) {
  const auto path = [](const Entry& e) {
    return std::tuple(rank_of(e.path_kind), -static_cast<long>(e.path.size()), e.method.empty());
  };
  if (path(*a) != path(*b)) return path(*a) < path(*b);
  if (a->route->family != b->route->family) return a->route->family == Family::kHttpRoute;
  if (a->route->family == Family::kHttpRoute) {
    const auto counts = [](const Entry& e) { return std::tuple(e.headers.size(), e.query.size()); };
    if (counts(*a) != counts(*b)) return counts(*a) > counts(*b);
  }
  const auto age = [](const Entry& e) {
    return std::tie(e.route->created, e.route->name, e.rule_index, e.match_index);
  };
  return age(*a) < age(*b);
}

bool path_fits(const Entry& entry, std::string_view path) {
  switch (entry.path_kind) {
    case PathMatch::kExact:
      return path == entry.path;
    case PathMatch::kRegex:
      return entry.path_pattern.fits(path);
    case PathMatch::kPrefix:
      return path.starts_with(entry.path) &&
             (path.size() == entry.path.size() || entry.path.empty() || path[entry.path.size()] == '/');
  }
  return false;
}

const http::Header* find_header(const std::vector<http::Header>& headers, std::string_view name) {
  for (const http::Header& header : headers) {
    if (ascii::equals_ignoring_case(header.name, name)) return &header;
  }
  return nullptr;
}

bool header_fits(const Named& wanted, const Request& request) {
  if (wanted.source != Named::kGiven) {
    const std::string_view value = wanted.source == Named::kModel ? request.model : request.base_model;
    return !value.empty() && wanted.pattern.fits(value);
  }
  const http::Header* header =
      request.headers == nullptr ? nullptr : find_header(*request.headers, wanted.name);
  return header != nullptr && wanted.pattern.fits(header->value);
}

bool fits(const Entry& entry, const Request& request, std::string_view path, std::string_view query) {
  if (!path_fits(entry, path)) return false;
  if (!entry.method.empty() && entry.method != request.method) return false;
  for (const Named& wanted : entry.headers) {
    if (!header_fits(wanted, request)) return false;
  }
  for (const Named& wanted : entry.query) {
    const auto value = query_value(query, wanted.name);
    if (!value || !wanted.pattern.fits(*value)) return false;
  }
  return true;
}

Result<std::vector<Named>> compile(const std::vector<NamedMatch>& matches, const std::string& field) {
  std::vector<Named> result;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    auto pattern = Pattern::make(matches[i].match);
    if (!pattern) return invalid(field + "[" + std::to_string(i) + "].value", pattern.error().message);
    result.push_back({matches[i].name, *std::move(pattern), Named::kGiven});
  }
  return result;
}

Result<Entry> compile(const Match& match, const std::string& field) {
  Entry entry;
  entry.path_kind = match.path.kind;
  entry.path = match.path.value;
  entry.method = match.method;
  if (entry.path_kind == PathMatch::kPrefix) {
    while (!entry.path.empty() && entry.path.back() == '/') entry.path.pop_back();
  }
  if (entry.path_kind == PathMatch::kRegex) {
    auto pattern = Pattern::make({StringMatch::kRegex, match.path.value});
    if (!pattern) return invalid(field + ".path.value", pattern.error().message);
    entry.path_pattern = *std::move(pattern);
  }
  auto headers = compile(match.headers, field + ".headers");
  if (!headers) return tl::unexpected(headers.error());
  auto query = compile(match.query, field + ".queryParams");
  if (!query) return tl::unexpected(query.error());
  entry.headers = *std::move(headers);
  for (Named& header : entry.headers) header.source = source_of(header.name);
  entry.query = *std::move(query);
  return entry;
}

// Lets a map of strings be asked with views.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using HostMap = std::unordered_map<std::string, Order, TextHash, std::equal_to<>>;

}  // namespace

struct Table::State {
  std::vector<Route> routes;
  std::vector<Entry> entries;
  HostMap exact;     // "test.com"
  HostMap wildcard;  // "test.com" for "*.test.com"
  Order any;
  bool asks_for_model = false;

  const Order* order_for(std::string_view host) const {
    if (const auto found = exact.find(host); found != exact.end()) return &found->second;
    if (!wildcard.empty()) {
      for (std::size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
        if (const auto found = wildcard.find(host.substr(dot + 1)); found != wildcard.end())
          return &found->second;
      }
    }
    return any.empty() ? nullptr : &any;
  }

  // Of a Host or an authority as it came.
  const Order* order_at(std::string_view authority) const {
    std::array<char, kHostMax> buffer;
    std::string_view host = host_of(authority);
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.size() > buffer.size()) host = {};
    std::transform(host.begin(), host.end(), buffer.begin(), ascii::lower);
    return order_for({buffer.data(), host.size()});
  }
};

Table::Table() : state_(std::make_unique<State>()) {}
Table::~Table() = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;

Result<Table> Table::build(std::vector<Route> routes) {
  Table table;
  State& state = *table.state_;
  state.routes = std::move(routes);
  static const std::vector<Match> kEverything = {Match{}};
  for (const Route& route : state.routes) {
    for (std::size_t r = 0; r < route.rules.size(); ++r) {
      const Rule& rule = route.rules[r];
      const std::vector<Match>& matches = rule.matches.empty() ? kEverything : rule.matches;
      for (std::size_t m = 0; m < matches.size(); ++m) {
        auto entry =
            compile(matches[m], "rules[" + std::to_string(r) + "].matches[" + std::to_string(m) + "]");
        if (!entry) return tl::unexpected(entry.error());
        entry->route = &route;
        entry->rule = &rule;
        entry->rule_index = r;
        entry->match_index = m;
        state.entries.push_back(*std::move(entry));
      }
    }
  }
  // Entries no longer move: the orders may point to them.
  for (const Entry& entry : state.entries) {
    for (const Named& header : entry.headers)
      state.asks_for_model = state.asks_for_model || header.source != Named::kGiven;
    if (entry.route->hosts.empty()) state.any.push_back(&entry);
    for (const std::string& host : entry.route->hosts) {
      if (host == "*" || host.empty()) {
        state.any.push_back(&entry);
      } else if (host.starts_with("*.")) {
        state.wildcard[host.substr(2)].push_back(&entry);
      } else {
        state.exact[host].push_back(&entry);
      }
    }
  }
  const auto sort = [](Order& order) {
    std::sort(order.begin(), order.end(), precedes);
    order.erase(std::unique(order.begin(), order.end()), order.end());
  };
  sort(state.any);
  for (auto& [host, order] : state.exact) sort(order);
  for (auto& [host, order] : state.wildcard) sort(order);
  return table;
}

std::size_t Table::size() const {
  std::size_t size = state_->any.size();
  for (const auto& [host, order] : state_->exact) size += order.size();
  for (const auto& [host, order] : state_->wildcard) size += order.size();
  return size;
}

bool Table::asks_for_model() const { return state_->asks_for_model; }

std::vector<std::uint32_t> Table::targets(std::string_view host, std::string_view target) const {
  std::vector<std::uint32_t> found;
  const Order* order = state_->order_at(host);
  if (order == nullptr) return found;
  const std::string_view path = target.substr(0, target.find('?'));
  for (const Entry* entry : *order) {
    if (!path_fits(*entry, path)) continue;
    for (const Destination& destination : entry->rule->destinations) {
      const bool known = std::find(found.begin(), found.end(), destination.target) != found.end();
      if (!known && destination.target != Destination::kBroken) found.push_back(destination.target);
    }
  }
  return found;
}

Matched Table::match(const Request& request) const {
  const Order* order = state_->order_at(request.host);
  if (order == nullptr) return {};

  const std::size_t mark = std::min(request.target.find('?'), request.target.size());
  const std::string_view path = request.target.substr(0, mark);
  const std::string_view query = request.target.substr(std::min(mark + 1, request.target.size()));
  for (const Entry* entry : *order) {
    if (!fits(*entry, request, path, query)) continue;
    const bool is_prefix = entry->path_kind == PathMatch::kPrefix;
    return {entry->route, entry->rule, !is_prefix || !entry->path.empty(),
            is_prefix ? std::string_view(entry->path) : std::string_view()};
  }
  return {};
}

const Destination* draw(const Rule& rule, std::uint64_t point) {
  std::uint64_t total = 0;
  for (const Destination& destination : rule.destinations) total += destination.weight;
  if (total == 0) return nullptr;
  auto left = static_cast<std::uint64_t>((static_cast<unsigned __int128>(point) * total) >> 64);
  for (const Destination& destination : rule.destinations) {
    if (left < destination.weight) return &destination;
    left -= destination.weight;
  }
  return nullptr;  // not reached: left < total
}

Result<void> compiles(std::string_view expression) {
  auto pattern = Pattern::make({StringMatch::kRegex, std::string(expression)});
  if (!pattern) return tl::unexpected(pattern.error());
  return {};
}

std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    return close == std::string_view::npos ? authority : authority.substr(1, close - 1);
  }
  return authority.substr(0, authority.find(':'));
}

}  // namespace tidegate::route

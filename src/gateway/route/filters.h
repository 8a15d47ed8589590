// What a rule does to a request and its answer besides choosing where it goes: the filters of an HTTPRoute.
//
// A rule and a destination may both have header edits; joined() makes one list of two when routes are
// compiled, so that a request looks at one.
//
// Sources: Gateway API HTTPRoute v1.
// Thread: immutable once built; any thread.

#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"

namespace tidegate::route {

// What becomes of one header: whether what came stays, and what is put behind it.
struct HeaderEdit {
  std::string name;
  bool keeps = false;  // false: every field of that name that came is dropped
  std::vector<std::string> values = {};
};

class HeaderEdits {
 public:
  void set(const std::string& name, const std::string& value);
  void add(const std::string& name, const std::string& value);
  void remove(const std::string& name);

  bool empty() const { return edits_.empty(); }
  const std::vector<HeaderEdit>& all() const { return edits_; }
  // Whether a field that came is dropped.
  bool drops(std::string_view name) const {
    return std::ranges::any_of(edits_, [&](const HeaderEdit& edit) {
      return !edit.keeps && ascii::equals_ignoring_case(edit.name, name);
    });
  }

  // These edits, then those.
  HeaderEdits joined(const HeaderEdits& later) const;

 private:
  HeaderEdit* find(std::string_view name);
  std::vector<HeaderEdit> edits_;  // one per name
};

// Fields of one connection, which no edit may touch: they say where a message ends, or were written for
// another hop.
bool frames_messages(std::string_view header_name);

struct PathEdit {
  enum Kind : std::uint8_t { kKeep, kFull, kPrefix };
  Kind kind = kKeep;
  std::string value;
};

// The target with its path edited and its query kept. `prefix` is what the match named, without a closing
// "/"; a path never becomes empty.
std::string edited(const PathEdit& edit, std::string_view target, std::string_view prefix);

struct Redirect {
  std::string scheme;  // empty: the request's
  std::string host;    // empty: the request's
  PathEdit path;
  std::uint16_t port = 0;  // 0: the well-known one of a named scheme, else the listener's
  int status = 302;
};

// The value of Location. `host` without a port; `port` and `secure` are the listener's.
struct Origin {
  std::string_view host;
  std::uint16_t port = 0;
  bool secure = false;
};
std::string location(const Redirect& redirect, const Origin& origin, std::string_view target,
                     std::string_view prefix);

struct Rewrite {
  std::string host;  // empty: as it came
  PathEdit path;
};

// A copy of the request for somebody else, whose answer nobody waits for.
struct Mirror {
  std::uint32_t target = 0;  // as Destination::target
  std::uint32_t numerator = 100;
  std::uint32_t denominator = 100;
};

struct Filters {
  HeaderEdits request;
  HeaderEdits response;
  std::optional<Redirect> redirect = {};
  std::optional<Rewrite> rewrite = {};
  std::vector<Mirror> mirrors = {};

  bool empty() const {
    return request.empty() && response.empty() && !redirect && !rewrite && mirrors.empty();
  }
};

// Null means none.
using FiltersPtr = std::shared_ptr<const Filters>;

// A rule's filters, then a destination's.
FiltersPtr joined(const FiltersPtr& rule, const FiltersPtr& destination);

}  // namespace tidegate::route

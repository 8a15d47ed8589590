// Pages of a list: where one ends and the next begins.
//
// Thread: pure; any thread.

#pragma once

#include <map>
#include <optional>
#include <string_view>

#include "cluster/client.h"

namespace tidegate::cluster {

struct Position {
  std::uint64_t revision = 0;  // that all pages show
  Key after;                   // the last item so far
};

// Empty without a token. Errors: kInvalid if it is none of ours.
Result<std::optional<Position>> read_position(std::string_view token);
std::string write_position(const Position& position);

// The page behind `position` of `objects`, which stood so at `revision`.
List cut_page(const std::map<Key, ObjectPtr>& objects, const ListOptions& options,
              const std::optional<Position>& position, std::uint64_t revision);

// kGone, as a Kubernetes API server says it.
tl::unexpected<Error> page_gone();

}  // namespace tidegate::cluster

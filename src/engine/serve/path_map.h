// Where the paths of a container are on this machine. A pod at home has no mounts: the home hands its engine
// TIDEGATE_PATH_MAP, and the engine looks there whenever it opens a path of its command line or of a request.
// Names shown to clients (/v1/models) stay as they were given.
//
// Thread: any; nothing changes after parsing.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidegate::serve {

class PathMap {
 public:
  // "/adapters=/real/path:/models=/other". Entries that are not INSIDE=OUTSIDE are left out.
  static PathMap parse(std::string_view text);

  // The path on this machine by the longest entry that is `path` or a folder above it; else `path` itself.
  std::string locate(std::string_view path) const;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace tidegate::serve

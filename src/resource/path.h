// Field paths as people read them: "spec.targetModels[2].weight". A field whose name is not a plain word is
// written in brackets: metadata.annotations["tidegate.dev/endpoints"]. Readers, the YAML line map and
// messages all build paths here, so that they agree.
//
// Thread: pure; any thread.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::resource {

// One step of a path: a field, or the index of a list item.
struct PathStep {
  std::string field;  // empty for an index
  std::size_t index = 0;
  bool is_index = false;
};

void append_field(std::string& path, std::string_view field);
void append_index(std::string& path, std::size_t index);

// The inverse of the two above. A text that is no path gives the steps before the place that is wrong.
std::vector<PathStep> split_path(std::string_view path);

}  // namespace tidegate::resource

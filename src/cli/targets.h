// What the words after a verb mean: "pods", "pod NAME...", "pod/NAME deployment/NAME", "pods,nodes".
//
// Kinds that Tidegate knows are found by any of their names; others are looked up at the server, so that the
// verbs work for every CustomResourceDefinition.
//
// Thread: the main thread.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/server.h"

namespace tidegate::cli {

struct Resource {
  std::string group, version, plural, singular, kind;
  bool namespaced = true;

  // Of the collection, or of one object. `namespace_` is ignored for kinds that have none.
  std::string path(std::string_view namespace_, std::string_view name = {}) const;
  // "pod/a", "deployment.apps/a".
  std::string title(std::string_view name) const;
};

struct Target {
  Resource resource;
  std::string name;  // empty: all of them
};

// Errors: kInvalid for words that mean nothing; kNotFound for a kind that the server does not know.
Result<std::vector<Target>> targets_of(Server& server, const std::vector<std::string>& words);

// What a document of a file names.
Result<Target> target_of(Server& server, const resource::Json& document);

// Each target without a name, replaced by what is there and matches `selector`.
Result<std::vector<Target>> with_names(Server& server, std::vector<Target> targets,
                                       const std::string& selector);

}  // namespace tidegate::cli

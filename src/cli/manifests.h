// The documents that -f names: files, folders (their *.yaml, *.yml and *.json, in order of name), "-" for
// standard input.
//
// Thread: any; reads files.

#pragma once

#include <string>
#include <vector>

#include "resource/kind.h"
#include "resource/yaml.h"

namespace tidegate::cli {

struct Manifests {
  int files = 0;
  std::vector<resource::Document> documents;
  std::vector<std::string> errors;  // each with its place; of a file that is wrong nothing is among documents
};

Manifests read_manifests(const std::vector<std::string>& paths);

// Everything that is wrong with `json`, a form of `document`, each with its place. Sets no defaults.
std::vector<std::string> faults_of(const resource::Document& document, const resource::Kind& kind,
                                   resource::Json json);

}  // namespace tidegate::cli

// Files to documents: YAML or JSON, one or many in a file, with the line of every field.
//
// The YAML is what Kubernetes manifests are written in, read strictly. A plain scalar is a boolean only as
// true or false, null as null, ~ or nothing, a number only as JSON writes numbers; everything else, and
// everything in quotes, is a string (so 500m, 1:30, yes and 010 are strings). Duplicate keys are refused.
// Anchors, aliases and merge keys work, but what they expand to is bounded. A document of kind List is
// flattened into its items.
//
// Thread: pure; any thread.
// Source: YAML 1.2 core schema, narrowed; libyaml reads the syntax (YAML 1.1).

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/lines.h"
#include "resource/object.h"

namespace tidegate::resource {

inline constexpr std::size_t kFileBytesMax = 16 * 1024 * 1024;

struct Document {
  std::string file;
  std::shared_ptr<Json> json;  // an object; never null
  std::shared_ptr<const LineTree> lines;
  LineTree::Id root = LineTree::kNone;

  // The line of a field, or of the nearest thing around it.
  std::size_t line(std::string_view path = {}) const { return lines->line(lines->find(root, path)); }
};

// Errors: kInvalid or kTooLarge; the message begins with the place: "pool.yaml:7: ...". Nothing is returned
// of a file that is wrong anywhere: it may be half written.
Result<std::vector<Document>> parse_documents(std::string_view file, std::string_view text);

// "pool.yaml:14: InferenceModel default/lora-request: spec.targetModels[2].weight is 0; use 1 to 1000000".
std::string locate(const Document& document, const Error& error);

// "InferenceModel default/lora-request", as far as the document says. For documents that never became
// objects.
std::string title_of(const Json& document);

}  // namespace tidegate::resource

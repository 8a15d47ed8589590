// The kinds Tidegate knows, in one explicit list (kind.cc). A new kind is a file pair and a line there.
//
// A kind is named by its group and kind; versions of one group share storage and are told apart by the
// object's own apiVersion. InferencePool of inference.networking.x-k8s.io and of inference.networking.k8s.io
// are two kinds, as on a cluster.
//
// Thread: the list is constant; any thread.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/object.h"

namespace tidegate::resource {

struct Findings;

struct Kind {
  std::string_view group;  // "" for core
  std::string_view kind;   // "InferencePool"
  std::string_view plural;
  std::string_view singular;
  std::vector<std::string_view> versions;  // served; the first is preferred
  std::vector<std::string_view> short_names;
  bool namespaced = true;
  bool has_status = true;

  // Fills in what the API documents as defaults, in place. May be null.
  void (*set_defaults)(Json& document) = nullptr;

  // Everything that is wrong with the document beyond its metadata, each with its field path. May be null.
  // Also run over a probing document to describe the kind (schema.h).
  void (*validate)(const Json& document, Findings& findings) = nullptr;

  // What an update may not change, given both documents (defaults set). May be null.
  void (*validate_update)(const Json& before, const Json& after, std::vector<Error>& errors) = nullptr;
};

std::span<const Kind> kinds();

// By "group/version" (or "v1") and kind as written in an object. Null if unknown.
const Kind* find_kind(std::string_view api_version, std::string_view kind);

// By plural, singular, short name or kind in any case, optionally with ".group": "pods", "po",
// "InferencePool", "inferencepools.inference.networking.k8s.io". Null if unknown.
const Kind* find_kind_by_name(std::string_view name);

// The kind that a document names. Errors: kInvalid with what is known.
Result<const Kind*> kind_of(const Json& document);

// Defaults, then metadata and kind validation: the one gate for every object, whether it comes from a file or
// over the API. Returns all errors, not the first.
std::vector<Error> admit(const Kind& kind, Json& document);

}  // namespace tidegate::resource

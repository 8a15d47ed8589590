// A structural schema, as a CustomResourceDefinition's versions have one: openAPIV3Schema. It fills in defaults, says
// what is wrong with a document in Kubernetes' words, and gives the Schema by which fields are pruned and owned.
//
// Rules in CEL (x-kubernetes-validations) are checked as far as cel/ understands them; why_unchecked() tells of the others.
//
// Thread: immutable once read; any thread.
// Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions": structural schemas, pruning, defaulting;
// k8s.io/kube-openapi validation for the wording. Patterns are RE2's, as there.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/object.h"
#include "resource/schema.h"

namespace tidegate::resource {

struct StructuralNode;

class Structural {
 public:
  // Reads the schema that stands at `path` of a definition; what is wrong with it goes to `errors`, and what is right
  // of it is kept nevertheless. Never null.
  static std::shared_ptr<const Structural> read(const Json& schema, const std::string& path,
                                                std::vector<Error>& errors);
  Structural();
  ~Structural();
  Structural(const Structural&) = delete;
  Structural& operator=(const Structural&) = delete;

  // Defaults where fields are absent; nulls that are not allowed count as absent.
  void set_defaults(Json& document) const;

  // At most 100 errors, whose messages are complete: `Invalid value: 0: spec.size in body should be ...`.
  void validate(const Json& document, std::vector<Error>& errors) const;

  // The rules, over a document that is right otherwise: those about a state; with `before`, those about a change.
  void check_rules(const Json& document, const Json* before, std::vector<Error>& errors) const;

  // Of whole documents, with `metadata` where objects have theirs.
  SchemaPtr schema(const SchemaPtr& metadata) const;

  bool has_defaults() const { return has_defaults_; }

 private:
  std::unique_ptr<StructuralNode> root_;
  bool has_defaults_ = false;
};

// Why one of x-kubernetes-validations is kept and not checked; empty: it is checked.
std::string why_unchecked(const Json& rule);

}  // namespace tidegate::resource

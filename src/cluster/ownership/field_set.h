// Sets of fields of an object, as managedFields keep them: a tree whose steps are "f:name" (a field),
// "k:{...}" (the list item with these keys) and "v:..." (an item of a set).
//
// Thread: one thread at a time; copies are independent.
// Source: Kubernetes, meta/v1 FieldsV1; sigs.k8s.io/structured-merge-diff, package fieldpath.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/object.h"

namespace tidegate::ownership {

using resource::Json;

struct FieldSet {
  bool member = false;  // this field itself, not only some below it
  std::map<std::string, FieldSet, std::less<>> below;

  bool empty() const { return !member && below.empty(); }
  bool operator==(const FieldSet&) const = default;
};

// Errors: kInvalid; at most 10,000 steps and 100 levels.
Result<FieldSet> parse_fields(const Json& fields_v1);
Json to_json(const FieldSet& set);

void add(FieldSet& to, const FieldSet& other);
void subtract(FieldSet& from, const FieldSet& other);
FieldSet intersection(const FieldSet& a, const FieldSet& b);

// Every member as people read it: .spec.containers[name="a"].image, .metadata.finalizers[="x"].
std::vector<std::string> paths(const FieldSet& set);

}  // namespace tidegate::ownership

// metadata.managedFields, read and written.
//
// Thread: one thread at a time.
// Source: Kubernetes, meta/v1 ManagedFieldsEntry.

#pragma once

#include <string>
#include <vector>

#include "cluster/ownership/field_set.h"

namespace tidegate::ownership {

struct Manager {
  std::string name;
  bool applies = false;  // operation Apply; else Update
  std::string api_version;
  std::string subresource;
  std::string time;
  FieldSet fields;

  // An applier is the same whatever version and time it applies with.
  bool same_identity(const Manager& other) const;
};

// Errors: kInvalid if an entry is malformed.
Result<std::vector<Manager>> parse_managers(const Json& object);

// Puts them into metadata, without those that own nothing; takes the field out if none is left. Of more than
// ten updaters the oldest are kept as one, "ancient-changes".
void write_managers(Json& object, std::vector<Manager> managers);

// "kubectl" with subresource "scale" using apps/v1 at 2026-01-01T00:00:00Z
std::string describe(const Manager& manager);

}  // namespace tidegate::ownership

// Values seen through their schema: which parts of them can have owners of their own, and what two of them
// differ in.
//
// Thread: pure; any thread.
// Source: sigs.k8s.io/structured-merge-diff, packages typed and merge (documented behaviour).

#pragma once

#include "cluster/ownership/field_set.h"
#include "resource/schema.h"

namespace tidegate::ownership {

using resource::Schema;

// A list with keys or values that are missing or stand there twice cannot be owned in parts. Errors: kInvalid
// with the path, in Kubernetes' words.
Result<void> check_lists(const Schema& schema, const Json& value);

// Every field that `value` sets.
FieldSet fields_of(const Schema& schema, const Json& value);

struct Difference {
  FieldSet added;
  FieldSet modified;
  FieldSet removed;
};
Difference compare(const Schema& schema, const Json& before, const Json& after);

// `live` with everything that `config` sets. Null in `config` takes a field out.
Json merged(const Schema& schema, const Json& live, const Json& config);

// Takes out of `value` what is in `last` and neither there nor below has an owner in `kept`.
void remove_unowned(const Schema& schema, Json& value, const FieldSet& last, const FieldSet& kept);

}  // namespace tidegate::ownership

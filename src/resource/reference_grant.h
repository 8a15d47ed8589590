// ReferenceGrant of the Gateway API: who may point into its namespace, and at what.
//
// Thread: immutable once read; any thread.
// Source: kubernetes-sigs/gateway-api apis/v1beta1/referencegrant_types.go.

#pragma once

#include <string>
#include <vector>

#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::resource {

struct ReferenceGrant {
  struct From {
    std::string group;
    std::string kind;
    std::string namespace_;
  };
  struct To {
    std::string group;
    std::string kind;
    std::string name;  // empty: all of that kind
  };
  std::vector<From> from;
  std::vector<To> to;

  // Errors: kInvalid with the field.
  static Result<ReferenceGrant> from_object(const Object& object);
};

Kind reference_grant_kind();

}  // namespace tidegate::resource

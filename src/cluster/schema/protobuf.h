// Bodies in Kubernetes' protobuf form, which kubectl sends for what it makes itself (create deployment,
// autoscale, drain), as documents. Driven by the field numbers of the catalogue; only Kubernetes' own types
// have them.
//
// Protobuf also carries what is empty, because Go's zero values are written; empty texts, zero times and most
// zero numbers are left out, as JSON has them.
//
// Thread: pure; any thread.
// Source: Kubernetes, "Protobuf encoding" (magic number, runtime.Unknown); protobuf wire format.

#pragma once

#include <string_view>

#include "base/result.h"
#include "resource/object.h"

namespace tidegate::schema {

// Errors: kInvalid if the body is broken, nested too deeply, or of a type without field numbers.
Result<resource::Json> decode_protobuf(std::string_view body);

}  // namespace tidegate::schema

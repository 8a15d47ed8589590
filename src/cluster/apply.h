// Applies one document to the cluster: creates the object, or brings an existing one to what the document
// says while it leaves alone what the document never spoke of (replicas set by an autoscaler, labels set by
// others).
//
// What was applied last is kept in the object, under kubectl's own annotation, so that a field that
// disappears from the document disappears from the object, and kubectl apply and this one can take turns.
//
// Thread: any; blocks for the client's I/O.
// Source: Kubernetes, "Declarative Management of Kubernetes Objects Using Configuration Files".

#pragma once

#include <string>
#include <string_view>

#include "cluster/client.h"

namespace tidegate::cluster {

inline constexpr std::string_view kLastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";
// What was applied, in short, and from which file: for objects that come from files.
inline constexpr std::string_view kDigestAnnotation = "tidegate.dev/applied-digest";
inline constexpr std::string_view kOriginAnnotation = "tidegate.dev/applied-from";

enum class Applied { kCreated, kConfigured, kUnchanged };

struct ApplyResult {
  Applied what = Applied::kUnchanged;
  ObjectPtr object;
};

struct ApplyOptions {
  std::string origin;  // the file; written into kOriginAnnotation unless empty
  // Leave an object alone whose digest says that this very document was applied before, whatever was done to
  // it since.
  bool once = false;
};

// Requires: the document names a kind, and metadata with a name.
// Errors: those of the client.
Result<ApplyResult> apply(Client& client, const Kind& kind, const Json& document,
                          const ApplyOptions& options = {});

// The merge patch that takes an object from `last`, what was applied before, to `next`: fields that have gone
// are removed, all fields of `next` are set, lists are replaced.
Json three_way_patch(const Json& last, const Json& next);

// 32 letters that differ when the documents differ.
std::string digest(const Json& document);

}  // namespace tidegate::cluster

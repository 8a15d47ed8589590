// Server-side apply, and who owns which field of an object.
//
// Everybody who writes through the API is a manager: an applier owns exactly what it applied last, any other
// writer what it changed. An apply that would change a field of another manager is refused with the conflicts
// unless it is forced; what an applier no longer names goes, unless somebody else owns it too.
//
// What is not tracked: apiVersion, kind, the identity in metadata, and the part of the object (status or all
// but status) that the written subresource does not own.
//
//   const auto& schema = schema::schema_of(kind, version);
//   PATCH application/apply-patch+yaml:  apply(schema, live, config, writer, force), then store
//   outcome.object every other write:                   track(schema, before, after, writer), then store what
//   it returns
//
// The store must keep metadata.managedFields of the documents it is given.
//
// Thread: pure; any thread.
// Source: KEP-555; Kubernetes, "Server-Side Apply"; structured-merge-diff's documented behaviour.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "resource/object.h"
#include "resource/schema.h"

namespace tidegate::ownership {

using resource::Json;

// Who writes, as the request says: ?fieldManager=, or the user agent up to its first '/'.
struct Writer {
  std::string manager;
  std::string subresource;  // "status", "scale" or empty
  std::string api_version;  // of the request: "apps/v1"
  std::string time;         // RFC 3339
};

// One field that another manager owns. `owner` is how messages name it: "kubectl" using apps/v1.
struct Conflict {
  std::string owner;
  std::string field;  // .spec.replicas
};

struct Outcome {
  std::shared_ptr<Json> object;  // to be stored, with managedFields; null if there are conflicts
  std::vector<Conflict> conflicts;  // a 409 with reason Conflict and one cause FieldManagerConflict each
};

// `live` is null if there is no such object yet; then the outcome is what to create.
// Errors: kInvalid: the manager is missing or too long, the config holds managedFields, or a list has items
// without keys.
Result<Outcome> apply(const resource::Schema& schema, const Json* live, const Json& config,
                      const Writer& writer, bool force);

// Gives `writer` what differs between `before` (null: created) and `after`, and returns `after` with the
// managedFields that come of it. Those that `after` brings along are taken as they are if they are right; an
// empty list clears them. A write that changes nothing else leaves them as they were.
Json track(const resource::Schema& schema, const Json* before, Json after, const Writer& writer);

// Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas
std::string conflict_message(const std::vector<Conflict>& conflicts);
// The message of one cause: conflict with "kubectl" using apps/v1
std::string cause_message(const Conflict& conflict);

}  // namespace tidegate::ownership

// What the store makes of a document before it is kept: identity, generation, what an update may not touch.
// Pure: the storage, the clock and chance are the caller's.
//
// Thread: pure; any thread.
// Source: Kubernetes API conventions; k8s.io/apiserver registry/rest (BeforeCreate, BeforeUpdate,
// BeforeDelete).

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cluster/client.h"

namespace tidegate::cluster {

// Equal, whatever the order of fields.
bool same(const Json& a, const Json& b);

// Errors: kInvalid naming every field that is wrong; kTooLarge.
Result<Json> prepare_create(const Kind& kind, Json document, std::string_view uid, WallTime now);

// `document` as it will replace `before`: system fields and status are carried over, generation goes up if
// anything but metadata changed. Equal to `before` (see same()) if nothing changed. Errors: kInvalid,
// kTooLarge; kConflict if the document names another uid.
Result<Json> prepare_update(const Kind& kind, const Json& before, Json document);

// `before` with the status of `document`, and with its managedFields if it has some.
Result<Json> prepare_status(const Kind& kind, const Json& before, const Json& document);

// What a removal does to an object.
struct Removal {
  enum class Step { kErase, kMark, kNothing };
  Step step = Step::kErase;
  std::shared_ptr<Json> marked;  // for kMark: the object with its deletionTimestamp
};
// `propagation` becomes a finalizer, for which garbage.h says what to do.
Removal prepare_removal(const Kind& kind, const resource::Object& before, const RemoveOptions& options,
                        WallTime time);

// Errors: kConflict if the uid or the revision of the options is not the object's.
Result<void> check_preconditions(const Kind& kind, const resource::Object& before,
                                 const RemoveOptions& options);

// A pod with its node. Errors: kConflict if it is bound or being deleted.
Result<Json> prepare_binding(const resource::Object& pod, std::string_view node, WallTime now);

}  // namespace tidegate::cluster

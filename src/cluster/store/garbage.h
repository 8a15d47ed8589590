// What becomes of objects whose owners go: Kubernetes' garbage collection.
//
// An owner that is deleted in the foreground carries the finalizer "foregroundDeletion" and goes after what
// it owns; one whose dependents are to stay carries "orphan" until their references to it are gone; any other
// goes at once and its dependents follow.
//
// Thread: pure; any thread.
// Source: Kubernetes, "Garbage Collection"; pkg/controller/garbagecollector (attemptToDeleteItem).

#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "cluster/client.h"

namespace tidegate::cluster {

inline constexpr std::string_view kForegroundFinalizer = "foregroundDeletion";
inline constexpr std::string_view kOrphanFinalizer = "orphan";

bool has_finalizer(const resource::Object& object, std::string_view finalizer);

// Whether an object only waits for what it owns to go.
bool waits_for_dependents(const resource::Object& object);

// Whether `object` names `owner` and holds up its deletion in the foreground.
bool blocks(const resource::Object& object, const resource::Object& owner);

struct Verdict {
  enum class What {
    kKeep,
    kDetach,  // another owner keeps it: only the references in `uids` go
    kRemove,
  };
  What what = What::kKeep;
  std::set<std::string> uids;
  bool owner_waits = false;  // for kRemove: an owner waits for this one, and for what this one owns
};

// `find` returns the object that a reference names, null if there is none, and nothing for kinds that nobody here
// knows: those keep what they own.
using FindOwner = std::function<std::optional<ObjectPtr>(const resource::OwnerReference&)>;
Verdict judge(const resource::Object& dependent, const FindOwner& find);

// `object` without references to `uids`; without `finalizer`.
Json without_owners(const resource::Object& object, const std::set<std::string>& uids);
Json without_finalizer(const resource::Object& object, std::string_view finalizer);

}  // namespace tidegate::cluster

#include "cluster/store/rules.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/store/garbage.h"
#include "cluster/store/storage.h"
#include "resource/condition.h"
#include "resource/custom_kind.h"
#include "resource/definition.h"
#include "resource/json.h"
#include "resource/pod.h"

namespace tidegate::cluster {
namespace {

constexpr const char* kSystemFields[] = {"uid", "creationTimestamp", "generation", "deletionTimestamp",
                                         "deletionGracePeriodSeconds"};

bool is_pod(const Kind& kind) { return kind.group.empty() && kind.kind == "Pod"; }

// The one Error that a caller of the port gets: the first, with the others behind it.
Error joined(const std::vector<Error>& errors) {
  Error all = errors.front();
  for (std::size_t i = 1; i < errors.size(); ++i) all.message += "; " + describe(errors[i]);
  return all;
}

// Depth, and what the text can have at most: every byte of a string may have to be written as an escape of six.
struct Extent {
  bool too_deep = false;
  std::size_t bytes_most = 0;

  void measure(const Json& value, std::size_t levels_left) {
    constexpr std::size_t kNumberMost = 32;
    constexpr std::size_t kEscape = 6;
    const auto add_text = [&](const std::string& text) { bytes_most += kEscape * text.size() + 4; };
    if (value.is_string()) add_text(value.get_ref<const std::string&>());
    if (!value.is_structured()) {
      bytes_most += kNumberMost;
      return;
    }
    bytes_most += 2;
    too_deep = too_deep || levels_left == 0;
    if (too_deep) return;
    for (auto member = value.begin(); member != value.end(); ++member) {
      if (value.is_object()) add_text(member.key());
      measure(*member, levels_left - 1);
    }
  }
};

Result<void> check_bounds(const Json& document) {
  Extent extent;
  extent.measure(document, resource::kDepthMax);
  if (extent.too_deep) {
    return fail(Code::kInvalid,
                "the object is nested deeper than " + std::to_string(resource::kDepthMax) + " levels");
  }
  if (extent.bytes_most <= resource::kObjectBytesMax) return {};
  const std::size_t bytes = resource::to_text(document).size();
  if (bytes > resource::kObjectBytesMax) {
    return fail(Code::kTooLarge, "the object has " + std::to_string(bytes) + " bytes; use at most " +
                                     std::to_string(resource::kObjectBytesMax));
  }
  return {};
}

Result<void> admit_bounded(const Kind& kind, Json& document) {
  if (auto bounded = check_bounds(document); !bounded) return bounded;
  const auto errors = resource::admit(kind, document);
  if (!errors.empty()) return tl::unexpected(joined(errors));
  return check_bounds(document);
}

// Whether two documents differ outside metadata and status: what generation counts.
bool same_spec(const Kind& kind, const Json& a, const Json& b) {
  const auto counts = [&](const std::string& key) {
    return key != "metadata" && !(kind.has_status && key == "status");
  };
  const auto covers = [&](const Json& left, const Json& right) {
    for (const auto& member : left.items()) {
      if (!counts(member.key())) continue;
      const auto other = right.find(member.key());
      if (other == right.end() || !same(member.value(), *other)) return false;
    }
    return true;
  };
  return covers(a, b) && covers(b, a);
}

std::vector<std::string> added_finalizers(const Json& before, const Json& after) {
  std::vector<std::string> added;
  const Json old_list = before.value("finalizers", Json::array());
  for (const Json& finalizer : after.value("finalizers", Json::array())) {
    if (std::find(old_list.begin(), old_list.end(), finalizer) == old_list.end()) added.push_back(finalizer);
  }
  return added;
}

// Who does not speak of managedFields leaves them alone.
void keep_managed_fields(const Json& before, Json& after) {
  if (!after.contains("managedFields") && before.contains("managedFields")) {
    after["managedFields"] = before["managedFields"];
  }
}

// The finalizers of an object that is removed: the caller's wish for its dependents takes the place of an
// earlier one.
std::vector<std::string> removal_finalizers(const Kind& kind, const resource::Object& before,
                                            const RemoveOptions& options) {
  std::vector<std::string> finalizers = before.metadata().finalizers;
  // A definition waits for the objects of its kind.
  const bool waits = resource::is_definition(kind) && before.metadata().deletion_timestamp.empty() &&
                     !has_finalizer(before, resource::kDefinitionFinalizer);
  if (waits) finalizers.emplace_back(resource::kDefinitionFinalizer);
  if (!options.propagation) return finalizers;
  std::erase_if(finalizers, [](const std::string& finalizer) {
    return finalizer == kForegroundFinalizer || finalizer == kOrphanFinalizer;
  });
  if (*options.propagation == Propagation::kForeground) finalizers.emplace_back(kForegroundFinalizer);
  if (*options.propagation == Propagation::kOrphan) finalizers.emplace_back(kOrphanFinalizer);
  return finalizers;
}

// How long a pod may take to end. Nobody runs a pod without a node, and one that has ended has nothing to
// finish.
std::int64_t grace_of(const Kind& kind, const resource::Object& before, const RemoveOptions& options) {
  if (!is_pod(kind) || options.grace_s == 0) return 0;
  const auto pod = resource::Pod::from(before);
  if (!pod || pod->spec.node_name.empty() || pod->ended()) return 0;
  return std::max<std::int64_t>(options.grace_s.value_or(pod->spec.grace_s), 1);
}

}  // namespace

bool same(const Json& a, const Json& b) {
  if (a.is_object() && b.is_object()) {
    if (a.size() != b.size()) return false;
    auto in_order = b.begin();
    for (const auto& member : a.items()) {
      const Json* other = in_order.key() == member.key() ? &*in_order : nullptr;
      ++in_order;
      if (other == nullptr) {
        const auto found = b.find(member.key());
        if (found == b.end()) return false;
        other = &*found;
      }
      if (!same(member.value(), *other)) return false;
    }
    return true;
  }
  if (a.is_array() && b.is_array()) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](const Json& x, const Json& y) { return same(x, y); });
  }
  return a == b;
}

Result<Json> prepare_create(const Kind& kind, Json document, std::string_view uid, WallTime now) {
  // A kubelet brings the status of its node along; every other status is somebody else's to write.
  const bool keeps_status = kind.group.empty() && kind.kind == "Node";
  if (document.is_object() && kind.has_status && !keeps_status) document.erase("status");
  if (auto admitted = admit_bounded(kind, document); !admitted) return tl::unexpected(admitted.error());
  Json& metadata = document["metadata"];
  if (metadata.contains("resourceVersion") && metadata["resourceVersion"] != "") {
    return invalid("metadata.resourceVersion", "is set on an object to be created; leave it out");
  }
  for (const char* field : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"}) {
    metadata.erase(field);
  }
  metadata["uid"] = std::string(uid);
  metadata["creationTimestamp"] = rfc3339(now);
  metadata["generation"] = 1;
  return document;
}

Result<Json> prepare_update(const Kind& kind, const Json& before, Json document) {
  const Json& old_metadata = before.at("metadata");
  if (document.is_object() && kind.has_status) {
    document.erase("status");
    if (before.contains("status")) document["status"] = before["status"];
  }
  if (auto admitted = admit_bounded(kind, document); !admitted) return tl::unexpected(admitted.error());
  std::vector<Error> errors;
  if (kind.validate_update != nullptr) kind.validate_update(before, document, errors);
  if (const resource::CustomKind* custom = resource::as_custom(kind)) custom->validate_change(before, document, errors);
  if (!errors.empty()) return tl::unexpected(joined(errors));

  Json& metadata = document["metadata"];
  if (metadata.contains("uid") && !metadata["uid"].is_null() && metadata["uid"] != "" &&
      metadata["uid"] != old_metadata.at("uid")) {
    return fail(Code::kConflict, "the object was deleted and created anew: its uid is " +
                                     resource::to_text(old_metadata.at("uid")) + "; read it again");
  }
  if (old_metadata.contains("deletionTimestamp") && !added_finalizers(old_metadata, metadata).empty()) {
    return invalid("metadata.finalizers", "cannot grow while the object is being deleted");
  }
  for (const char* field : kSystemFields) {
    metadata.erase(field);
    if (old_metadata.contains(field)) metadata[field] = old_metadata[field];
  }
  keep_managed_fields(old_metadata, metadata);
  metadata.erase("selfLink");
  metadata["resourceVersion"] = old_metadata.at("resourceVersion");
  if (!same_spec(kind, before, document))
    metadata["generation"] = old_metadata.value("generation", std::int64_t{0}) + 1;
  return document;
}

Result<Json> prepare_status(const Kind& kind, const Json& before, const Json& document) {
  if (!kind.has_status) return fail(Code::kNotFound, std::string(kind.kind) + " has no status");
  if (!document.is_object()) return fail(Code::kInvalid, "the document is no object");
  Json after = before;
  const auto status = document.find("status");
  if (status == document.end() || status->is_null()) {
    after.erase("status");
  } else if (!status->is_object()) {
    return invalid("status", "is no object; use an object");
  } else {
    after["status"] = *status;
  }
  const Json& metadata = document.value("metadata", Json::object());
  if (metadata.is_object() && metadata.contains("managedFields")) {
    after["metadata"]["managedFields"] = metadata["managedFields"];
  }
  if (auto bounded = check_bounds(after); !bounded) return tl::unexpected(bounded.error());
  return after;
}

Removal prepare_removal(const Kind& kind, const resource::Object& before, const RemoveOptions& options,
                        WallTime time) {
  const bool is_namespace = kind.group.empty() && kind.kind == "Namespace";
  const std::int64_t grace_s = grace_of(kind, before, options);
  const std::vector<std::string> finalizers = removal_finalizers(kind, before, options);
  if (grace_s == 0 && finalizers.empty() && !is_namespace) return {Removal::Step::kErase, nullptr};

  auto document = std::make_shared<Json>(before.json());
  Json& metadata = (*document)["metadata"];
  const bool marked = !before.metadata().deletion_timestamp.empty();
  const bool sooner = marked && grace_s < metadata.value("deletionGracePeriodSeconds", std::int64_t{0});
  if (marked && !sooner && finalizers == before.metadata().finalizers) {
    return {Removal::Step::kNothing, nullptr};
  }
  if (!marked || sooner) {
    metadata["deletionTimestamp"] = rfc3339(time + std::chrono::seconds(grace_s));
    metadata["deletionGracePeriodSeconds"] = grace_s;
    metadata["generation"] = before.metadata().generation + 1;
  }
  if (finalizers != before.metadata().finalizers) metadata["finalizers"] = finalizers;
  if (finalizers.empty()) metadata.erase("finalizers");
  if (is_namespace) (*document)["status"]["phase"] = "Terminating";
  if (resource::is_definition(kind)) resource::set_terminating(*document, rfc3339(time));
  return {Removal::Step::kMark, std::move(document)};
}

Result<void> check_preconditions(const Kind& kind, const resource::Object& before,
                                 const RemoveOptions& options) {
  const auto fails = [&](const char* what, const std::string& wanted, const std::string& found) {
    return fail(Code::kConflict, "Operation cannot be fulfilled on " + resource_name(kind, before.name()) +
                                     ": the " + what + " in the precondition (" + wanted +
                                     ") does not match the " + what + " in record (" + found + ")");
  };
  const auto& metadata = before.metadata();
  if (!options.uid.empty() && options.uid != metadata.uid) return fails("UID", options.uid, metadata.uid);
  if (options.revision != 0 && options.revision != metadata.resource_version) {
    return fails("ResourceVersion", std::to_string(options.revision),
                 std::to_string(metadata.resource_version));
  }
  return {};
}

Result<Json> prepare_binding(const resource::Object& pod, std::string_view node, WallTime now) {
  if (!pod.metadata().deletion_timestamp.empty()) {
    return fail(Code::kConflict, "pod " + pod.name() + " is being deleted, cannot be assigned to a host");
  }
  Json document = pod.json();
  Json& spec = document["spec"];
  if (spec.contains("nodeName") && spec["nodeName"].is_string() && spec["nodeName"] != "") {
    return fail(Code::kConflict, "pod " + pod.name() + " is already assigned to node \"" +
                                     spec["nodeName"].get<std::string>() + "\"");
  }
  spec["nodeName"] = std::string(node);
  document["metadata"]["generation"] = pod.metadata().generation + 1;
  resource::set_condition(document["status"]["conditions"],
                          {.type = "PodScheduled", .status = "True", .reason = "Scheduled"}, rfc3339(now));
  return document;
}

}  // namespace tidegate::cluster

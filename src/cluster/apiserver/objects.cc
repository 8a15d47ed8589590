#include "cluster/apiserver/objects.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/apiserver/discovery.h"
#include "resource/fields.h"
#include "resource/json.h"
#include "resource/scale.h"

namespace tidegate::apiserver {
namespace {

using cluster::ObjectPtr;
using resource::Json;

std::string name_in(const Json& document) {
  const auto metadata = document.find("metadata");
  if (metadata == document.end() || !metadata->is_object()) return {};
  for (const char* field : {"name", "generateName"}) {
    const auto name = metadata->find(field);
    if (name != metadata->end() && name->is_string() && *name != "") return name->get<std::string>();
  }
  return {};
}

// DeleteOptions come in the body, the query, or both.
struct Deletion {
  std::optional<std::int64_t> grace_s;
  std::string propagation;
  std::string uid;
  std::string revision;
  bool dry_run = false;
};

Answer<Deletion> read_deletion(const Call& call) {
  Deletion deletion;
  deletion.grace_s = call.options.grace_s;
  deletion.propagation = call.options.propagation;
  deletion.dry_run = call.options.dry_run;
  if (!call.body.empty()) {
    const auto body = body_of(call);
    if (!body) return tl::unexpected(body.error());
    const auto text = [](const Json& json, const char* field) {
      const auto found = json.find(field);
      return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto grace = body->find("gracePeriodSeconds");
    if (grace != body->end() && grace->is_number_integer()) deletion.grace_s = grace->get<std::int64_t>();
    if (const auto policy = text(*body, "propagationPolicy"); !policy.empty()) deletion.propagation = policy;
    if (body->contains("orphanDependents") && (*body)["orphanDependents"] == true) {
      deletion.propagation = "Orphan";
    }
    if (const auto conditions = body->find("preconditions");
        conditions != body->end() && conditions->is_object()) {
      deletion.uid = text(*conditions, "uid");
      deletion.revision = text(*conditions, "resourceVersion");
    }
    if (const auto dry = body->find("dryRun"); dry != body->end() && dry->is_array() && !dry->empty()) {
      deletion.dry_run = true;
    }
  }
  const std::string& policy = deletion.propagation;
  if (!policy.empty() && policy != "Background" && policy != "Foreground" && policy != "Orphan") {
    return bad_request("propagationPolicy: Unsupported value: \"" + policy.substr(0, 100) +
                       "\": supported values: \"Background\", \"Foreground\", \"Orphan\"");
  }
  if (deletion.grace_s.value_or(0) < 0) {
    return bad_request("gracePeriodSeconds: Invalid value: must be greater than or equal to 0");
  }
  return deletion;
}

Answer<Response> remove_one(const Context& context, const Call& call, const ObjectPtr& before,
                            const Deletion& deletion) {
  const auto& metadata = before->metadata();
  const auto conflict = [&](const std::string& what, const std::string& wanted, const std::string& found) {
    return tl::unexpected(status_of(
        call, {Code::kConflict, "",
               "Operation cannot be fulfilled on " + qualified(*call.kind) + " \"" + before->name() +
                   "\": Precondition failed: " + what + " in precondition: " + wanted.substr(0, 100) + ", " +
                   what + " in object meta: " + found}));
  };
  if (!deletion.uid.empty() && deletion.uid != metadata.uid)
    return conflict("UID", deletion.uid, metadata.uid);
  const std::string revision = std::to_string(metadata.resource_version);
  if (!deletion.revision.empty() && deletion.revision != revision) {
    return conflict("ResourceVersion", deletion.revision, revision);
  }
  cluster::RemoveOptions how;
  how.grace_s = deletion.grace_s;
  how.dry_run = deletion.dry_run;
  how.uid = metadata.uid;
  if (!deletion.revision.empty()) how.revision = metadata.resource_version;
  if (deletion.propagation == "Background") how.propagation = cluster::Propagation::kBackground;
  if (deletion.propagation == "Foreground") how.propagation = cluster::Propagation::kForeground;
  if (deletion.propagation == "Orphan") how.propagation = cluster::Propagation::kOrphan;
  const auto removed = context.client.remove(*call.kind, cluster::key_of(*before), how);
  if (!removed) return tl::unexpected(status_of(call, removed.error()));
  // What needs time to go is shown as it waits.
  if (!removed->gone) return shown(context, call, *removed->object);
  Status status;
  status.code = 200;
  status.name = before->name();
  status.group = call.kind->group;
  status.kind = call.kind->plural;
  status.uid = metadata.uid;
  return Response{200, to_text(status), {}};
}

// Only the newest state is kept whole, so only its revision can be asked for exactly.
Answer<void> fit_revision(const Call& call, std::uint64_t revision) {
  const Options& options = call.options;
  if (!options.resource_version) return {};
  if (options.resource_version_match == "Exact" && *options.resource_version < revision) {
    return tl::unexpected(plain_status(
        410, "The provided resource version is not available; list without resourceVersionMatch=Exact"));
  }
  if (*options.resource_version > revision) {
    Status status =
        plain_status(504, "Too large resource version: " + std::to_string(*options.resource_version) +
                              ", current: " + std::to_string(revision));
    status.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
    status.retry_after_s = 1;
    return tl::unexpected(status);
  }
  return {};
}

Answer<Response> answer_one(const Context& context, const Call& call) {
  if (call.method == "GET" || call.method == "HEAD") return get_object(context, call);
  if (call.method == "PUT") return update_object(context, call);
  if (call.method == "PATCH") return patch_object(context, call);
  if (call.method == "DELETE") return delete_object(context, call);
  return method_not_allowed();
}

Answer<Response> answer_many(const Context& context, const Call& call) {
  if (call.method == "GET" || call.method == "HEAD") return list_objects(context, call);
  const bool everywhere = call.kind->namespaced && call.path.namespace_.empty();
  if (call.method == "POST" && !everywhere) return create_object(context, call);
  if (call.method == "DELETE" && !everywhere) return delete_collection(context, call);
  return method_not_allowed();
}

Answer<Response> route(const Context& context, const Call& call) {
  const std::string& sub = call.path.subresource;
  const bool pod = call.kind->group.empty() && call.kind->kind == "Pod";
  if (call.path.name.empty()) return answer_many(context, call);
  if (sub.empty()) return answer_one(context, call);
  if (sub == "status" && has_status(*call.kind, call.path.version) && call.method != "DELETE") return answer_one(context, call);
  if (sub == "scale" && resource::scale_paths(*call.kind, call.path.version)) return answer_scale(context, call);
  if (sub == "binding" && pod) return answer_binding(context, call);
  if (sub == "eviction" && pod) return answer_eviction(context, call);
  return tl::unexpected(unknown_path());
}

}  // namespace

Shape Call::shape(WallTime now) const {
  return {kind, path.version, form, options.include_object, options.no_object, now};
}

Response failure(const Status& status) { return {status.code, to_text(status), {}, status.retry_after_s}; }

Response shown(const Context& context, const Call& call, const resource::Object& object, int code,
               std::vector<std::string> warnings) {
  return {code, encode_object(call.shape(context.clock.wall()), object), std::move(warnings)};
}

Status status_of(const Call& call, const Error& error) {
  return status_of(error, *call.kind, call.path.name);
}

Answer<ObjectPtr> read(const Context& context, const Call& call) {
  auto object = context.client.get(*call.kind, call.key());
  if (!object) return tl::unexpected(status_of(call, object.error()));
  return *object;
}

Answer<void> admit(const Call& call, Json& document) {
  const auto errors = resource::admit(*call.kind, document);
  if (errors.empty()) return {};
  return tl::unexpected(invalid_object(*call.kind, name_in(document), errors, document));
}

Answer<void> admit_status(const Call& call, const Json& document) {
  const resource::CustomKind* custom = resource::as_custom(*call.kind);
  if (custom == nullptr) return {};
  std::vector<Error> errors;
  custom->validate_all(document, errors);
  std::erase_if(errors, [](const Error& error) { return !error.field.starts_with("status"); });
  if (errors.empty()) return {};
  return tl::unexpected(invalid_object(*call.kind, name_in(document), errors, document));
}

Response answer(const Context& context, const Call& call) {
  auto answered = route(context, call);
  Response response = answered ? *std::move(answered) : failure(answered.error());
  const resource::CustomKind* custom = resource::as_custom(*call.kind);
  const resource::CustomVersion* version = custom == nullptr ? nullptr : custom->version(call.path.version);
  if (version != nullptr && !version->deprecation.empty()) response.warnings.push_back(version->deprecation);
  return response;
}

Answer<Response> get_object(const Context& context, const Call& call) {
  const auto object = read(context, call);
  if (!object) return tl::unexpected(object.error());
  return shown(context, call, **object);
}

Answer<Response> list_objects(const Context& context, const Call& call) {
  const Options& options = call.options;
  const auto selector = parse_selector(*call.kind, options.label_selector, options.field_selector);
  if (!selector) return bad_request(selector.error().message);
  cluster::ListOptions page{
      .namespace_ = call.path.namespace_, .limit = options.limit, .continue_ = options.continue_};
  auto list = context.client.list(*call.kind, page);
  if (!list) return tl::unexpected(status_of(call, list.error()));
  if (options.continue_.empty()) {
    if (auto fits = fit_revision(call, list->revision); !fits) return tl::unexpected(fits.error());
  }
  if (!selector->empty()) {
    std::erase_if(list->items, [&](const ObjectPtr& object) { return !selector->matches(*object); });
    list->remaining = 0;  // nobody knows how many of those behind would match
  }
  return Response{200, encode_list(call.shape(context.clock.wall()), *list), {}};
}

// A namespace that is not there is what was not found.
Status creation_failure(const Call& call, const Error& error, const std::string& name) {
  Status status = status_of(error, *call.kind, name);
  if (status.code == 404 && status.message.starts_with("namespaces \"")) {
    status.name = call.path.namespace_;
    status.kind = "namespaces";
    status.group = "";
  }
  return status;
}

Answer<Response> create_object(const Context& context, const Call& call) {
  const resource::CustomKind* custom = resource::as_custom(*call.kind);
  if (custom != nullptr && resource::find(custom->definition(), "metadata.deletionTimestamp") != nullptr) {
    return tl::unexpected(
        plain_status(405, "create not allowed while custom resource definition is terminating"));
  }
  std::vector<std::string> warnings;
  auto document = object_of(call, warnings);
  if (!document) return tl::unexpected(document.error());
  if (auto right = check_fields(call, *document, warnings); !right) return tl::unexpected(right.error());
  if (auto right = admit(call, *document); !right) return tl::unexpected(right.error());
  const std::string name = name_in(*document);
  auto object = context.client.create(*call.kind, tracked(context, call, nullptr, *std::move(document)),
                                      write_options(call));
  if (!object) return tl::unexpected(creation_failure(call, object.error(), name));
  return shown(context, call, **object, 201, std::move(warnings));
}

Answer<Response> update_object(const Context& context, const Call& call) {
  std::vector<std::string> warnings;
  auto document = object_of(call, warnings);
  if (!document) return tl::unexpected(document.error());
  if (auto right = check_fields(call, *document, warnings); !right) return tl::unexpected(right.error());
  const bool status = call.path.subresource == "status";
  const auto before = read(context, call);
  if (!before) return tl::unexpected(before.error());
  if (auto right = status ? admit_status(call, *document) : admit(call, *document); !right)
    return tl::unexpected(right.error());
  Json after = tracked(context, call, &(*before)->json(), *std::move(document));
  auto object = status ? context.client.update_status(*call.kind, std::move(after), write_options(call))
                       : context.client.update(*call.kind, std::move(after), write_options(call));
  if (!object) return tl::unexpected(status_of(call, object.error()));
  return shown(context, call, **object, 200, std::move(warnings));
}

Answer<Response> delete_object(const Context& context, const Call& call) {
  const auto deletion = read_deletion(call);
  if (!deletion) return tl::unexpected(deletion.error());
  const auto before = read(context, call);
  if (!before) return tl::unexpected(before.error());
  return remove_one(context, call, *before, *deletion);
}

Answer<Response> delete_collection(const Context& context, const Call& call) {
  const auto deletion = read_deletion(call);
  if (!deletion) return tl::unexpected(deletion.error());
  const Options& options = call.options;
  const auto selector = parse_selector(*call.kind, options.label_selector, options.field_selector);
  if (!selector) return bad_request(selector.error().message);
  auto list = context.client.list(*call.kind, call.path.namespace_);
  if (!list) return tl::unexpected(status_of(call, list.error()));
  std::erase_if(list->items, [&](const ObjectPtr& object) { return !selector->matches(*object); });
  for (const ObjectPtr& object : list->items) {
    auto removed = remove_one(context, call, object, *deletion);
    if (!removed && removed.error().code != 404) return removed;
  }
  return Response{200, encode_list(call.shape(context.clock.wall()), *list), {}};
}

}  // namespace tidegate::apiserver

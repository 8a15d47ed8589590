// What every write has in common: fields that nobody knows, who owns which field, and server-side apply.

#include <nlohmann/json.hpp>

#include "cluster/apiserver/objects.h"
#include "cluster/ownership/apply.h"
#include "cluster/schema/catalog.h"
#include "cluster/schema/fields.h"
#include "resource/definition.h"
#include "resource/installed.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using resource::Json;

constexpr int kAttemptsMax = 20;

ownership::Writer writer_of(const Context& context, const Call& call) {
  std::string manager = call.options.field_manager;
  const bool applies = body_type(call.content_type) == BodyType::kApplyPatch;
  // Appliers must name themselves; for others the program's name will do.
  if (manager.empty() && !applies)
    manager = call.user_agent.substr(0, std::min<std::size_t>(call.user_agent.find('/'), 128));
  if (manager.empty() && !applies) manager = "unknown";
  return {.manager = std::move(manager),
          .subresource = call.path.subresource,
          .api_version = group_version(call.kind->group, call.path.version),
          .time = rfc3339(context.clock.wall())};
}

Status conflict_status(const Call& call, const std::vector<ownership::Conflict>& conflicts) {
  Status status = status_of(call, {Code::kConflict, "", ownership::conflict_message(conflicts)});
  status.message = ownership::conflict_message(conflicts);
  for (const ownership::Conflict& conflict : conflicts) {
    status.causes.push_back({"FieldManagerConflict", ownership::cause_message(conflict), conflict.field});
  }
  return status;
}

// One try; `raced` if somebody else wrote in between.
Answer<Response> try_apply(const Context& context, const Call& call, const Json& config, bool& raced,
                           std::vector<std::string> warnings) {
  const auto live = context.client.get(*call.kind, call.key());
  if (!live && live.error().code != Code::kNotFound) return tl::unexpected(status_of(call, live.error()));
  const bool status = call.path.subresource == "status";
  if (!live && status) return tl::unexpected(status_of(call, live.error()));
  const auto& schema = schema::schema_of(*call.kind, call.path.version);
  auto outcome = ownership::apply(schema, live ? &(*live)->json() : nullptr, config, writer_of(context, call),
                                  call.options.force);
  if (!outcome) return tl::unexpected(status_of(call, outcome.error()));
  if (!outcome->conflicts.empty()) return tl::unexpected(conflict_status(call, outcome->conflicts));
  Json document = std::move(*outcome->object);
  if (auto right = status ? admit_status(call, document) : admit(call, document); !right)
    return tl::unexpected(right.error());
  const auto options = write_options(call);
  auto object = !live    ? context.client.create(*call.kind, std::move(document), options)
                : status ? context.client.update_status(*call.kind, std::move(document), options)
                         : context.client.update(*call.kind, std::move(document), options);
  if (object) return shown(context, call, **object, live ? 200 : 201, std::move(warnings));
  raced = object.error().code == Code::kConflict;
  return tl::unexpected(status_of(call, object.error()));
}

// What cannot be read: of a patch, that it leads nowhere; of a document, that it is none of its kind.
tl::unexpected<Status> refused(const Call& call, const std::string& message) {
  if (call.method != "PATCH" || body_type(call.content_type) == BodyType::kApplyPatch) {
    const std::string kind(call.kind->kind);
    return bad_request(kind + " in version \"" + call.path.version + "\" cannot be handled as a " + kind + ": " + message);
  }
  const std::string said = "Invalid value: " + resource::to_text(Json(call.body.substr(0, 200))) + ": " + message;
  Status status = plain_status(422, " \"\" is invalid: patch: " + said);
  status.reason = "Invalid";
  status.causes.push_back({"FieldValueInvalid", said, "patch"});
  return tl::unexpected(std::move(status));
}

// What cannot do here what it does in a cluster is said where it is made.
void note_kept_only(const Call& call, const Json& document, std::vector<std::string>& warnings) {
  if (resource::is_definition(*call.kind)) {
    for (const std::string& notice : resource::definition_notices(document)) warnings.push_back(notice);
  }
  const std::string_view notice = resource::kept_only(*call.kind);
  if (!notice.empty()) warnings.push_back(std::string(call.kind->kind) + ": " + std::string(notice));
}

}  // namespace

cluster::WriteOptions write_options(const Call& call) {
  return {.dry_run = call.options.dry_run, .field_manager = call.options.field_manager};
}

Answer<void> check_fields(const Call& call, Json& document, std::vector<std::string>& warnings) {
  auto unknown = schema::drop_unknown(schema::schema_of(*call.kind, call.path.version), document);
  warnings.insert(warnings.end(), unknown.begin(), unknown.end());
  const Validation validation = call.options.validation;
  if (validation == Validation::kStrict && !warnings.empty()) return refused(call, schema::strict_error(warnings));
  const bool whole = call.method == "POST" || call.method == "PUT";
  if (whole && schema::is_built_in(*call.kind, call.path.version)) {
    const auto wrong = schema::mistyped(schema::schema_of(*call.kind, call.path.version), document);
    if (wrong) return refused(call, *wrong);
  }
  if (validation == Validation::kIgnore) warnings.clear();
  if (call.method == "POST" || resource::is_definition(*call.kind)) note_kept_only(call, document, warnings);
  return {};
}

Json tracked(const Context& context, const Call& call, const Json* before, Json after) {
  return ownership::track(schema::schema_of(*call.kind, call.path.version), before, std::move(after),
                          writer_of(context, call));
}

Answer<Response> apply_object(const Context& context, const Call& call) {
  std::vector<std::string> warnings;
  auto config = object_of(call, warnings);
  if (!config) return tl::unexpected(config.error());
  if (auto right = check_fields(call, *config, warnings); !right) return tl::unexpected(right.error());
  for (int i = 0;; ++i) {
    bool raced = false;
    auto response = try_apply(context, call, *config, raced, warnings);
    if (!raced || i == kAttemptsMax) return response;
  }
}

}  // namespace tidegate::apiserver

// PATCH: read, change, admit, write with the revision that was read; again if somebody else was faster.

#include <nlohmann/json.hpp>

#include "cluster/apiserver/discovery.h"
#include "cluster/apiserver/encode.h"
#include "cluster/apiserver/objects.h"
#include "cluster/schema/catalog.h"
#include "cluster/store/patch.h"
#include "resource/json.h"

namespace tidegate::apiserver {
namespace {

using cluster::PatchType;
using resource::Json;

constexpr int kAttemptsMax = 20;

constexpr std::string_view kCustomPatches =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
constexpr std::string_view kBuiltinPatches =
    "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, "
    "application/apply-patch+yaml";

struct Patch {
  PatchType type;
  Json json;
};

Answer<Patch> read_patch(const Call& call) {
  const bool builtin = is_builtin(*call.kind);
  const BodyType type = body_type(call.content_type);
  const bool known = type == BodyType::kMergePatch || type == BodyType::kJsonPatch ||
                     (builtin && type == BodyType::kStrategicPatch);
  if (!known) return unsupported_media_type(builtin ? kBuiltinPatches : kCustomPatches);
  auto json = parse_body(BodyType::kJson, call.body);
  if (!json) return tl::unexpected(json.error());
  const bool list = type == BodyType::kJsonPatch;
  if (list ? !json->is_array() : !json->is_object()) {
    return bad_request(list ? "a JSON patch is a list of operations" : "a patch is an object");
  }
  const PatchType how = list                            ? PatchType::kJson
                        : type == BodyType::kMergePatch ? PatchType::kMerge
                                                        : PatchType::kStrategic;
  return Patch{how, *std::move(json)};
}

const Json* metadata_field(const Json& document, const char* field) {
  const auto metadata = document.find("metadata");
  if (metadata == document.end() || !metadata->is_object()) return nullptr;
  const auto found = metadata->find(field);
  return found == metadata->end() ? nullptr : &*found;
}

// A patch must leave alone which object it is.
Answer<void> same_identity(const Call& call, const resource::Object& before, const Json& after) {
  const std::vector<std::pair<const char*, std::string>> kept = {
      {"name", before.name()}, {"namespace", before.namespace_()}, {"uid", before.metadata().uid}};
  std::vector<Error> errors;
  for (const auto& [field, value] : kept) {
    const Json* found = metadata_field(after, field);
    if (value.empty() || (found != nullptr && *found == value)) continue;
    errors.push_back({Code::kInvalid, std::string("metadata.") + field, "field is immutable"});
  }
  if (errors.empty()) return {};
  return tl::unexpected(invalid_object(*call.kind, before.name(), errors, after));
}

Answer<cluster::ObjectPtr> attempt(const Context& context, const Call& call, const Patch& patch,
                                   const resource::Object& before, bool& own_revision,
                                   std::vector<std::string>& warnings) {
  const Json live = as_version(*call.kind, call.path.version, before.json());
  auto after =
      cluster::apply_patch(patch.type, live, patch.json, &schema::schema_of(*call.kind, call.path.version));
  if (!after) {
    // What does not fit is the request's fault in a JSON patch, and no valid object otherwise.
    Status status = status_of(call, after.error());
    if (patch.type == PatchType::kJson)
      status.message = "the server rejected our request: " + describe(after.error());
    return tl::unexpected(status);
  }
  if (!after->is_object()) return bad_request("the patch leaves no object");
  if (auto same = same_identity(call, before, *after); !same) return tl::unexpected(same.error());
  const Json* revision = metadata_field(*after, "resourceVersion");
  own_revision = revision != nullptr && *revision != std::to_string(before.metadata().resource_version);
  if (auto right = check_fields(call, *after, warnings); !right) return tl::unexpected(right.error());
  const bool status = call.path.subresource == "status";
  if (auto right = status ? admit_status(call, *after) : admit(call, *after); !right)
    return tl::unexpected(right.error());
  Json written = tracked(context, call, &live, *std::move(after));
  auto object = status ? context.client.update_status(*call.kind, std::move(written), write_options(call))
                       : context.client.update(*call.kind, std::move(written), write_options(call));
  if (!object) return tl::unexpected(status_of(call, object.error()));
  return *object;
}

}  // namespace

Answer<Response> patch_object(const Context& context, const Call& call) {
  if (body_type(call.content_type) == BodyType::kApplyPatch) return apply_object(context, call);
  const auto patch = read_patch(call);
  if (!patch) return tl::unexpected(patch.error());
  for (int i = 0;; ++i) {
    const auto before = read(context, call);
    if (!before) return tl::unexpected(before.error());
    bool own_revision = false;
    std::vector<std::string> warnings;
    auto object = attempt(context, call, *patch, **before, own_revision, warnings);
    if (object) return shown(context, call, **object, 200, std::move(warnings));
    if (object.error().code != 409 || own_revision || i == kAttemptsMax)
      return tl::unexpected(object.error());
  }
}

}  // namespace tidegate::apiserver

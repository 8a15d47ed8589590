#include "resource/object.h"

#include <nlohmann/json.hpp>

#include "resource/reader.h"

namespace tidegate::resource {
namespace {

// Tolerant of what Kubernetes' own decoder tolerates: resourceVersion is text there, and absent before
// storing.
Metadata read_metadata(Reader& document) {
  Metadata metadata;
  Reader reader(document, "metadata", Need::kRequired);
  reader.open();
  metadata.name = reader.text("name");
  metadata.namespace_ = reader.text("namespace");
  metadata.uid = reader.text("uid");
  const std::string version = reader.text("resourceVersion");
  for (const char digit : version) {
    if (digit < '0' || digit > '9' || version.size() > 19) {
      reader.wrong("resourceVersion",
                   "is \"" + version.substr(0, 30) + "\"; use the one that was read, or leave it out");
      break;
    }
    metadata.resource_version = metadata.resource_version * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  metadata.generation = reader.integer("generation").value_or(0);
  metadata.creation_timestamp = reader.text("creationTimestamp");
  metadata.deletion_timestamp = reader.text("deletionTimestamp");
  metadata.labels = reader.text_map("labels");
  metadata.annotations = reader.text_map("annotations");
  metadata.finalizers = reader.texts("finalizers");
  reader.each("ownerReferences", {}, [&](Reader& item) {
    item.open();
    metadata.owner_references.push_back(
        {.api_version = item.text("apiVersion"),
         .kind = item.text("kind"),
         .name = item.text("name"),
         .uid = item.text("uid"),
         .controller = item.boolean("controller").value_or(false),
         .block_owner_deletion = item.boolean("blockOwnerDeletion").value_or(false)});
  });
  return metadata;
}

}  // namespace

Object::Object(std::string api_version, std::string kind, Metadata metadata, std::unique_ptr<Json> json)
    : api_version_(std::move(api_version)),
      kind_(std::move(kind)),
      metadata_(std::move(metadata)),
      json_(std::move(json)) {}

Object::~Object() = default;

Result<ObjectPtr> Object::make(Json document) {
  auto object = draft(std::move(document));
  if (!object) return tl::unexpected(std::move(object.error()));
  return ObjectPtr(*std::move(object));
}

void Object::number(std::uint64_t resource_version) {
  metadata_.resource_version = resource_version;
  (*json_)["metadata"]["resourceVersion"] = std::to_string(resource_version);
}

Result<std::shared_ptr<Object>> Object::draft(Json document) {
  Findings findings;
  std::string api_version;
  std::string kind;
  Metadata metadata;
  {
    Reader reader(document, findings);
    reader.open();
    api_version = reader.text("apiVersion", {.need = Need::kRequired});
    kind = reader.text("kind", {.need = Need::kRequired});
    metadata = read_metadata(reader);
  }
  if (!findings.errors.empty()) return tl::unexpected(std::move(findings.errors.front()));
  return std::make_shared<Object>(std::move(api_version), std::move(kind), std::move(metadata),
                                  std::make_unique<Json>(std::move(document)));
}

std::string Object::title() const {
  return metadata_.namespace_.empty() ? kind_ + " " + metadata_.name
                                      : kind_ + " " + metadata_.namespace_ + "/" + metadata_.name;
}

}  // namespace tidegate::resource

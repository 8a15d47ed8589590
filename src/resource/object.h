// One API object of any kind, as it was written and as everybody passes it around.
//
// The JSON document is the truth; Metadata is a decoded copy of its "metadata", because nearly every reader
// needs it. Objects are immutable once shared: to change one, copy its JSON, change the copy, make a new
// Object. Typed views of the rest (spec, status) are decoded by the kind's own file, e.g. inference_pool.h.
//
// Thread: immutable; any thread.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tidegate::resource {

// Member order is kept, so that what a user wrote comes back in the same order.
using Json = nlohmann::ordered_json;

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
  bool block_owner_deletion = false;
};

struct Metadata {
  std::string name;
  std::string namespace_;  // empty for cluster-scoped kinds
  std::string uid;
  std::uint64_t resource_version = 0;  // 0 until stored
  std::int64_t generation = 0;
  std::string creation_timestamp;  // RFC 3339, sorts as text
  std::string deletion_timestamp;  // empty unless deletion was asked for
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<OwnerReference> owner_references;
  std::vector<std::string> finalizers;
};

class Object;
using ObjectPtr = std::shared_ptr<const Object>;

class Object {
 public:
  // Takes the document over. Errors: kInvalid if apiVersion, kind or metadata are missing or of the wrong
  // type.
  static Result<ObjectPtr> make(Json document);
  // The same, for whoever will number() it before anybody else sees it.
  static Result<std::shared_ptr<Object>> draft(Json document);
  void number(std::uint64_t resource_version);

  const std::string& api_version() const { return api_version_; }
  const std::string& kind() const { return kind_; }
  const Metadata& metadata() const { return metadata_; }
  const std::string& name() const { return metadata_.name; }
  const std::string& namespace_() const { return metadata_.namespace_; }
  const Json& json() const { return *json_; }

  // "InferenceModel default/lora-request", for messages.
  std::string title() const;

  Object(std::string api_version, std::string kind, Metadata metadata, std::unique_ptr<Json> json);
  ~Object();

 private:
  std::string api_version_;
  std::string kind_;
  Metadata metadata_;
  std::unique_ptr<Json> json_;
};

}  // namespace tidegate::resource

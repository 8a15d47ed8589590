// What form an answer shall have, and what form a body has.
//
// Thread: pure.
// Source: Kubernetes API Concepts, "Alternate representations of resources", "Receiving resources as Tables".

#pragma once

#include <string>
#include <string_view>

#include "cluster/apiserver/status.h"

namespace tidegate::apiserver {

enum class Form {
  kObject,     // as it is
  kTable,      // meta.k8s.io/v1 Table: columns for people
  kMetadata,   // meta.k8s.io/v1 PartialObjectMetadata
  kDiscovery,  // apidiscovery.k8s.io/v2 APIGroupDiscoveryList
  kDiscoveryV2beta1,
};

// The first form in the Accept header that we can make. Everything is sent as JSON.
// 406 if there is none.
Answer<Form> accepted_form(std::string_view accept);

enum class BodyType {
  kJson,
  kYaml,
  kProtobuf,
  kMergePatch,
  kJsonPatch,
  kStrategicPatch,
  kApplyPatch,
  kOther
};

BodyType body_type(std::string_view content_type);

// A JSON, YAML or protobuf body with one document. 400, or 413 if it is too large. With `twice`, keys
// that are there twice are no error: a message about each is put there, and the last value counts.
Answer<resource::Json> parse_body(BodyType type, std::string_view body,
                                  std::vector<std::string>* twice = nullptr);

}  // namespace tidegate::apiserver

// What the API server says instead of an object: Kubernetes' Status.
//
// Thread: pure.
// Source: Kubernetes API conventions, "Response Status Kind"; k8s.io/apimachinery api/errors.

#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "resource/kind.h"
#include "resource/object.h"

namespace tidegate::apiserver {

struct Cause {
  std::string reason;  // "FieldValueInvalid"
  std::string message;
  std::string field;
};

struct Status {
  int code = 500;
  std::string reason;   // "NotFound"
  std::string message;  // for people, as kubectl prints it
  // What it is about.
  std::string name;
  std::string group;
  std::string kind;  // for kinds known here the plural, as Kubernetes has it, but for Invalid
  std::string uid;
  std::vector<Cause> causes;
  int retry_after_s = 0;
};

template <typename T>
using Answer = tl::expected<T, Status>;

// The Status object as JSON text: Failure from code 400 on, else Success.
std::string to_text(const Status& status);

tl::unexpected<Status> bad_request(std::string message);
tl::unexpected<Status> unsupported_media_type(std::string_view accepted);
tl::unexpected<Status> method_not_allowed();
// No such path, as against no such object.
Status unknown_path();
// For an answer of the HTTP server itself.
Status plain_status(int code, std::string message);

// What an error of the cluster port means over HTTP.
Status status_of(const Error& error, const resource::Kind& kind, std::string_view name);

// 422: everything that is wrong with a document, one cause each.
Status invalid_object(const resource::Kind& kind, std::string_view name, const std::vector<Error>& errors,
                      const resource::Json& document);

// "deployments.apps", as messages name a resource.
std::string qualified(const resource::Kind& kind);

}  // namespace tidegate::apiserver

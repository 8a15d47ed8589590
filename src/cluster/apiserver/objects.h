// The verbs of the API on stored objects: one request in, one answer out. Watches and logs, which last, are
// in watch.h and logs.h.
//
// Every write is admitted here (defaults, validation), so that an answer names everything that is wrong, and
// then handed to the cluster port, which keeps revisions and decides who was first.
//
// Thread: any; calls block for the client's I/O.
// Source: Kubernetes API Concepts; k8s.io/apiserver endpoints/handlers.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cluster/apiserver/encode.h"
#include "cluster/apiserver/media.h"
#include "cluster/apiserver/options.h"
#include "cluster/apiserver/resource_path.h"
#include "cluster/apiserver/selectors.h"
#include "cluster/apiserver/status.h"
#include "cluster/client.h"

namespace tidegate::apiserver {

// A request for a stored kind, understood but not yet done.
struct Call {
  std::string method;
  ResourcePath path;
  resource::KindSetPtr kinds{};  // what was served when it came; `kind` is one of them
  const resource::Kind* kind = nullptr;
  Options options;
  Form form = Form::kObject;
  std::string content_type;
  std::string user_agent;
  std::string body;

  cluster::Key key() const { return {path.namespace_, path.name}; }
  Shape shape(WallTime now) const;
};

struct Response {
  int code = 200;
  std::string body;  // JSON
  std::vector<std::string> warnings;
  int retry_after_s = 0;
};

Response failure(const Status& status);

struct Context {
  cluster::Client& client;
  const Clock& clock;
};

Response answer(const Context& context, const Call& call);

// Everything below is what answer() is made of.
Answer<Response> get_object(const Context& context, const Call& call);
Answer<Response> list_objects(const Context& context, const Call& call);
Answer<Response> create_object(const Context& context, const Call& call);
Answer<Response> update_object(const Context& context, const Call& call);
Answer<Response> delete_object(const Context& context, const Call& call);
Answer<Response> delete_collection(const Context& context, const Call& call);

// patches.cc
Answer<Response> patch_object(const Context& context, const Call& call);

// subresources.cc
Answer<Response> answer_scale(const Context& context, const Call& call);
Answer<Response> answer_binding(const Context& context, const Call& call);
Response success(int code);

// eviction.cc
Answer<Response> answer_eviction(const Context& context, const Call& call);

// Reads the object that is meant. 404 if there is none.
Answer<cluster::ObjectPtr> read(const Context& context, const Call& call);
// Everything that is wrong with a document as 422; `document` gets its defaults.
Answer<void> admit(const Call& call, resource::Json& document);
// What is wrong with the status that a document of a custom kind brings.
Answer<void> admit_status(const Call& call, const resource::Json& document);
Status status_of(const Call& call, const Error& error);
// The body as one document; `twice` gets a message for every key that is there twice, which is an error without it.
Answer<resource::Json> body_of(const Call& call, std::vector<std::string>* twice = nullptr);
// The same as an object of the path's kind, namespace and name. `warnings` names fields that are there twice.
Answer<resource::Json> object_of(const Call& call, std::vector<std::string>& warnings);
// Fields that the kind does not have go; as fieldValidation says, each is a warning or all of them are a 400,
// with what is in `warnings` already. writes.cc
Answer<void> check_fields(const Call& call, resource::Json& document, std::vector<std::string>& warnings);
// `after` with metadata.managedFields that tell what this writer changed. `before` null: created. writes.cc
resource::Json tracked(const Context& context, const Call& call, const resource::Json* before,
                       resource::Json after);
// Server-side apply. writes.cc
Answer<Response> apply_object(const Context& context, const Call& call);
cluster::WriteOptions write_options(const Call& call);
// What was stored, in the form that was asked for.
Response shown(const Context& context, const Call& call, const resource::Object& object, int code = 200,
               std::vector<std::string> warnings = {});

}  // namespace tidegate::apiserver

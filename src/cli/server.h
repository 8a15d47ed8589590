// An API server as the verbs speak with it: apply, get, describe, delete, logs, scale, top, wait.
//
// Thread: the main thread.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/command.h"
#include "cluster/remote/api.h"
#include "cluster/remote/remote.h"

namespace tidegate::cli {

struct ServerFlags {
  std::string kubeconfig;  // empty: $KUBECONFIG
  std::string context;
  std::string namespace_;  // empty: the context's
  bool all_namespaces = false;
};

enum class Namespaces { kOne, kOneOrAll };

// --kubeconfig, --context, -n and, with kOneOrAll, -A, set into `flags`, which must outlive the parse.
void add_server_flags(Command verb, ServerFlags& flags, Namespaces namespaces);

// Where else an API server may be: around the pod that this program runs in.
enum class Fallback { kNone, kInCluster };

// Where a kubeconfig is: the flag, else the first file that $KUBECONFIG names. Errors: kNotFound, with how to
// get one.
Result<std::string> find_kubeconfig(const std::string& flag);

class Server {
 public:
  // Errors: those of the kubeconfig; nothing is asked yet.
  static Result<std::unique_ptr<Server>> reach(const ServerFlags& flags, Fallback fallback = Fallback::kNone,
                                               Duration call_timeout = std::chrono::seconds(30));

  remote::Api& api() { return *api_; }
  remote::RemoteClient& client() { return client_; }
  const Clock& clock() const { return clock_; }
  // For objects that say none.
  const std::string& namespace_() const { return namespace__; }
  // For lists: empty with -A.
  std::string_view list_namespace() const { return all_ ? std::string_view() : namespace__; }
  bool all_namespaces() const { return all_; }

  // The JSON document in the answer.
  Result<resource::Json> fetch(const remote::ApiRequest& request);
  Result<resource::Json> fetch(std::string target, std::string accept = "application/json");

 private:
  Server(std::unique_ptr<remote::Api> api, const ServerFlags& flags);

  SystemClock clock_;
  std::unique_ptr<remote::Api> api_;
  remote::RemoteClient client_;
  std::string namespace__;
  bool all_;
};

// Prints "tidegate VERB: why" on standard error, and gives exit status 1.
int report(std::string_view verb, const Error& error);

// "?a=b&c=d" of those pairs whose value is not empty, escaped.
std::string query_text(const std::vector<std::pair<std::string_view, std::string>>& pairs);

}  // namespace tidegate::cli

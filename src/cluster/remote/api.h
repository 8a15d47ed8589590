// Requests to one Kubernetes API server: TLS, credentials, patience.
//
//   Result<std::unique_ptr<Api>> api = Api::make(*access, clock, Random::from_system());
//   const Result<std::string> pods = (*api)->call({.target = "/api/v1/pods"});
//
// A call waits for one of a bounded number of places, so that a burst of ours is never a burst for the
// server. What was refused for being too much (429, 503 with Retry-After) is tried again after that time; a
// GET that found nobody is tried again after a growing delay with jitter; a 401 renews the credentials and
// tries once more. Writes are never repeated when it is unknown whether they took effect.
//
// Connections are kept and served by one thread of the Api's own.
//
// Thread: any; calls block. Every ApiStream must be gone before the Api.
// Errors: the server's Status as status.h maps it; kUnauthorized for certificates and credentials;
// kUnavailable, kDeadline; kCancelled after stop().

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "cluster/remote/kubeconfig.h"

namespace tidegate::remote {

struct ApiRequest {
  std::string method = "GET";
  std::string target;  // path and query, without the server's base path
  std::string accept = "application/json";
  std::string content_type = {};  // of the body
  std::string body = {};
};

struct ApiOptions {
  std::size_t calls_max = 16;                        // at once; streams do not count
  Duration call_timeout = std::chrono::seconds(30);  // of one try
  Duration open_timeout = std::chrono::seconds(15);  // until a stream's head is there
  int tries_max = 4;
  Duration wait_max = std::chrono::seconds(10);  // a longer Retry-After is shortened to this
  std::string user_agent = "tidegate";
};

// An answer as it comes: a watch, a log that is followed.
class ApiStream {
 public:
  struct State;
  explicit ApiStream(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~ApiStream();
  ApiStream(const ApiStream&) = delete;
  ApiStream& operator=(const ApiStream&) = delete;

  // What has come since, waiting up to `timeout` for the first of it; an empty text at the end, nothing if
  // nothing came.
  Result<std::optional<std::string>> read(Duration timeout);
  // From any thread: ends a read() and all later ones with kCancelled.
  void cancel();

 private:
  std::shared_ptr<State> state_;
};

class Api {
 public:
  // Errors: kInvalid, if certificates cannot be read, or a token would travel in the clear.
  static Result<std::unique_ptr<Api>> make(const Access& access, const Clock& clock, Random random,
                                           const ApiOptions& options = {});
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  // The body of a 2xx answer.
  Result<std::string> call(const ApiRequest& request);

  // Streams may live for `lifetime` at most; `on_ready`, if given, is called from the Api's thread, once,
  // when there is something after a read() that gave nothing. It must not block.
  Result<std::unique_ptr<ApiStream>> open(const ApiRequest& request, Duration lifetime,
                                          std::function<void()> on_ready = {});

  // Ends calls and streams with kCancelled and refuses later ones: before the program ends.
  void stop();

  const Access& access() const;

  // Between half and one and a half of `delay`, so that many clients do not come back together.
  Duration jittered(Duration delay);
  const Clock& clock() const;

 private:
  struct State;
  explicit Api(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::remote

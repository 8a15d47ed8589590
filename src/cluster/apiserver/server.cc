#include "cluster/apiserver/server.h"

#include <future>
#include <thread>
#include <utility>

#include "cluster/apiserver/front.h"
#include "cluster/apiserver/status.h"
#include "net/loop.h"

namespace tidegate::apiserver {
namespace {

constexpr std::size_t kBodyBytesMax = 3 * 1024 * 1024;  // as kube-apiserver
constexpr std::size_t kConnectionsMax = 4096;
constexpr std::size_t kWaitingMax = 1000;  // requests that wait for a worker
constexpr Duration kGrace = std::chrono::seconds(2);

http::ServerOptions http_options(const Clock& clock) {
  http::ServerOptions options;
  options.body_bytes_max = kBodyBytesMax;
  options.connections_max = kConnectionsMax;
  options.clock = &clock;
  options.error_body = [](int status, const Error& error) {
    return to_text(plain_status(
        status, status == 413 ? "Request entity too large: limit is " + std::to_string(kBodyBytesMax)
                              : describe(error)));
  };
  return options;
}

}  // namespace

struct ApiServer::State {
  State(cluster::Client& the_client, const Clock& the_clock, ServerOptions the_options)
      : options(std::move(the_options)),
        hub(the_client, loop),
        workers(loop, options.workers, kWaitingMax),
        desk{{the_client, the_clock}, options, loop, hub, workers},
        server(
            loop,
            [this](http::Request& request, http::Responder& responder) {
              return serve(desk, request, responder);
            },
            http_options(the_clock)) {}

  net::Task<void> end() {
    hub.end();
    co_await server.drain(kGrace);
    loop.stop();
  }

  const ServerOptions options;
  net::Loop loop;
  Hub hub;
  Workers workers;
  Desk desk;
  http::Server server;
  net::TaskGroup tasks;
  std::thread thread;
};

ApiServer::ApiServer(cluster::Client& client, const Clock& clock, ServerOptions options)
    : state_(std::make_unique<State>(client, clock, std::move(options))) {}

ApiServer::~ApiServer() { stop(); }

Result<net::Address> ApiServer::start() {
  State& s = *state_;
  std::promise<Result<net::Address>> bound;
  s.thread = std::thread([&s, &bound] {
    auto address = s.server.listen(s.options.address, {}, s.options.tls);
    const bool listens = address.has_value();
    bound.set_value(std::move(address));
    if (listens) s.loop.run();
  });
  auto address = bound.get_future().get();
  if (!address) s.thread.join();
  return address;
}

void ApiServer::stop() {
  State& s = *state_;
  if (!s.thread.joinable()) return;
  s.loop.post([&s] { s.tasks.spawn(s.end()); });
  s.thread.join();
}

}  // namespace tidegate::apiserver

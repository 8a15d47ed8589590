#include "cluster/apiserver/logs.h"

#include <utility>

namespace tidegate::apiserver {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(100);  // at a log that is followed

Answer<cluster::LogReader> open_log(const Desk& desk, const Call& call) {
  const auto pod = read(desk.context, call);
  if (!pod) return tl::unexpected(pod.error());
  const auto options = log_options(call.options, desk.context.clock.wall());
  if (!options) return tl::unexpected(options.error());
  if (!desk.options.kubelet.open_log) {
    return tl::unexpected(plain_status(503, "no machine here keeps logs of pods"));
  }
  auto reader = desk.options.kubelet.open_log(**pod, *options);
  if (reader) return *std::move(reader);
  // The kubelet's words for what cannot be read yet are a bad request.
  if (reader.error().code == Code::kInvalid) return bad_request(describe(reader.error()));
  return tl::unexpected(status_of(call, reader.error()));
}

}  // namespace

Answer<cluster::LogOptions> log_options(const Options& options, WallTime now) {
  cluster::LogOptions log;
  log.container = options.get("container");
  log.follow = options.flag("follow");
  log.previous = options.flag("previous");
  log.timestamps = options.flag("timestamps");
  const auto tail = options.number("tailLines");
  const auto limit = options.number("limitBytes");
  const auto since = options.number("sinceSeconds");
  for (const auto* number : {&tail, &limit, &since}) {
    if (!*number) return tl::unexpected(number->error());
  }
  if (tail->value_or(0) < 0)
    return bad_request("tailLines: Invalid value: must be greater than or equal to 0");
  if (limit->value_or(1) < 1) return bad_request("limitBytes: Invalid value: must be greater than 0");
  if (since->value_or(1) < 1) return bad_request("sinceSeconds: Invalid value: must be greater than 0");
  log.tail_lines = *tail;
  if (*limit) log.limit_bytes = static_cast<std::uint64_t>(**limit);
  if (*since) log.since = now - std::chrono::seconds(std::min<std::int64_t>(**since, 10LL * 365 * 86'400));
  return log;
}

net::Task<void> serve_log(Desk& desk, const Call& call, http::Responder& responder) {
  Answer<cluster::LogReader> reader = tl::unexpected(plain_status(429, "too many requests are waiting"));
  std::function<void()> opening = [&] { reader = open_log(desk, call); };
  const bool taken = co_await desk.workers.run(std::move(opening));
  (void)taken;
  if (!reader) {
    Result<void> sent =
        co_await responder.respond(reader.error().code, "application/json", to_text(reader.error()));
    (void)sent;
    co_return;
  }
  Result<void> started = co_await responder.start(200, "text/plain");
  net::Alarm alarm(desk.loop);
  const bool listening = started && responder.on_client_gone([&alarm] { alarm.cancel(); });
  if (!listening) co_return;
  // Followers end with the server as watches do.
  Hub::Ear ear(desk.hub, *call.kind);
  cluster::LogPart part;
  while (!part.ended && !ear.ending()) {
    std::function<void()> reading = [&] { part = (*reader)(); };
    const bool read = co_await desk.workers.run(std::move(reading));
    if (read && !part.text.empty()) {
      Result<void> sent = co_await responder.write(part.text);
      if (!sent) co_return;
    } else if (!part.ended) {
      const bool goes_on = co_await alarm.after(kLook);
      if (!goes_on) co_return;
    }
  }
  Result<void> finished = co_await responder.finish();
  (void)finished;
}

}  // namespace tidegate::apiserver

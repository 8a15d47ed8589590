#include "cluster/remote/api.h"

#include <netdb.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "cluster/informer.h"
#include "cluster/remote/api_line.h"
#include "cluster/remote/credentials.h"
#include "cluster/remote/status.h"
#include "net/tls.h"

namespace tidegate::remote {
namespace {

constexpr Duration kAddressesAge = std::chrono::seconds(30);
constexpr std::size_t kAddressesMax = 8;

std::string host_header(const Access& access) {
  const bool bare6 = access.host.find(':') != std::string::npos;
  const std::string host = bare6 ? "[" + access.host + "]" : access.host;
  const std::uint16_t usual = access.tls ? 443 : 80;
  return access.port == usual ? host : host + ":" + std::to_string(access.port);
}

bool is_loopback(const Access& access) {
  const auto address = net::Address::parse(access.host, access.port);
  return address ? address->is_loopback() : access.host == "localhost";
}

Duration seconds_in(std::string_view text) {
  long number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || number > 100'000) return Duration::zero();
    number = number * 10 + (c - '0');
  }
  return std::chrono::seconds(number);
}

// One answer, or why there was none.
struct Answer {
  int status = 0;
  Error error;
  std::string body;
  std::string retry_after;

  bool ok() const { return status >= 200 && status < 300; }
  Error as_error() const { return status == 0 ? error : error_of(status, body); }
};

}  // namespace

struct Api::State {
  State(const Access& the_access, const Clock& the_clock, Random the_random, const ApiOptions& the_options)
      : access(the_access),
        clock(the_clock),
        options(the_options),
        credentials(the_access, the_clock),
        random(the_random) {}

  Result<std::shared_ptr<Line>> line_for(const Credential& credential);
  Result<std::vector<net::Address>> addresses();
  http::ClientRequest prepare(const ApiRequest& request, const Credential& credential) const;

  // `once` gives one try's answer; this is the patience around it.
  Result<Answer> with_patience(const std::string& method,
                               const std::function<Answer(const Credential&, const std::shared_ptr<Line>&,
                                                          const std::vector<net::Address>&)>& once);
  Duration pause_before_next(const std::string& method, const Answer& answer, int tries);
  bool sleep(Duration time);
  Answer fetch(const ApiRequest& request, const Credential& credential, const std::shared_ptr<Line>& line,
               const std::vector<net::Address>& where);

  const Access access;
  const Clock& clock;
  const ApiOptions options;
  Credentials credentials;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  Random random;
  bool stopped = false;
  std::size_t calls = 0;
  std::vector<net::Address> resolved;
  TimePoint resolved_until{};
  std::shared_ptr<Line> line;
  std::string line_certificate;

  net::Loop loop;
  net::TaskGroup tasks;  // of the loop's thread
  std::thread thread;
};

Result<std::unique_ptr<Api>> Api::make(const Access& access, const Clock& clock, Random random,
                                       const ApiOptions& options) {
  const bool secret = !access.token.empty() || !access.token_file.empty() || access.exec;
  if (!access.tls && secret && !is_loopback(access)) {
    return fail(Code::kInvalid,
                "a token would travel to " + host_header(access) + " in the clear; use https://");
  }
  auto state = std::make_unique<State>(access, clock, random, options);
  // Reads the certificates now, so that a wrong one is told at the start.
  if (const auto line = state->line_for({access.token, access.certificate}); !line)
    return tl::unexpected(line.error());
  state->thread = std::thread([&loop = state->loop] { loop.run(); });
  return std::unique_ptr<Api>(new Api(std::move(state)));
}

Api::Api(std::unique_ptr<State> state) : state_(std::move(state)) {}

Api::~Api() {
  State& s = *state_;
  stop();
  net::TaskGroup ending;
  s.loop.post([&] {
    ending.spawn([](State& state) -> net::Task<void> {
      co_await state.tasks.wait_empty();
      state.line = nullptr;
      state.loop.stop();
    }(s));
  });
  s.thread.join();
}

void Api::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stopped = true;
  state_->changed.notify_all();
  state_->loop.post([line = state_->line]() mutable {
    if (line) line->client.abort_all();
    line.reset();
  });
}

const Access& Api::access() const { return state_->access; }
const Clock& Api::clock() const { return state_->clock; }

Duration Api::jittered(Duration delay) {
  const std::lock_guard lock(state_->mutex);
  return std::chrono::duration_cast<Duration>(delay * (0.5 + state_->random.unit()));
}

Result<std::shared_ptr<Line>> Api::State::line_for(const Credential& credential) {
  const std::lock_guard lock(mutex);
  const std::string certificate = credential.certificate ? credential.certificate->certificate_pem : "";
  if (line && certificate == line_certificate) return line;
  http::ClientOptions settings;
  settings.idle_per_address_max = options.calls_max;
  if (access.tls) {
    net::TlsClientOptions tls;
    tls.authorities_pem = access.authorities_pem;
    tls.certificate = credential.certificate;
    tls.trust_anyone = access.trust_anyone;
    auto made = net::TlsClient::make(tls);
    if (!made) {
      const Error& error = made.error();
      return fail(error.code, access.title + ": the " + error.field + " " + error.message);
    }
    settings.tls = *std::move(made);
    settings.server_name = access.server_name.empty() ? access.host : access.server_name;
  }
  // The one before belongs to the loop's thread, and so does its end.
  if (line) loop.post([old = line]() mutable { old.reset(); });
  line = std::make_shared<Line>(loop, std::move(settings));
  line_certificate = certificate;
  return line;
}

Result<std::vector<net::Address>> Api::State::addresses() {
  if (const auto literal = net::Address::parse(access.host, access.port)) return std::vector{*literal};
  {
    const std::lock_guard lock(mutex);
    if (!resolved.empty() && clock.now() < resolved_until) return resolved;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(access.host.c_str(), std::to_string(access.port).c_str(), &hints, &found);
  if (error != 0) {
    return fail(Code::kUnavailable,
                "the API server's name " + access.host + " cannot be resolved: " + gai_strerror(error));
  }
  std::vector<net::Address> list;
  for (const addrinfo* each = found; each && list.size() < kAddressesMax; each = each->ai_next) {
    sockaddr_storage raw{};
    std::copy_n(reinterpret_cast<const char*>(each->ai_addr),
                std::min<std::size_t>(each->ai_addrlen, sizeof raw), reinterpret_cast<char*>(&raw));
    list.push_back(net::Address::from(raw));
  }
  freeaddrinfo(found);
  const std::lock_guard lock(mutex);
  resolved = list;
  resolved_until = clock.now() + kAddressesAge;
  return list;
}

http::ClientRequest Api::State::prepare(const ApiRequest& request, const Credential& credential) const {
  http::ClientRequest prepared;
  prepared.method = request.method;
  prepared.target = access.base_path + request.target;
  prepared.headers = {
      {"Host", host_header(access)}, {"Accept", request.accept}, {"User-Agent", options.user_agent}};
  if (!credential.token.empty()) prepared.headers.emplace_back("Authorization", "Bearer " + credential.token);
  if (!request.content_type.empty()) prepared.headers.emplace_back("Content-Type", request.content_type);
  prepared.body = request.body;
  return prepared;
}

// False if stop() ended it.
bool Api::State::sleep(Duration time) {
  std::unique_lock lock(mutex);
  return !changed.wait_for(lock, time, [this] { return stopped; });
}

// Zero: the answer stands.
Duration Api::State::pause_before_next(const std::string& method, const Answer& answer, int tries) {
  if (answer.ok() || tries >= options.tries_max) return Duration::zero();
  const Duration asked = seconds_in(answer.retry_after);
  const bool too_much = answer.status == 429 || (answer.status == 503 && asked > Duration::zero());
  const bool nobody = (answer.status == 0 && answer.error.code == Code::kUnavailable) ||
                      (answer.status >= 502 && answer.status <= 504);
  if (!too_much && !(nobody && method == "GET")) return Duration::zero();
  const std::lock_guard lock(mutex);
  const auto grown =
      std::chrono::duration_cast<Duration>(cluster::retry_delay(tries) * (0.5 + random.unit()));
  return std::min(options.wait_max, asked + grown);
}

Result<Answer> Api::State::with_patience(
    const std::string& method, const std::function<Answer(const Credential&, const std::shared_ptr<Line>&,
                                                          const std::vector<net::Address>&)>& once) {
  bool renewed = false;
  for (int tries = 1;; ++tries) {
    const auto credential = credentials.get();
    if (!credential) return tl::unexpected(credential.error());
    const auto current = line_for(*credential);
    if (!current) return tl::unexpected(current.error());
    Answer answer;
    if (const auto where = addresses(); where) {
      answer = once(*credential, *current, *where);
    } else {
      answer.error = where.error();
    }
    if (answer.status == 401 && !std::exchange(renewed, true) && credentials.renew(*credential)) continue;
    const Duration pause = pause_before_next(method, answer, tries);
    if (pause == Duration::zero()) return answer;
    if (!sleep(pause)) return fail(Code::kCancelled, "the call was given up");
  }
}

Answer Api::State::fetch(const ApiRequest& request, const Credential& credential,
                         const std::shared_ptr<Line>& current, const std::vector<net::Address>& where) {
  // Shared: the loop may still be inside set_value() when the answer is here.
  const auto promise = std::make_shared<std::promise<Answer>>();
  const http::ClientRequest prepared = prepare(request, credential);
  const auto run = [](State& s, std::shared_ptr<Line> on, const http::ClientRequest& what,
                      const std::vector<net::Address>& to,
                      std::shared_ptr<std::promise<Answer>> done) -> net::Task<void> {
    Answer answer;
    for (const net::Address& address : to) {
      Result<http::Response> response =
          co_await on->client.fetch(address, what, s.loop.now() + s.options.call_timeout);
      if (response) {
        answer.status = response->status;
        answer.retry_after = std::string(response->header("retry-after").value_or(""));
        answer.body = std::move(response->body);
        break;
      }
      answer.error = response.error();
      if (answer.error.code != Code::kUnavailable) break;
    }
    on.reset();
    done->set_value(std::move(answer));
  };
  std::future<Answer> answer = promise->get_future();
  loop.post([&] { tasks.spawn(run(*this, current, prepared, where, promise)); });
  return answer.get();
}

Result<std::string> Api::call(const ApiRequest& request) {
  State& s = *state_;
  {
    std::unique_lock lock(s.mutex);
    s.changed.wait(lock, [&s] { return s.stopped || s.calls < s.options.calls_max; });
    if (s.stopped) return fail(Code::kCancelled, "the call was given up");
    ++s.calls;
  }
  auto answer = s.with_patience(
      request.method,
      [&](const Credential& credential, const std::shared_ptr<Line>& line,
          const std::vector<net::Address>& where) { return s.fetch(request, credential, line, where); });
  {
    const std::lock_guard lock(s.mutex);
    --s.calls;
    s.changed.notify_all();
  }
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->ok()) return tl::unexpected(answer->as_error());
  return std::move(answer->body);
}

Result<std::unique_ptr<ApiStream>> Api::open(const ApiRequest& request, Duration lifetime,
                                             std::function<void()> on_ready) {
  State& s = *state_;
  std::shared_ptr<ApiStream::State> stream;
  const auto answer =
      s.with_patience(request.method, [&](const Credential& credential, const std::shared_ptr<Line>& line,
                                          const std::vector<net::Address>& where) {
        stream = std::make_shared<ApiStream::State>(s.loop, line);
        stream->on_ready = on_ready;
        s.loop.post([&s, stream, where, prepared = s.prepare(request, credential), lifetime] {
          s.tasks.spawn(ApiStream::State::pump(stream, where, prepared, s.options.open_timeout, lifetime));
        });
        auto opened = stream->wait_opened();
        return Answer{opened.status, std::move(opened.error), std::move(opened.body),
                      std::move(opened.retry_after)};
      });
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->ok()) return tl::unexpected(answer->as_error());
  return std::make_unique<ApiStream>(std::move(stream));
}

}  // namespace tidegate::remote

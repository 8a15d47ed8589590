#include "http/client.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/ascii.h"
#include "http/write.h"
#include "net/stream.h"

namespace tidegate::http {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kReserveMax = 1024 * 1024;  // an announced length is believed up to here
constexpr std::size_t kInterimMax = 16;           // 1xx answers before the real one

bool may_repeat(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS";
}

bool announces_body(const ClientRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

void append_request_head(std::string& out, const ClientRequest& request, std::string_view host) {
  append_request_line(out, request.method, request.target);
  bool has_host = false;
  for (const auto& [name, value] : request.headers) {
    has_host = has_host || ascii::equals_ignoring_case(name, "host");
    append_field(out, name, value);
  }
  if (!has_host) append_field(out, "Host", host);
  if (announces_body(request)) append_field(out, "Content-Length", request.body.size());
  end_head(out);
}

}  // namespace

std::optional<std::string_view> Response::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (ascii::equals_ignoring_case(field, name)) return value;
  }
  return std::nullopt;
}

struct Exchange::Connection {
  Connection(Client::State& the_owner, net::Stream the_stream, const net::Address& the_address,
             HeadLimits limits);
  ~Connection();

  net::Task<Result<void>> send(const ClientRequest& request, TimePoint deadline);
  net::Task<Result<void>> read_head(bool response_to_head);
  net::Task<Result<std::size_t>> read_more();
  // Nothing of another message is left over, and the other side keeps the connection open.
  bool reusable() { return done && parser.message().keep_alive && in.size() == used && is_quiet(); }
  // Bytes or an end that nobody asked for make a connection unfit for the next request.
  bool is_quiet() { return !stream.hung_up() && !stream.readable().await_ready(); }

  Client::State& owner;
  net::Stream stream;
  net::Address address;
  Parser parser;
  std::string head;      // the views of the parsed head point here
  std::string in;        // what has arrived behind the head
  std::size_t used = 0;  // of `in`, by the piece that read() gave last
  std::string out;
  bool done = false;
  bool answered = false;  // some byte of the answer has arrived
  TimePoint idle_since{};
};

struct Client::State {
  State(net::Loop& the_loop, ClientOptions the_options)
      : loop(the_loop), options(the_options), sweep(the_loop, [this] { close_expired(); }) {}

  std::string host_of(const net::Address& address) const;
  std::unique_ptr<Exchange::Connection> take_idle(const net::Address& address);
  void give_back(std::unique_ptr<Exchange::Connection> connection);
  void close_expired();
  net::Task<Result<std::unique_ptr<Exchange::Connection>>> connect(net::Address address, TimePoint deadline);

  net::Loop& loop;
  ClientOptions options;
  std::unordered_set<Exchange::Connection*> all;  // idle or not
  bool aborted = false;
  std::unordered_map<std::string, std::vector<std::unique_ptr<Exchange::Connection>>> idle;
  net::Timer sweep;
};

Exchange::Connection::Connection(Client::State& the_owner, net::Stream the_stream,
                                 const net::Address& the_address, HeadLimits limits)
    : owner(the_owner),
      stream(std::move(the_stream)),
      address(the_address),
      parser(Parser::kResponse, limits) {
  owner.all.insert(this);
}

Exchange::Connection::~Connection() { owner.all.erase(this); }

std::string Client::State::host_of(const net::Address& address) const {
  // An IPv6 address needs its brackets, and they are there.
  const std::string& name = options.server_name;
  if (name.empty() || name.find(':') != std::string::npos) return address.text();
  constexpr std::uint16_t kHttpsPort = 443;
  if (address.port() == kHttpsPort) return name;
  return options.server_name + ":" + std::to_string(address.port());
}

net::Task<Result<std::size_t>> Exchange::Connection::read_more() {
  const std::size_t before = in.size();
  in.resize(before + kReadBytes);
  const Result<std::size_t> got = co_await stream.read_some(in.data() + before, kReadBytes);
  in.resize(before + got.value_or(0));
  answered = answered || got.value_or(0) > 0;
  co_return got;
}

net::Task<Result<void>> Exchange::Connection::send(const ClientRequest& request, TimePoint deadline) {
  out.clear();
  append_request_head(out, request, owner.host_of(address));
  stream.set_deadline(deadline);
  iovec pieces[2] = {{out.data(), out.size()}, {const_cast<char*>(request.body.data()), request.body.size()}};
  const Result<void> sent = co_await stream.write_all(pieces, 2);
  // Whoever refuses a body half-way has answered before closing: the answer says more than the broken pipe.
  Result<void> read = co_await read_head(request.method == "HEAD");
  if (!read && !sent) co_return sent;
  co_return read;
}

net::Task<Result<void>> Exchange::Connection::read_head(bool response_to_head) {
  in.clear();
  used = 0;
  done = answered = false;
  for (std::size_t interim = 0; interim <= kInterimMax; ++interim) {
    parser.reset(response_to_head);
    Result<std::size_t> size = in.empty() ? Result<std::size_t>(0) : parser.head(in);
    while (size && *size == 0) {
      const Result<std::size_t> got = co_await read_more();
      if (!got) co_return tl::unexpected(got.error());
      if (*got == 0) {
        co_return fail(Code::kUnavailable, address.text() + " closed the connection before it had answered");
      }
      size = parser.head(in);
    }
    if (!size) co_return tl::unexpected(size.error());
    std::string rest = in.substr(*size);
    head = std::exchange(in, std::move(rest));
    if (parser.message().status >= 200) co_return Result<void>{};
  }
  co_return fail(Code::kInvalid, address.text() + " sends interim answers without end");
}

std::unique_ptr<Exchange::Connection> Client::State::take_idle(const net::Address& address) {
  const auto found = idle.find(address.text());
  if (found == idle.end()) return nullptr;
  auto& connections = found->second;
  std::unique_ptr<Exchange::Connection> taken;
  while (!connections.empty() && !taken) {
    // The youngest first: it is the least likely to be closed by the other side at this moment.
    std::unique_ptr<Exchange::Connection> last = std::move(connections.back());
    connections.pop_back();
    if (last->is_quiet() && loop.now() - last->idle_since < options.idle_time_max) taken = std::move(last);
  }
  if (connections.empty()) idle.erase(found);
  return taken;
}

void Client::State::give_back(std::unique_ptr<Exchange::Connection> connection) {
  auto& connections = idle[connection->address.text()];
  if (connections.size() >= options.idle_per_address_max) return;
  connection->stream.set_deadline(TimePoint::max());
  connection->idle_since = loop.now();
  connections.push_back(std::move(connection));
  if (!sweep.armed()) sweep.arm(loop.now() + options.idle_time_max);
}

void Client::State::close_expired() {
  const TimePoint oldest = loop.now() - options.idle_time_max;
  for (auto entry = idle.begin(); entry != idle.end();) {
    std::erase_if(entry->second,
                  [&](const auto& c) { return c->idle_since <= oldest || c->stream.hung_up(); });
    entry = entry->second.empty() ? idle.erase(entry) : std::next(entry);
  }
  if (!idle.empty()) sweep.arm(loop.now() + options.idle_time_max);
}

net::Task<Result<std::unique_ptr<Exchange::Connection>>> Client::State::connect(net::Address address,
                                                                                TimePoint deadline) {
  if (aborted) co_return fail(Code::kCancelled, "the client is being ended");
  Result<net::Stream> stream = co_await net::Stream::connect(loop, address, deadline);
  if (!stream) co_return tl::unexpected(stream.error());
  if (aborted) co_return fail(Code::kCancelled, "the client is being ended");
  // Before the handshake, so that abort_all() ends that too.
  auto made = std::make_unique<Exchange::Connection>(*this, *std::move(stream), address, options.head);
  if (options.tls) {
    std::string name = options.server_name.empty() ? address.ip() : options.server_name;
    const Result<void> shaken = co_await made->stream.connect_tls(*options.tls, std::move(name), deadline);
    if (!shaken) co_return tl::unexpected(shaken.error());
  }
  co_return made;
}

Exchange::Exchange(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&& other) noexcept {
  std::swap(connection_, other.connection_);
  return *this;
}
Exchange::~Exchange() {
  if (connection_ && connection_->reusable()) {
    Client::State& owner = connection_->owner;
    owner.give_back(std::move(connection_));
  }
}

const Head& Exchange::head() const { return connection_->parser.message(); }

net::Task<Result<std::string_view>> Exchange::read(TimePoint deadline) {
  Connection& c = *connection_;
  c.in.erase(0, std::exchange(c.used, 0));
  c.stream.set_deadline(deadline);
  while (!c.done) {
    const Result<Parser::Body> piece = c.parser.body(std::string_view(c.in).substr(c.used));
    if (!piece) co_return tl::unexpected(piece.error());
    c.used += piece->consumed;
    c.done = piece->done;
    if (!piece->payload.empty()) co_return piece->payload;
    if (c.done || (piece->consumed > 0 && c.used < c.in.size())) continue;
    c.in.erase(0, std::exchange(c.used, 0));
    const Result<std::size_t> got = co_await c.read_more();
    if (!got) co_return tl::unexpected(got.error());
    if (*got == 0) {
      if (!c.parser.finish()) {
        co_return fail(Code::kUnavailable,
                       c.address.text() + " closed the connection before the end of its answer");
      }
      c.done = true;
    }
  }
  co_return std::string_view{};
}

void Exchange::abort() { connection_->stream.abort(); }

Client::Client(net::Loop& loop, ClientOptions options)
    : state_(std::make_unique<State>(loop, std::move(options))) {}
Client::~Client() = default;

net::Task<Result<Exchange>> Client::open(net::Address address, const ClientRequest& request,
                                         TimePoint deadline) {
  State& s = *state_;
  std::unique_ptr<Exchange::Connection> connection = s.take_idle(address);
  if (connection) {
    const Result<void> sent = co_await connection->send(request, deadline);
    if (sent) co_return Exchange(std::move(connection));
    const bool again =
        sent.error().code == Code::kUnavailable && !connection->answered && may_repeat(request.method);
    if (!again) co_return tl::unexpected(sent.error());
  }
  Result<std::unique_ptr<Exchange::Connection>> fresh = co_await s.connect(address, deadline);
  if (!fresh) co_return tl::unexpected(fresh.error());
  const Result<void> sent = co_await (*fresh)->send(request, deadline);
  if (!sent) co_return tl::unexpected(sent.error());
  co_return Exchange(*std::move(fresh));
}

net::Task<Result<Response>> Client::fetch(net::Address address, const ClientRequest& request,
                                          TimePoint deadline) {
  Result<Exchange> exchange = co_await open(address, request, deadline);
  if (!exchange) co_return tl::unexpected(exchange.error());
  const Head& head = exchange->head();
  Response response;
  response.status = head.status;
  response.headers.reserve(head.headers.size());
  for (const Header& header : head.headers) response.headers.emplace_back(header.name, header.value);
  const std::size_t limit = state_->options.body_bytes_max;
  const auto too_large = [&] {
    return fail(Code::kTooLarge,
                "answer of " + address.text() + " is larger than " + std::to_string(limit) + " bytes");
  };
  if (head.framing == Framing::kLength) {
    if (head.content_length > limit) co_return too_large();
    response.body.reserve(std::min<std::size_t>(head.content_length, kReserveMax));
  }
  while (true) {
    const Result<std::string_view> piece = co_await exchange->read(deadline);
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) co_return response;
    if (response.body.size() + piece->size() > limit) co_return too_large();
    response.body.append(*piece);
  }
}

std::size_t Client::idle_connections() const {
  std::size_t total = 0;
  for (const auto& [address, connections] : state_->idle) total += connections.size();
  return total;
}

void Client::close_idle() { state_->idle.clear(); }

void Client::abort_all() {
  state_->aborted = true;
  for (Exchange::Connection* connection : state_->all) connection->stream.abort();
}

}  // namespace tidegate::http

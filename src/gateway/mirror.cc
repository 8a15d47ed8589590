#include "gateway/mirror.h"

#include <utility>
#include <vector>

#include "gateway/dialect/edit.h"
#include "gateway/request_head.h"
#include "gateway/walk.h"

namespace tidegate::gateway {
namespace {

constexpr std::size_t kUnderWayMax = 256;
constexpr std::size_t kBytesMax = std::size_t{64} * 1024 * 1024;
constexpr Duration kTimeMax = std::chrono::minutes(5);

// Of two healthy endpoints that serve the model, drawn by chance, the less busy one. Null if there is none.
std::shared_ptr<fleet::Live> choose(const PoolView& pool, std::string_view model, TimePoint now,
                                    Random& random) {
  const Listing::Lacking lacks_model = pool.lacking(model);
  const auto serves = [&](std::size_t i) {
    return !lacks_model[i] && pool.endpoints[i]->facts(pick::kNoAdapter, now).healthy;
  };
  std::shared_ptr<fleet::Live> best;
  for (int tries = 0; tries < 4 && !pool.endpoints.empty(); ++tries) {
    const std::size_t i = random.next() % pool.endpoints.size();
    if (!serves(i)) continue;
    const std::shared_ptr<fleet::Live>& live = pool.endpoints[i];
    if (!best || live->cell().in_flight() < best->cell().in_flight()) best = live;
  }
  for (std::size_t i = 0; i < pool.endpoints.size() && !best; ++i) {
    if (serves(i)) best = pool.endpoints[i];
  }
  return best;
}

// Null: the name goes on unchanged.
const rewrite::Target* target_of(Walk& walk, const Pool& pool, const PoolView& live) {
  if (pool.kind != Pool::kInference || !walk.facts.has_model) return nullptr;
  return pool.models.resolve(walk.model, walk.tools.random.next(), live.served.get()).target;
}

// The head and the body as the mirror's pool wants them.
std::string copy_for(Walk& walk, const rewrite::Target* target) {
  dialect::EditList edits;
  if (target) edits.replace_model(walk.facts, walk.is_form ? target->model : target->token);
  const dialect::Pieces body = edits.apply(walk.request.body);
  std::string request;
  append_request_head(request, walk, body.total);
  for (const std::string_view part : body.view()) request += part;
  return request;
}

void send_mirror(Walk& walk, const route::Mirror& mirror) {
  Tools& tools = walk.tools;
  if (mirror.numerator < mirror.denominator && tools.random.next() % mirror.denominator >= mirror.numerator)
    return;
  const Pool* pool = walk.view->snapshot->pool(mirror.target);
  if (!pool || !tools.mirrors.takes(walk.request.body.size())) return;
  const PoolView& live = walk.view->pools[mirror.target];
  const rewrite::Target* const target = target_of(walk, *pool, live);
  std::shared_ptr<fleet::Live> to =
      choose(live, target ? target->model : walk.model, tools.loop.now(), tools.random);
  if (!to) return;
  tools.mirrors.send(copy_for(walk, target), walk.request.head.method == "HEAD", std::move(to),
                     walk.deadline(kTimeMax));
}

}  // namespace

bool Mirrors::takes(std::size_t bytes) const {
  return !stopped_ && tasks_.running() < kUnderWayMax && bytes_ + bytes <= kBytesMax;
}

void Mirrors::send(std::string request, bool is_head, std::shared_ptr<fleet::Live> live, TimePoint deadline) {
  tasks_.spawn(carry(std::move(request), is_head, std::move(live), deadline));
}

net::Task<void> Mirrors::carry(std::string request, bool is_head, std::shared_ptr<fleet::Live> live,
                               TimePoint deadline) {
  const std::size_t size = request.size();
  bytes_ += size;
  const Dispatch dispatch(*live, loop_.now());
  // A kept connection may turn out to be closed; a copy is not tried again, so it gets a new one.
  Result<std::unique_ptr<upstream::Connection>> made =
      co_await upstream_.connect(live->address(), deadline, live->secured());
  if (made && !stopped_) {
    upstream::Connection* connection = made->get();
    open_.insert(connection);
    connection->set_deadline(deadline);
    co_await exchange(*connection, request, is_head);
    open_.erase(connection);
    upstream_.give_back(*std::move(made));
  }
  bytes_ -= size;
}

net::Task<void> Mirrors::exchange(upstream::Connection& connection, std::string& request, bool is_head) {
  iovec piece{request.data(), request.size()};
  const Result<void> sent = co_await connection.send(&piece, 1, is_head);
  if (!sent) co_return;
  const Result<const http::Head*> head = co_await connection.read_head();
  if (!head) co_return;
  std::vector<std::string_view> pieces;
  while (true) {
    pieces.clear();
    const Result<bool> done = co_await connection.read_body(pieces);
    if (!done || *done) co_return;
  }
}

net::Task<void> Mirrors::stop() {
  stopped_ = true;
  for (upstream::Connection* connection : open_) connection->abort();
  co_await tasks_.wait_empty();
}

void send_mirrors(Walk& walk) {
  for (const route::Mirror& mirror : walk.filters->mirrors) send_mirror(walk, mirror);
}

}  // namespace tidegate::gateway

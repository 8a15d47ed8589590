#include "gateway/upstream/pool.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/random.h"

namespace tidegate::upstream {

std::size_t Pool::Hash::operator()(const Place& place) const {
  const net::Address& address = place.address;
  const char* raw = reinterpret_cast<const char*>(address.raw());
  std::uint64_t first = 0;  // family, port and, of IPv4, the address
  std::memcpy(&first, raw, sizeof first);
  first ^= reinterpret_cast<std::uintptr_t>(place.secured);
  if (address.family() == AF_INET) return mix64(first);
  std::uint64_t rest[2] = {};
  std::memcpy(rest, raw + 8, sizeof rest);
  return mix64(first ^ mix64(rest[0] ^ mix64(rest[1])));
}

Pool::Pool(net::Loop& loop, net::BufferPool& buffers, const PoolLimits& limits)
    : loop_(loop), buffers_(buffers), limits_(limits), sweeper_(loop, [this] { sweep(); }) {}

Pool::~Pool() = default;

std::unique_ptr<Connection> Pool::take(const net::Address& endpoint, const SecuredPtr& secured) {
  const auto found = resting_.find({endpoint, secured.get()});
  if (found == resting_.end()) return nullptr;
  while (!found->second.empty()) {
    std::unique_ptr<Connection> connection = std::move(found->second.back().connection);
    found->second.pop_back();
    --resting_count_;
    if (connection->stream().hung_up()) continue;
    if (connection->stream().on_hangup(nullptr)) return connection;
  }
  return nullptr;
}

net::Task<Result<std::unique_ptr<Connection>>> Pool::connect(net::Address endpoint, TimePoint deadline,
                                                             SecuredPtr secured) {
  deadline = std::min(deadline, loop_.now() + limits_.connect_timeout);
  Result<net::Stream> stream = co_await open_stream(loop_, endpoint, secured, deadline);
  if (!stream) co_return tl::unexpected(stream.error());
  co_return std::make_unique<Connection>(buffers_, limits_.head, *std::move(stream), std::move(secured));
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (closed_ || !connection->reusable()) return;
  std::vector<Resting>& list = resting_[place_of(*connection)];
  if (list.size() >= limits_.idle_per_endpoint_max) return;
  connection->rest();
  connection->set_deadline(TimePoint::max());
  Connection* raw = connection.get();
  if (!raw->stream().on_hangup([this, raw] { drop(raw); })) return;
  list.push_back({std::move(connection), loop_.now()});
  ++resting_count_;
  if (!sweeper_.armed()) sweeper_.arm(loop_.now() + limits_.idle_timeout);
}

Pool::Place Pool::place_of(const Connection& connection) {
  return {connection.stream().peer(), connection.secured().get()};
}

void Pool::drop(const Connection* connection) {
  const auto found = resting_.find(place_of(*connection));
  if (found == resting_.end()) return;
  const auto gone =
      std::erase_if(found->second, [&](const Resting& r) { return r.connection.get() == connection; });
  resting_count_ -= gone;
}

void Pool::sweep() {
  const TimePoint oldest = loop_.now() - limits_.idle_timeout;
  for (auto entry = resting_.begin(); entry != resting_.end();) {
    resting_count_ -= std::erase_if(entry->second, [&](const Resting& r) { return r.since <= oldest; });
    entry = entry->second.empty() ? resting_.erase(entry) : std::next(entry);
  }
  if (resting_count_ > 0) sweeper_.arm(loop_.now() + limits_.idle_timeout / 2);
}

void Pool::close() {
  closed_ = true;
  sweeper_.disarm();
  resting_.clear();
  resting_count_ = 0;
}

}  // namespace tidegate::upstream

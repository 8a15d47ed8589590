#include "gateway/flow/queue.h"

#include <algorithm>

#include "base/check.h"

namespace tidegate::flow {

Queue::Id Queue::push(const Ask& ask) {
  const Id id = next_++;
  Band& band = bands_[ask.priority];
  auto tenant = band.tenants.find(ask.tenant);
  if (tenant == band.tenants.end()) tenant = band.tenants.emplace(std::string(ask.tenant), Tenant()).first;
  const double tag = std::max(band.time, tenant->second.finish);
  const double cost = std::max(ask.cost, 1.0);
  tenant->second.finish = tag + cost;
  ++tenant->second.waiting;
  band.order.emplace(tag, id);
  entries_.emplace(id, Entry{ask.priority, tag, cost, ask.deadline, tenant});
  if (ask.deadline != TimePoint::max()) deadlines_.emplace(ask.deadline, id);
  return id;
}

std::optional<Queue::Id> Queue::pop() {
  if (bands_.empty()) return std::nullopt;
  const Id id = bands_.begin()->second.order.begin()->second;
  take_out(id, How::kServed);
  return id;
}

std::optional<Queue::Id> Queue::pop_late(TimePoint now) {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return std::nullopt;
  const Id id = deadlines_.begin()->second;
  take_out(id, How::kGone);
  return id;
}

bool Queue::erase(Id id) {
  if (!entries_.contains(id)) return false;
  take_out(id, How::kGone);
  return true;
}

std::optional<std::int32_t> Queue::top() const {
  if (bands_.empty()) return std::nullopt;
  return bands_.begin()->first;
}

TimePoint Queue::next_deadline() const {
  return deadlines_.empty() ? TimePoint::max() : deadlines_.begin()->first;
}

void Queue::take_out(Id id, How how) {
  const auto found = entries_.find(id);
  TG_CHECK(found != entries_.end());
  const Entry& entry = found->second;
  const auto in = bands_.find(entry.priority);
  Band& band = in->second;
  band.order.erase({entry.tag, id});
  Tenant& tenant = entry.tenant->second;
  --tenant.waiting;
  if (how == How::kServed) {
    band.time = std::max(band.time, entry.tag);
  } else {
    tenant.finish -= entry.cost;  // it was served nothing, so its tenant owes nothing
  }
  // A tenant that has had no more than the others is like one that never came.
  if (tenant.waiting == 0 && tenant.finish <= band.time) band.tenants.erase(entry.tenant);
  if (entry.deadline != TimePoint::max()) deadlines_.erase({entry.deadline, id});
  entries_.erase(found);
  if (band.order.empty()) bands_.erase(in);
}

}  // namespace tidegate::flow

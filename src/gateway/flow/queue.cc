#include "gateway/flow/queue.h"

#include <algorithm>

#include "base/check.h"

namespace tidegate::flow {

Queue::Id Queue::push(const Ask& ask) {
  const Id id = next_++;
  bands_[ask.priority].push(id, ask.tenant, ask.cost);
  entries_.emplace(id, Entry{ask.priority, ask.deadline});
  if (ask.deadline != TimePoint::max()) deadlines_.emplace(ask.deadline, id);
  return id;
}

std::optional<Queue::Id> Queue::pop() {
  const auto band = std::ranges::find_if(bands_, [](const auto& entry) { return entry.second.any_waiting(); });
  if (band == bands_.end()) return std::nullopt;
  const std::optional<Id> id = band->second.pop();
  running_.emplace(*id, band->first);
  take_out(*id);
  return id;
}

void Queue::settle(Id id, std::optional<double> used) {
  const auto found = running_.find(id);
  TG_CHECK(found != running_.end());
  const std::int32_t priority = found->second;
  running_.erase(found);
  bands_.at(priority).settle(id, used);
  drop_if_idle(priority);
}

std::optional<Queue::Id> Queue::pop_late(TimePoint now) {
  if (deadlines_.empty() || deadlines_.begin()->first > now) return std::nullopt;
  const Id id = deadlines_.begin()->second;
  erase(id);
  return id;
}

bool Queue::erase(Id id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  const std::int32_t priority = found->second.priority;
  bands_.at(priority).erase(id);
  drop_if_idle(priority);
  take_out(id);
  return true;
}

std::optional<std::int32_t> Queue::top() const {
  const auto band = std::ranges::find_if(bands_, [](const auto& entry) { return entry.second.any_waiting(); });
  if (band == bands_.end()) return std::nullopt;
  return band->first;
}

TimePoint Queue::next_deadline() const {
  return deadlines_.empty() ? TimePoint::max() : deadlines_.begin()->first;
}

void Queue::take_out(Id id) {
  const auto found = entries_.find(id);
  TG_CHECK(found != entries_.end());
  if (found->second.deadline != TimePoint::max()) deadlines_.erase({found->second.deadline, id});
  entries_.erase(found);
}

void Queue::drop_if_idle(std::int32_t priority) {
  const auto band = bands_.find(priority);
  if (band->second.idle()) bands_.erase(band);
}

}  // namespace tidegate::flow

#include "engine/serve/inbox.h"

#include <numeric>

namespace tidegate::serve {

void Inbox::post(std::vector<batch::Output> outputs) {
  // The loop's work must be copyable.
  auto shared = std::make_shared<std::vector<batch::Output>>(std::move(outputs));
  loop_.post([this, shared] { dispatch(*shared); });
}

void Inbox::dispatch(std::vector<batch::Output>& outputs) {
  for (batch::Output& output : outputs) {
    auto ticket = tickets_.upper_bound(output.id);
    if (ticket == tickets_.begin()) continue;
    --ticket;
    // A request that has gone may still be named by a step that was under way.
    if (output.id - ticket->first >= ticket->second->count_) continue;
    ticket->second->outputs_.push_back(std::move(output));
    ticket->second->wake();
  }
  delivered_();
}

Ticket::Ticket(Inbox& inbox, std::size_t count) : inbox_(inbox), first_(inbox.next_id_), count_(count) {
  inbox_.next_id_ += count;
  inbox_.tickets_.emplace(first_, this);
}

Ticket::~Ticket() { inbox_.tickets_.erase(first_); }

std::vector<std::uint64_t> Ticket::ids() const {
  std::vector<std::uint64_t> all(count_);
  std::iota(all.begin(), all.end(), first_);
  return all;
}

void Ticket::leave() {
  left_ = true;
  wake();
}

void Ticket::wake() {
  if (waiter_) inbox_.loop_.resume_later(std::exchange(waiter_, nullptr));
}

}  // namespace tidegate::serve

#include "gateway/listeners.h"

#include <utility>

namespace tidegate::gateway {

std::vector<Listeners::Change> Listeners::apply(const Snapshot& snapshot) {
  std::map<std::string, Entry> wanted;
  for (const Listener& listener : snapshot.listeners) {
    for (const std::string& ip : listener.bind.empty() ? default_bind_ : listener.bind) {
      const Result<net::Address> address = net::Address::parse(ip, listener.port);
      if (!address) continue;  // the compiler has reported it
      wanted[address->text()] = {*address, listener.port, false, {}};
    }
  }
  std::vector<Change> changes;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    if (entry->second.bound) {
      for (const std::unique_ptr<Worker>& worker : workers_) worker->unlisten(entry->second.address);
      changes.push_back({entry->first, entry->second.port, false, {}});
    }
    entry = entries_.erase(entry);
  }
  for (auto& [text, entry] : wanted) {
    Entry& known = entries_.emplace(text, entry).first->second;
    if (known.bound) continue;
    const Result<void> result = bind(known);
    known.bound = result.has_value();
    const std::string error = result ? std::string() : result.error().message;
    if (known.bound || error != known.error) changes.push_back({text, known.port, known.bound, error});
    known.error = error;
  }
  return changes;
}

void Listeners::hand_over(std::vector<net::HandedSocket> sockets) {
  for (net::HandedSocket& socket : sockets) handed_[socket.address()].push_back(std::move(socket));
}

// All workers or none: half of them would take only half of the connections.
Result<void> Listeners::bind(const Entry& entry) {
  std::size_t served = 0;  // workers that listen already
  if (const auto handed = handed_.find(entry.address.text()); handed != handed_.end()) {
    // Every socket has a queue of its own, so none may be left out, however many workers there are.
    for (net::HandedSocket& socket : handed->second)
      workers_[served++ % workers_.size()]->adopt(std::move(socket), entry.port);
    handed_.erase(handed);
  }
  for (std::size_t i = served; i < workers_.size(); ++i) {
    const Result<net::Address> bound = workers_[i]->listen(entry.address, entry.port);
    if (bound) continue;
    for (std::size_t j = 0; j < i; ++j) workers_[j]->unlisten(entry.address);
    return tl::unexpected(bound.error());
  }
  return {};
}

std::string Listeners::failure(std::uint16_t port) const {
  for (const auto& [text, entry] : entries_) {
    if (entry.port == port && !entry.bound) return entry.error;
  }
  return {};
}

bool Listeners::any_failed() const {
  for (const auto& [text, entry] : entries_) {
    if (!entry.bound) return true;
  }
  return false;
}

std::vector<std::string> Listeners::bound() const {
  std::vector<std::string> addresses;
  for (const auto& [text, entry] : entries_) {
    if (entry.bound) addresses.push_back(text);
  }
  return addresses;
}

}  // namespace tidegate::gateway

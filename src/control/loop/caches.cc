#include "control/loop/caches.h"

#include <algorithm>

namespace tidegate::loop {

void Caches::subscribe(const resource::Kind& kind, cluster::Informer::OnChange on_change) {
  entries_[&kind].subscribers.push_back(std::move(on_change));
}

void Caches::start() {
  for (auto& [kind, entry] : entries_) {
    Entry* const each = &entry;
    entry.informer =
        std::make_unique<cluster::Informer>(client_, *kind, [each](const cluster::Change& change) {
          for (const auto& subscriber : each->subscribers) subscriber(change);
        });
  }
  // Only now: a controller that is woken by one kind reads the others.
  for (auto& [kind, entry] : entries_) {
    entry.thread =
        std::jthread([informer = entry.informer.get()](std::stop_token stop) { informer->run(stop); });
  }
}

void Caches::stop() {
  for (auto& [kind, entry] : entries_) entry.thread.request_stop();
  for (auto& [kind, entry] : entries_) {
    if (entry.thread.joinable()) entry.thread.join();
  }
}

bool Caches::synced() const {
  return std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second.informer != nullptr && entry.second.informer->synced();
  });
}

resource::ObjectPtr Caches::get(const resource::Kind& kind, const cluster::Key& key) const {
  const auto found = entries_.find(&kind);
  return found == entries_.end() || !found->second.informer ? nullptr : found->second.informer->get(key);
}

std::vector<resource::ObjectPtr> Caches::list(const resource::Kind& kind, std::string_view namespace_) const {
  const auto found = entries_.find(&kind);
  return found == entries_.end() || !found->second.informer ? std::vector<resource::ObjectPtr>()
                                                            : found->second.informer->list(namespace_);
}

std::vector<resource::ObjectPtr> Caches::owned(const resource::Kind& kind,
                                               const resource::Object& owner) const {
  std::vector<resource::ObjectPtr> result = list(kind, owner.namespace_());
  std::erase_if(result, [&](const resource::ObjectPtr& object) {
    return !controlled_by(*object, owner.metadata().uid);
  });
  return result;
}

bool controlled_by(const resource::Object& object, std::string_view uid) {
  const auto& owners = object.metadata().owner_references;
  return std::any_of(owners.begin(), owners.end(), [&](const resource::OwnerReference& owner) {
    return owner.controller && owner.uid == uid;
  });
}

}  // namespace tidegate::loop

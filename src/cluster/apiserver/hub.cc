#include "cluster/apiserver/hub.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "cluster/informer.h"
#include "cluster/signal.h"
#include "resource/custom_kind.h"

namespace tidegate::apiserver {
namespace {

constexpr std::size_t kTextsMax = 64;
constexpr Duration kPatience = std::chrono::seconds(60);  // of one look at the store

}  // namespace

const std::string* EventTexts::find(const Key& key) const {
  const auto found = texts_.find(key);
  return found == texts_.end() ? nullptr : &found->second;
}

const std::string& EventTexts::keep(Key key, std::string text) {
  if (order_.size() == kTextsMax) {
    texts_.erase(order_.front());
    order_.pop_front();
  }
  order_.push_back(key);
  return texts_.insert_or_assign(std::move(key), std::move(text)).first->second;
}

struct Hub::Channel {
  Channel(cluster::Client& the_client, net::Loop& the_loop, const resource::Kind& the_kind)
      : client(the_client), loop(the_loop), kind(the_kind) {}
  ~Channel() {
    thread.request_stop();
    stopping.notify();
    const std::lock_guard lock(mutex);
    if (watch != nullptr) watch->cancel();
  }

  // The bell's thread.
  void run(const std::stop_token& stop) {
    for (int failures = 0; !stop.stop_requested();) {
      failures = listen(stop) ? 0 : failures + 1;
      if (failures > 0) stopping.wait(cluster::retry_delay(failures), stop);
    }
  }

  // Rings until the watch breaks. False if it never began.
  bool listen(const std::stop_token& stop) {
    const auto list = client.list(kind);
    if (!list) return false;
    auto opened = client.watch(kind, list->revision);
    if (!opened) return false;
    {
      const std::lock_guard lock(mutex);
      watch = *std::move(opened);
    }
    ring();  // for what came before
    while (!stop.stop_requested()) {
      const auto event = watch->next(kPatience);
      if (!event) break;
      if (*event) ring();
    }
    return true;
  }

  // A burst of changes is one call on the loop.
  void ring() {
    if (rung.exchange(true)) return;
    loop.post([this, alive = std::weak_ptr<bool>(alive)] {
      if (alive.expired()) return;
      rung = false;
      for (Ear* ear : ears) ear->ring();
    });
  }

  cluster::Client& client;
  net::Loop& loop;
  const resource::Kind& kind;
  std::set<Ear*> ears;  // the loop's
  EventTexts texts;     // the loop's
  const std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  std::atomic<bool> rung{false};
  cluster::Signal stopping;
  std::mutex mutex;
  std::shared_ptr<cluster::Watch> watch;  // guarded by mutex
  std::jthread thread;                    // last: it uses the others
};

Hub::Hub(cluster::Client& client, net::Loop& loop) : client_(client), loop_(loop) {}

Hub::~Hub() = default;

Hub::Channel& Hub::channel(const resource::Kind& kind) {
  const resource::Kind& stored = resource::stored_as(kind);
  auto& slot = channels_[&stored];
  if (slot == nullptr) {
    slot = std::make_unique<Channel>(client_, loop_, stored);
    slot->thread = std::jthread([channel = slot.get()](std::stop_token stop) { channel->run(stop); });
  }
  return *slot;
}

void Hub::end() {
  ending_ = true;
  for (auto& [kind, channel] : channels_) {
    for (Ear* ear : channel->ears) ear->ring();
  }
}

Hub::Ear::Ear(Hub& hub, const resource::Kind& kind) : hub_(hub), kind_(kind), alarm_(hub.loop_) {
  hub_.channel(kind_).ears.insert(this);
}

Hub::Ear::~Ear() { hub_.channel(kind_).ears.erase(this); }

EventTexts& Hub::Ear::texts() { return hub_.channel(kind_).texts; }

}  // namespace tidegate::apiserver

#include "control/loop/controller.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "cluster/signal.h"
#include "cluster/work_queue.h"

namespace tidegate::loop {
namespace {

constexpr Duration kIdle = std::chrono::seconds(30);
constexpr Duration kLookAgain = std::chrono::milliseconds(5);  // for writes to come back
// A write that never shows (made and removed between two looks) must not hold its key for ever.
constexpr Duration kWriteLost = std::chrono::seconds(5);

cluster::RemoveOptions remove_options(const Action& action) {
  cluster::RemoveOptions options;
  if (action.now) options.grace_s = 0;
  return options;
}

}  // namespace

void Writes::wrote(const resource::Kind& kind, const cluster::Key& key, std::uint64_t revision) {
  writes_.push_back({&kind, key, revision, {}});
}

void Writes::removed(const resource::Kind& kind, const cluster::Key& key, std::string uid) {
  writes_.push_back({&kind, key, 0, std::move(uid)});
}

bool Writes::visible(const Find& find) {
  std::erase_if(writes_, [&](Write& write) {
    const resource::ObjectPtr object = find(*write.kind, write.key);
    if (write.revision == 0) {
      return object == nullptr || object->metadata().uid != write.uid ||
             !object->metadata().deletion_timestamp.empty();
    }
    return object != nullptr && object->metadata().resource_version >= write.revision;
  });
  return writes_.empty();
}

struct Runtime::Worker {
  Worker(Runtime& runtime, Controller what) : owner(runtime), controller(std::move(what)) {}

  void enqueue(const cluster::Key& key, Duration delay = {}) {
    queue.add(key, owner.clock_.now() + delay);
    signal.notify();
  }

  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (!owner.caches_.synced()) {
        signal.wait(kLookAgain, stop);
        continue;
      }
      while (auto key = queue.take(owner.clock_.now())) {
        if (stop.stop_requested()) return;
        reconcile(*key);
      }
      const auto due = queue.next_due();
      signal.wait(due ? std::clamp<Duration>(*due - owner.clock_.now(), Duration::zero(), kIdle) : kIdle,
                  stop);
    }
  }

  void reconcile(const cluster::Key& key) {
    const TimePoint now = owner.clock_.now();
    const auto pending = writes.find(key);
    if (pending != writes.end()) {
      const bool visible = pending->second.writes.visible(
          [this](const resource::Kind& kind, const cluster::Key& at) { return owner.caches_.get(kind, at); });
      if (!visible && now - pending->second.since < kWriteLost) {
        queue.done(key);
        queue.add(key, now + kLookAgain);
        return;
      }
      writes.erase(pending);
    }
    const Decision decision = controller.decide(key, owner.caches_, owner.clock_.wall());
    for (const Action& action : decision.actions) {
      if (perform(key, action)) continue;
      queue.retry(key, owner.clock_.now());
      return;
    }
    for (const cluster::EventNote& note : decision.events) say(note);
    queue.done(key);
    if (decision.again_in) queue.add(key, owner.clock_.now() + *decision.again_in);
  }

  // False if the round ends here.
  bool perform(const cluster::Key& key, const Action& action) {
    const Result<std::uint64_t> revision = act(action);
    if (revision) {
      Pending& pending = writes[key];
      pending.since = owner.clock_.now();
      if (action.verb == Action::Verb::kRemove) {
        pending.writes.removed(*action.kind, action.key, action.uid);
      } else if (*revision > 0) {
        pending.writes.wrote(*action.kind, action.key, *revision);
      }
      if (action.done) say(*action.done);
      if (!action.why.empty()) {
        log::debug("control", controller.name + ": " + action.why,
                   {{"kind", action.kind_name()}, {"name", action.key.text()}});
      }
      return true;
    }
    const Code code = revision.error().code;
    const bool stale = code == Code::kConflict || code == Code::kNotFound;
    if (!stale) {
      log::warning("control", "an action failed and will be tried again",
                   {{"controller", controller.name},
                    {"kind", action.kind_name()},
                    {"name", action.key.text()},
                    {"error", describe(revision.error())}});
      if (action.failed) {
        cluster::EventNote note = *action.failed;
        note.message += ": " + describe(revision.error());
        say(std::move(note));
      }
      if (controller.after_failure) mend(key, revision.error());
    }
    return false;
  }

  void mend(const cluster::Key& key, const Error& error) {
    for (const Action& action : controller.after_failure(key, error, owner.caches_, owner.clock_.wall())) {
      const auto revision = act(action);
      if (!revision) continue;
      if (*revision > 0) writes[key].writes.wrote(*action.kind, action.key, *revision);
      if (action.done) say(*action.done);
    }
  }

  void say(cluster::EventNote note) {
    if (note.component.empty()) note.component = controller.name + "-controller";
    owner.events_.note(std::move(note));
  }

  // The revision that was written; 0 where the call does not tell.
  Result<std::uint64_t> act(const Action& action) {
    cluster::Client& client = owner.client_;
    const auto revision_of = [](const Result<resource::ObjectPtr>& result) -> Result<std::uint64_t> {
      if (!result) return tl::unexpected(result.error());
      return (*result)->metadata().resource_version;
    };
    switch (action.verb) {
      case Action::Verb::kCreate:
        return revision_of(client.create(*action.kind, *action.document));
      case Action::Verb::kUpdate:
        return revision_of(client.update(*action.kind, *action.document));
      case Action::Verb::kUpdateStatus:
        return revision_of(client.update_status(*action.kind, *action.document));
      case Action::Verb::kPatch:
        return revision_of(
            client.patch(*action.kind, action.key, cluster::PatchType::kMerge, *action.document));
      case Action::Verb::kRemove:
        if (auto removed = client.remove(*action.kind, action.key, remove_options(action)); !removed)
          return tl::unexpected(removed.error());
        return std::uint64_t{0};
      case Action::Verb::kScale:
        if (auto scaled = client.set_scale(*action.target, action.replicas); !scaled)
          return tl::unexpected(scaled.error());
        return std::uint64_t{0};
      case Action::Verb::kBind:
        if (auto bound = client.bind(action.key, action.node); !bound) return tl::unexpected(bound.error());
        return revision_of(client.get(*action.kind, action.key));
    }
    return std::uint64_t{0};
  }

  struct Pending {
    Writes writes;
    TimePoint since;
  };

  Runtime& owner;
  const Controller controller;
  cluster::WorkQueue queue;
  cluster::Signal signal;
  std::map<cluster::Key, Pending> writes;  // this worker's thread only
  std::jthread thread;
};

Runtime::Runtime(cluster::Client& client, const Clock& clock)
    : client_(client), clock_(clock), caches_(client), events_(client, clock) {}

Runtime::~Runtime() { stop(); }

void Runtime::add(Controller controller) {
  workers_.push_back(std::make_unique<Worker>(*this, std::move(controller)));
  Worker* const worker = workers_.back().get();
  for (const Source& source : worker->controller.sources) {
    caches_.subscribe(*source.kind, [worker, keys = source.keys](const cluster::Change& change) {
      for (const cluster::Key& key : keys(change.object())) worker->enqueue(key);
    });
  }
}

void Runtime::start() {
  caches_.start();
  for (const auto& worker : workers_) {
    worker->thread = std::jthread([w = worker.get()](std::stop_token stop) { w->run(stop); });
  }
}

void Runtime::stop() {
  for (const auto& worker : workers_) {
    worker->thread.request_stop();
    worker->signal.notify();
  }
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  caches_.stop();
}

std::vector<cluster::Key> own_key(const resource::Object& object) { return {cluster::key_of(object)}; }

std::function<std::vector<cluster::Key>(const resource::Object&)> owner_key(std::string_view owner_kind) {
  return [owner_kind](const resource::Object& object) -> std::vector<cluster::Key> {
    for (const resource::OwnerReference& owner : object.metadata().owner_references) {
      if (owner.controller && owner.kind == owner_kind) return {{object.namespace_(), owner.name}};
    }
    return {};
  };
}

}  // namespace tidegate::loop

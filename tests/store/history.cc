// Many clients on few objects: is what they saw something that one copy of each object could have shown?
//
// Every call is recorded with the moments between which it happened. Successful writes carry revisions, which
// put the states of an object in an order; the record is linearizable if that order agrees with real time and
// every read (and every refusal) can be placed in the life of the state it saw. Lists must show all objects
// at their revision. Each watch must deliver every write of its kind after its start once, in order, with the
// right type.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "cluster/store/store.h"

namespace {

using namespace tidegate;
namespace fs = std::filesystem;
using cluster::EventType;
using cluster::Json;
using cluster::Kind;

constexpr int kClients = 8;
constexpr int kWatches = 6;
constexpr int kObjects = 5;
constexpr int kCallsMax = 5'000;  // of a client in a round: the record must be read again

const Kind& maps() { return *resource::find_kind("v1", "ConfigMap"); }
std::string name_of(int object) { return "o" + std::to_string(object); }

// From one counter for all threads, so that "before" means before.
std::uint64_t tick() {
  static std::atomic<std::uint64_t> now{0};
  return ++now;
}

struct Call {
  enum What { kRead, kCreate, kUpdate, kRemove };
  What what = kRead;
  int object = 0;
  std::uint64_t began = 0;
  std::uint64_t ended = 0;
  bool done = false;           // a write: it happened; a read: the object was there
  std::uint64_t expected = 0;  // a conditional write: the revision it would replace
  std::uint64_t revision = 0;  // a write: of its state; a read: of the state it saw
};

struct Shot {
  std::uint64_t revision = 0;
  std::map<std::string, std::uint64_t> items;
};

struct Sight {
  EventType type;
  std::string name;
  std::uint64_t revision;
};

struct Record {
  std::mutex mutex;
  std::vector<Call> calls;
  std::vector<Shot> shots;
  std::vector<std::vector<Sight>> sights;
};

class ClientRun {
 public:
  ClientRun(cluster::Store& store, std::uint64_t seed) : store_(store), chance_(seed) {}

  void run(const std::atomic<bool>& stop, Record& record) {
    for (int i = 0; i < kCallsMax && !stop; ++i) step();
    const std::lock_guard lock(record.mutex);
    record.calls.insert(record.calls.end(), calls_.begin(), calls_.end());
    record.shots.insert(record.shots.end(), shots_.begin(), shots_.end());
  }

 private:
  void step() {
    Call call{.object = static_cast<int>(chance_() % kObjects)};
    const cluster::Key key{"default", name_of(call.object)};
    switch (chance_() % 16) {
      case 0:
        return shoot();
      case 1:
      case 2:
      case 3:
        call.what = Call::kCreate;
        break;
      case 4:
      case 5:
        call.what = Call::kRemove;
        break;
      case 6:
      case 7:
      case 8:
      case 9:
      case 10:
        call.what = Call::kUpdate;
        break;
      default:
        break;
    }
    call.expected = last_[call.object];
    if (call.expected == 0 && call.what != Call::kCreate) call.what = Call::kRead;
    call.began = tick();
    perform(call, key);
    call.ended = tick();
    last_[call.object] = call.done && call.what != Call::kRemove ? call.revision : 0;
    calls_.push_back(call);
  }

  void perform(Call& call, const cluster::Key& key) {
    if (call.what == Call::kRemove) {
      const auto removed = store_.remove(maps(), key, {.revision = call.expected});
      call.done = removed.has_value();
      if (removed) call.revision = removed->object->metadata().resource_version;
      return;
    }
    Result<cluster::ObjectPtr> result = tl::unexpected(Error{});
    Json document{{"apiVersion", "v1"},
                  {"kind", "ConfigMap"},
                  {"metadata", {{"name", key.name}, {"namespace", key.namespace_}}},
                  {"data", {{"chance", std::to_string(chance_())}}}};
    if (call.what == Call::kRead) {
      result = store_.get(maps(), key);
    } else if (call.what == Call::kCreate) {
      call.expected = 0;
      result = store_.create(maps(), std::move(document));
    } else {
      document["metadata"]["resourceVersion"] = std::to_string(call.expected);
      result = store_.update(maps(), std::move(document));
    }
    call.done = result.has_value();
    if (result) call.revision = (*result)->metadata().resource_version;
  }

  void shoot() {
    const auto listed = store_.list(maps());
    Shot shot{listed->revision, {}};
    for (const auto& object : listed->items) shot.items[object->name()] = object->metadata().resource_version;
    shots_.push_back(std::move(shot));
  }

  cluster::Store& store_;
  std::mt19937_64 chance_;
  std::map<int, std::uint64_t> last_;  // the revision seen last
  std::vector<Call> calls_;
  std::vector<Shot> shots_;
};

// Reads one watch to its end: until the change at `last` has come.
std::vector<Sight> follow(cluster::Watch& watch, const std::atomic<std::uint64_t>& last, std::uint64_t seed) {
  std::mt19937_64 chance(seed);
  std::vector<Sight> sights;
  std::uint64_t position = 0;
  while (last == 0 || position < last) {
    const auto event = watch.next(std::chrono::milliseconds(20));
    if (!event) {
      std::fprintf(stderr, "store_history: a watch ended: %s\n", describe(event.error()).c_str());
      return sights;
    }
    if (!*event) continue;
    position = (*event)->revision;
    sights.push_back({(*event)->type, (*event)->object->name(), position});
    if (chance() % 200 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // a slow reader
  }
  return sights;
}

class Checker {
 public:
  explicit Checker(Record& record) : record_(record) {
    for (const Call& call : record.calls) {
      if (call.what == Call::kRead || !call.done) continue;
      if (!writes_.emplace(call.revision, call).second) complain("revision given twice", call);
    }
  }

  int check() {
    for (int object = 0; object < kObjects; ++object) check_object(object);
    check_shots();
    for (const auto& sights : record_.sights) check_watch(sights);
    return complaints_;
  }
  std::size_t writes() const { return writes_.size(); }

 private:
  // A state of an object: from the write that made it to the one that ended it.
  struct State {
    std::uint64_t revision;  // 0: before everything
    bool there;
    std::uint64_t made_began;   // the write cannot have happened before
    std::uint64_t ended_ended;  // nor the next one after this
  };

  void complain(const char* what, const Call& call) {
    if (++complaints_ > 20) return;
    std::fprintf(stderr, "store_history: %s: call %d on o%d at %llu..%llu, revision %llu, expected %llu\n",
                 what, call.what, call.object, static_cast<unsigned long long>(call.began),
                 static_cast<unsigned long long>(call.ended), static_cast<unsigned long long>(call.revision),
                 static_cast<unsigned long long>(call.expected));
  }

  void check_object(int object) {
    std::vector<State> states = {{0, false, 0, ~0ULL}};
    std::uint64_t latest_begin = 0;
    for (const auto& [revision, write] : writes_) {
      if (write.object != object) continue;
      State& before = states.back();
      // In the order of revisions no write may end before an earlier one began.
      if (write.ended < latest_begin) complain("a write is out of order with real time", write);
      latest_begin = std::max(latest_begin, write.began);
      const bool fits =
          write.what == Call::kCreate ? !before.there : before.there && before.revision == write.expected;
      if (!fits) complain("a write replaced what it had not seen", write);
      before.ended_ended = write.ended;
      states.push_back({revision, write.what != Call::kRemove, write.began, ~0ULL});
    }
    check_reads(object, states);
  }

  // Places reads and refusals, in the order they ended, not before what earlier ones have seen.
  void check_reads(int object, const std::vector<State>& states) {
    std::vector<Call> calls;
    for (const Call& call : record_.calls) {
      if (call.object == object) calls.push_back(call);
    }
    std::sort(calls.begin(), calls.end(), [](const Call& a, const Call& b) { return a.began < b.began; });
    // For every call: the earliest state it may have met, given those that had ended when it began.
    std::vector<std::pair<std::uint64_t, std::size_t>> known;  // (ended, state), to be folded in by time
    std::size_t earliest = 0;
    for (const Call& call : calls) {
      std::erase_if(known, [&](const auto& entry) {
        if (entry.first >= call.began) return false;
        earliest = std::max(earliest, entry.second);
        return true;
      });
      const bool wrote = call.what != Call::kRead && call.done;
      std::size_t at = earliest;
      while (at < states.size() && !could_meet(call, wrote, states[at])) ++at;
      if (at == states.size()) {
        complain("no state explains this call", call);
        continue;
      }
      known.emplace_back(call.ended, at);
    }
  }

  static bool could_meet(const Call& call, bool wrote, const State& state) {
    if (wrote) return state.revision == call.revision;  // its own
    if (state.made_began > call.ended || state.ended_ended < call.began) return false;
    switch (call.what) {
      case Call::kRead:
        return call.done ? state.there && state.revision == call.revision : !state.there;
      case Call::kCreate:
        return state.there;
      case Call::kUpdate:
      case Call::kRemove:
        return !state.there || state.revision != call.expected;
    }
    return false;
  }

  // Replays the writes once, past all lists in the order of their revisions.
  void check_shots() {
    std::sort(record_.shots.begin(), record_.shots.end(),
              [](const Shot& a, const Shot& b) { return a.revision < b.revision; });
    std::map<std::string, std::uint64_t> items;
    auto at = writes_.begin();
    for (const Shot& shot : record_.shots) {
      for (; at != writes_.end() && at->first <= shot.revision; ++at) {
        if (at->second.what == Call::kRemove) {
          items.erase(name_of(at->second.object));
        } else {
          items[name_of(at->second.object)] = at->first;
        }
      }
      if (items != shot.items)
        complain("a list shows another moment than it says", Call{.revision = shot.revision});
    }
  }

  void check_watch(const std::vector<Sight>& sights) {
    auto wanted = writes_.begin();
    for (const Sight& sight : sights) {
      if (wanted == writes_.end())
        return complain("a watch saw more than was written", {.revision = sight.revision});
      const Call& write = wanted->second;
      const EventType type = write.what == Call::kCreate   ? EventType::kAdded
                             : write.what == Call::kRemove ? EventType::kDeleted
                                                           : EventType::kModified;
      if (sight.revision != wanted->first || sight.type != type || sight.name != name_of(write.object))
        return complain("a watch saw something else, revision wanted:", write);
      ++wanted;
    }
    if (wanted != writes_.end()) complain("a watch has not seen all", wanted->second);
  }

  Record& record_;
  std::map<std::uint64_t, Call> writes_;
  int complaints_ = 0;
};

// One round: clients run for `time`, then everything is compared.
int round(std::chrono::milliseconds time, std::uint64_t seed, bool in_memory, std::size_t& calls) {
  std::string pattern = (fs::temp_directory_path() / "tidegate-history-XXXXXX").string();
  const fs::path folder = mkdtemp(pattern.data());
  const SystemClock clock;
  constexpr cluster::StoreOptions kOptions{.history_max = 10'000'000};
  auto opened = in_memory ? Result<std::unique_ptr<cluster::Store>>(
                                std::make_unique<cluster::Store>(clock, Random(seed), kOptions))
                          : cluster::Store::open(folder / "tidegate.db", clock, Random(seed), kOptions);
  if (!opened) {
    std::fprintf(stderr, "store_history: %s\n", describe(opened.error()).c_str());
    return 1;
  }
  cluster::Store& store = **opened;
  Record record;
  record.sights.resize(kWatches);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> last{0};
  std::vector<std::jthread> watchers;
  const std::uint64_t start = store.list(maps())->revision;
  for (std::size_t i = 0; i < kWatches; ++i) {
    watchers.emplace_back([&, i] {
      // Some by namespace, some of everything; all objects are in one.
      auto watch = store.watch(maps(), start, {.namespace_ = i % 2 == 0 ? "" : "default"});
      record.sights[i] = follow(**watch, last, seed + 1000 + i);
    });
  }
  std::vector<std::jthread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(
        [&, i] { ClientRun(store, seed + static_cast<std::uint64_t>(i)).run(stop, record); });
  }
  std::this_thread::sleep_for(time);
  stop = true;
  clients.clear();
  std::uint64_t end = start;
  for (const Call& call : record.calls) {
    if (call.done && call.what != Call::kRead) end = std::max(end, call.revision);
  }
  last = end;
  watchers.clear();
  opened->reset();
  fs::remove_all(folder);
  calls += record.calls.size();
  return Checker(record).check();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Checks what concurrent clients of a store saw");
  int seconds = 60;
  std::uint64_t seed = std::random_device()();
  app.add_option("--seconds", seconds, "How long")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--seed", seed, "Repeats the choices of a run");
  CLI11_PARSE(app, argc, argv);
  int complaints = 0;
  std::size_t calls = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int rounds = 0;
  for (; std::chrono::steady_clock::now() < until && complaints == 0; ++rounds) {
    complaints += round(std::chrono::milliseconds(400), seed + static_cast<std::uint64_t>(rounds) * 100'000,
                        rounds % 2 == 1, calls);
  }
  std::printf("%d rounds, %zu calls by %d clients, %d watches, seed %llu: %d contradictions\n", rounds, calls,
              kClients, kWatches, static_cast<unsigned long long>(seed), complaints);
  return complaints == 0 && calls > 0 ? 0 : 1;
}

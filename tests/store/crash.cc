// Kills a process that uses a store, at random points under load, and looks at what its file then holds.
//
// The process tells through a pipe what it is about to do and what was acknowledged; a pipe outlives kill -9.
// Every object has one writer, so after each kill it must be as last acknowledged, or as the one write under
// way would have left it. All writers also count up one shared object. A watch tells every change it saw:
// nobody may have seen what is gone afterwards.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cluster/store/store.h"

namespace {

using namespace tidegate;
namespace fs = std::filesystem;
using cluster::Json;
using cluster::Key;
using cluster::Kind;

constexpr int kWriters = 8;
constexpr int kKeysEach = 12;
constexpr const char* kCounter = "counter";

const Kind& maps() { return *resource::find_kind("v1", "ConfigMap"); }
std::string name_of(int writer, int key) { return "w" + std::to_string(writer) + "-" + std::to_string(key); }

Json config_map(const std::string& name, std::int64_t value, std::size_t padding) {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}, {"namespace", "default"}}},
          {"data", {{"value", std::to_string(value)}, {"padding", std::string(padding, 'x')}}}};
}
std::int64_t value_of(const resource::Object& object) {
  return std::stoll(object.json()["data"]["value"].get<std::string>());
}

// One line of what the process tells. Written at once, so that it comes whole or not at all.
struct Told {
  enum What : std::int32_t { kReady, kTries, kDone, kCounts, kCounted, kSaw };
  What what;
  std::int32_t writer = 0;
  std::int32_t key = 0;
  std::int64_t value = 0;  // to be put; 0: to be removed
  std::uint64_t revision = 0;
};

class Worker {
 public:
  Worker(cluster::Store& store, int pipe, int writer, std::uint64_t seed, std::int64_t first_value)
      : store_(store), pipe_(pipe), writer_(writer), chance_(seed), value_(first_value) {}

  [[noreturn]] void run() {
    while (true) {
      if (chance_() % 8 == 0) {
        count();
      } else {
        write_one(static_cast<int>(chance_() % kKeysEach));
      }
    }
  }

 private:
  void tell(Told told) {
    told.writer = writer_;
    if (write(pipe_, &told, sizeof told) != sizeof told) _exit(3);
  }

  void write_one(int key) {
    const std::string name = name_of(writer_, key);
    const auto present = store_.get(maps(), {"default", name});
    const bool removes = present && chance_() % 3 == 0;
    const std::int64_t value = removes ? 0 : ++value_;
    tell({Told::kTries, 0, key, value});
    Json document = config_map(name, value, chance_() % 4000);
    const auto fail = [&](const Error& error) {
      std::fprintf(stderr, "store_crash: %s: %s\n", name.c_str(), describe(error).c_str());
      _exit(4);
    };
    if (removes) {
      const auto removed = store_.remove(maps(), {"default", name});
      if (!removed) fail(removed.error());
      tell({Told::kDone, 0, key, 0, removed->object->metadata().resource_version});
      return;
    }
    const auto written =
        present ? store_.update(maps(), std::move(document)) : store_.create(maps(), std::move(document));
    if (!written) fail(written.error());
    tell({Told::kDone, 0, key, value, (*written)->metadata().resource_version});
  }

  void count() {
    const auto present = store_.get(maps(), {"default", kCounter});
    if (!present) _exit(5);
    Json next = (*present)->json();
    next["data"]["value"] = std::to_string(value_of(**present) + 1);
    tell({Told::kCounts});
    const auto written = store_.update(maps(), std::move(next));
    if (!written && written.error().code != Code::kConflict) _exit(6);
    // A conflict is an answer too: this one did not count.
    tell({Told::kCounted, 0, 0, written ? 1 : 0, written ? (*written)->metadata().resource_version : 0});
  }

  cluster::Store& store_;
  const int pipe_;
  const int writer_;
  std::mt19937_64 chance_;
  std::int64_t value_;
};

// What the process that will be killed does.
[[noreturn]] void be_the_victim(const fs::path& file, int pipe, std::uint64_t seed,
                                std::int64_t first_value) {
  const SystemClock clock;
  auto opened = cluster::Store::open(file, clock, Random(seed));
  if (!opened) {
    std::fprintf(stderr, "store_crash: %s\n", describe(opened.error()).c_str());
    _exit(2);
  }
  cluster::Store& store = **opened;
  auto watch = store.watch(maps(), store.list(maps())->revision);
  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    while (true) {
      const auto event = (*watch)->next(std::chrono::seconds(1));
      if (!event) _exit(7);
      if (!*event) continue;
      const Told told{Told::kSaw, 0, 0, 0, (*event)->revision};
      if (write(pipe, &told, sizeof told) != sizeof told) _exit(3);
    }
  });
  const Told ready{Told::kReady};
  if (write(pipe, &ready, sizeof ready) != sizeof ready) _exit(3);
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back(
        [&, i] { Worker(store, pipe, i, seed * 100 + static_cast<std::uint64_t>(i), first_value).run(); });
  }
  pause();
  _exit(8);
}

struct Totals {
  std::uint64_t acknowledged = 0;
  std::uint64_t seen = 0;
  std::uint64_t before_ready = 0;
  int lost = 0;
  int reused = 0;
  int wrong = 0;
};

// What must hold, over all lives of the file.
class Judge {
 public:
  void begin_life() {
    counting_ = counted_ = 0;
    told_.clear();
    under_way_.clear();
  }
  void hear(const Told& told) {
    const Place place{told.writer, told.key};
    switch (told.what) {
      case Told::kReady:
        break;
      case Told::kTries:
        under_way_[place] = told.value;
        break;
      case Told::kDone:
        under_way_.erase(place);
        state_[place] = told.value;
        acknowledge(told.revision);
        break;
      case Told::kCounts:
        ++counting_;
        break;
      case Told::kCounted:
        --counting_;
        if (told.revision == 0) break;
        ++counted_;
        acknowledge(told.revision);
        break;
      case Told::kSaw:
        ++totals.seen;
        seen_max_ = std::max(seen_max_, told.revision);
        break;
    }
  }
  // After a kill: compares, and takes what is there for the next life.
  void look(cluster::Store& store, std::int64_t counter_before) {
    const auto listed = store.list(maps());
    std::map<std::string, std::int64_t> present;
    for (const auto& object : listed->items) present[object->name()] = value_of(*object);
    for (int writer = 0; writer < kWriters; ++writer) {
      for (int key = 0; key < kKeysEach; ++key) compare({writer, key}, present);
    }
    const std::int64_t counted = present[kCounter] - counter_before;
    if (counted < counted_) complain("the counter lost counts", totals.lost);
    if (counted > counted_ + counting_) complain("the counter was counted by nobody", totals.wrong);
    if (told_.size() > 0 && *told_.rbegin() > listed->revision)
      complain("an acknowledged revision is ahead of the file", totals.lost);
    if (seen_max_ > listed->revision) complain("a change was seen that is gone", totals.lost);
    revision_ = std::max(revision_, listed->revision);
  }

  Totals totals;

 private:
  using Place = std::pair<int, int>;

  void acknowledge(std::uint64_t revision) {
    ++totals.acknowledged;
    if (revision <= revision_ || !told_.insert(revision).second)
      complain("revision " + std::to_string(revision) + " was given before", totals.reused);
  }
  void compare(Place place, const std::map<std::string, std::int64_t>& present) {
    const std::string name = name_of(place.first, place.second);
    const auto found = present.find(name);
    const std::int64_t now = found == present.end() ? 0 : found->second;
    const std::int64_t acknowledged = state_[place];
    const auto tried = under_way_.find(place);
    const bool may_be_new = tried != under_way_.end() && now == tried->second;
    if (now != acknowledged && !may_be_new)
      complain(name + " is " + std::to_string(now) + ", acknowledged was " + std::to_string(acknowledged),
               totals.lost);
    state_[place] = now;
  }
  static void complain(const std::string& text, int& count) {
    std::fprintf(stderr, "store_crash: %s\n", text.c_str());
    ++count;
  }

  std::map<Place, std::int64_t> state_;  // 0: nothing there
  std::map<Place, std::int64_t> under_way_;
  std::set<std::uint64_t> told_;  // in this life
  std::uint64_t revision_ = 0;    // the last one of earlier lives
  std::uint64_t seen_max_ = 0;
  std::int64_t counting_ = 0;
  std::int64_t counted_ = 0;
};

// Runs the victim for `life` after it is ready (or, with `early`, after its start) and kills it.
void live_and_die(const fs::path& file, std::uint64_t seed, std::int64_t first_value,
                  std::chrono::microseconds life, bool early, Judge& judge) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    be_the_victim(file, ends[1], seed, first_value);
  }
  close(ends[1]);
  std::jthread killer;
  const auto kill_later = [&] {
    killer = std::jthread([child, life] {
      std::this_thread::sleep_for(life);
      kill(child, SIGKILL);
    });
  };
  if (early) kill_later();
  Told told{};
  bool ready = false;
  while (read(ends[0], &told, sizeof told) == sizeof told) {
    judge.hear(told);
    if (told.what != Told::kReady) continue;
    ready = true;
    if (!early) kill_later();
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!ready) ++judge.totals.before_ready;
  if (WIFEXITED(status)) {
    std::fprintf(stderr, "store_crash: the process ended by itself with status %d\n", WEXITSTATUS(status));
    ++judge.totals.wrong;
  }
}

int run(int kills, std::uint64_t seed) {
  std::string pattern = (fs::temp_directory_path() / "tidegate-crash-XXXXXX").string();
  const fs::path folder = mkdtemp(pattern.data());
  const fs::path file = folder / "tidegate.db";
  const SystemClock clock;
  std::mt19937_64 chance(seed);
  Judge judge;
  std::int64_t counter = 0;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kills; ++i) {
    judge.begin_life();
    const bool early = i > 0 && chance() % 5 == 0;
    const auto life = std::chrono::microseconds(chance() % (early ? 4'000 : 150'000));
    if (i > 0)
      live_and_die(file, seed + static_cast<std::uint64_t>(i), i * 1'000'000'000LL, life, early, judge);
    auto store = cluster::Store::open(file, clock, Random(seed));
    if (!store) {
      std::fprintf(stderr, "store_crash: %s\n", describe(store.error()).c_str());
      return 1;
    }
    if (i == 0) (void)(*store)->create(maps(), config_map(kCounter, 0, 0));
    judge.look(**store, counter);
    counter = value_of(**(*store)->get(maps(), {"default", kCounter}));
  }
  const Totals& totals = judge.totals;
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf(
      "%d kills in %.1f s (%llu while opening), seed %llu: %llu writes acknowledged, %llu changes seen; "
      "%d lost, %d revisions reused, %d otherwise wrong\n",
      kills - 1, took, static_cast<unsigned long long>(totals.before_ready),
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(totals.acknowledged),
      static_cast<unsigned long long>(totals.seen), totals.lost, totals.reused, totals.wrong);
  fs::remove_all(folder);
  if (totals.acknowledged == 0) return 1;
  return totals.lost + totals.reused + totals.wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Kills a process under load again and again and looks at what its store kept");
  int kills = 300;
  std::uint64_t seed = std::random_device()();
  app.add_option("--kills", kills, "How many times")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  app.add_option("--seed", seed, "Repeats the choices of a run");
  CLI11_PARSE(app, argc, argv);
  return run(kills + 1, seed);
}

// What does the embedded store cost beside bare SQLite, and does it hold its size?
//
// Writes: the same number of threads put objects of 2 KB, durably, through the store and through a bare
// SQLite with group commit: a queue and a thread that commits what has gathered, the same table, the same
// settings, nothing else. The two take turns on the same disk, several times; the ratio is what counts,
// because the disk of a shared machine changes from second to second. Then with 10,000 objects: how long a
// list takes, what memory is held, and whether 1,000 watches see each of a number of changes once and in
// order.

#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "cluster/store/store.h"
#include "resource/json.h"

namespace {

using namespace tidegate;
namespace fs = std::filesystem;
using cluster::Json;
using cluster::Kind;
using Steady = std::chrono::steady_clock;

const Kind& maps() { return *resource::find_kind("v1", "ConfigMap"); }
double since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

// About 2 KB as text, in a dozen fields as objects have them.
Json object_of(const std::string& name) {
  Json document{{"apiVersion", "v1"},
                {"kind", "ConfigMap"},
                {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"app", "bench"}}}}},
                {"data", Json::object()}};
  for (int i = 0; i < 12; ++i)
    document["data"]["key-" + std::to_string(i)] = std::string(140, 'a' + static_cast<char>(i));
  return document;
}

class Folder {
 public:
  explicit Folder(const std::string& where) {
    std::string pattern = where + "/tidegate-bench-XXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

// Beside a figure: what it shall be, and whether it is.
std::string goal(const std::string& wanted, bool met) {
  return " (goal " + wanted + ": " + (met ? "met" : "NOT met") + ")";
}

struct Speed {
  double per_second = 0;
  double cpu_us = 0;  // of all threads, per write
};

double cpu_s() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Runs `threads` writers for `time`.
Speed rate(int threads, double time, const std::function<void(int thread, int round)>& write) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> done{0};
  std::vector<std::jthread> writers;
  const auto start = Steady::now();
  const double cpu_before = cpu_s();
  for (int i = 0; i < threads; ++i) {
    writers.emplace_back([&, i] {
      for (int round = 0; !stop; ++round) {
        write(i, round);
        ++done;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(time));
  stop = true;
  writers.clear();
  const auto count = static_cast<double>(done);
  return {count / since(start), (cpu_s() - cpu_before) * 1e6 / count};
}

// SQLite alone with group commit.
class Bare {
 public:
  explicit Bare(const fs::path& file) {
    check(sqlite3_open(file.c_str(), &handle_));
    check(sqlite3_exec(handle_,
                       "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                       "PRAGMA cache_size=-4096;"
                       "CREATE TABLE objects(kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
                       "revision INTEGER NOT NULL, checksum INTEGER NOT NULL, document TEXT NOT NULL,"
                       "UNIQUE(kind, namespace, name));",
                       nullptr, nullptr, nullptr));
    check(sqlite3_prepare_v2(
        handle_,
        "INSERT INTO objects VALUES('ConfigMap','default',?1,?2,0,?3) ON CONFLICT(kind, namespace, name) "
        "DO UPDATE SET revision=excluded.revision, document=excluded.document",
        -1, &put_, nullptr));
    committer_ = std::jthread([this](const std::stop_token& stop) { commit(stop); });
  }
  ~Bare() {
    committer_.request_stop();
    committer_.join();
    sqlite3_finalize(put_);
    sqlite3_close(handle_);
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  void put(const std::string& name, const std::string& document) {
    Waiting own{name, document};
    std::unique_lock lock(mutex_);
    queue_.push_back(&own);
    gathered_.notify_one();
    own.changed.wait(lock, [&] { return own.done; });
  }

 private:
  struct Waiting {
    const std::string& name;
    const std::string& document;
    bool done = false;
    std::condition_variable changed{};
  };

  static void check(int code) {
    if (code == SQLITE_OK || code == SQLITE_DONE) return;
    std::fprintf(stderr, "store_bench: SQLite: %s\n", sqlite3_errstr(code));
    std::exit(1);
  }
  void commit(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (gathered_.wait(lock, stop, [&] { return !queue_.empty(); })) {
      const std::vector<Waiting*> batch = std::exchange(queue_, {});
      lock.unlock();
      check(sqlite3_exec(handle_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
      for (const Waiting* each : batch) {
        sqlite3_bind_text(put_, 1, each->name.data(), static_cast<int>(each->name.size()), SQLITE_STATIC);
        sqlite3_bind_int64(put_, 2, ++revision_);
        sqlite3_bind_text(put_, 3, each->document.data(), static_cast<int>(each->document.size()),
                          SQLITE_STATIC);
        check(sqlite3_step(put_));
        sqlite3_reset(put_);
      }
      check(sqlite3_exec(handle_, "COMMIT", nullptr, nullptr, nullptr));
      lock.lock();
      for (Waiting* each : batch) {
        each->done = true;
        each->changed.notify_one();
      }
    }
  }

  sqlite3* handle_ = nullptr;
  sqlite3_stmt* put_ = nullptr;
  std::int64_t revision_ = 0;
  std::mutex mutex_;
  std::vector<Waiting*> queue_;
  std::condition_variable_any gathered_;
  std::jthread committer_;
};

std::unique_ptr<cluster::Store> open_store(const fs::path& file, const Clock& clock) {
  auto store = cluster::Store::open(file, clock, Random(1));
  if (store) return *std::move(store);
  std::fprintf(stderr, "store_bench: %s\n", describe(store.error()).c_str());
  std::exit(1);
}

constexpr int kObjectsEach = 100;
std::string name_of(int thread, int round) {
  return "w" + std::to_string(thread) + "-" + std::to_string(round % kObjectsEach);
}

// As everybody changes an object: what was read, with something else in it, if nobody was faster.
Result<cluster::ObjectPtr> change(cluster::Store& store, const std::string& name, int round) {
  const auto read = store.get(maps(), {"default", name});
  if (!read) return read;
  Json document = (*read)->json();
  document["data"]["round"] = std::to_string(round);
  return store.update(maps(), std::move(document));
}

Speed store_rate(const std::string& where, int threads, double time) {
  const Folder folder(where);
  const SystemClock clock;
  const auto store = open_store(folder.path / "s.db", clock);
  return rate(threads, time, [&](int thread, int round) {
    const auto done = round < kObjectsEach ? store->create(maps(), object_of(name_of(thread, round)))
                                           : change(*store, name_of(thread, round), round);
    if (!done) std::fprintf(stderr, "store_bench: %s\n", describe(done.error()).c_str());
  });
}

Speed bare_rate(const std::string& where, int threads, double time) {
  const Folder folder(where);
  Bare bare(folder.path / "b.db");
  const std::string document = resource::to_text(object_of("some-name"));
  return rate(threads, time, [&](int thread, int round) { bare.put(name_of(thread, round), document); });
}

void bench_writes(const std::string& where, int threads, int turns, double time) {
  std::vector<double> ours;
  std::vector<double> bare;
  std::vector<double> ratios;
  std::vector<double> our_cpu;
  std::vector<double> bare_cpu;
  for (int i = 0; i < turns; ++i) {
    const Speed alone = bare_rate(where, threads, time);
    const Speed store = store_rate(where, threads, time);
    bare.push_back(alone.per_second);
    bare_cpu.push_back(alone.cpu_us);
    ours.push_back(store.per_second);
    our_cpu.push_back(store.cpu_us);
    ratios.push_back(store.per_second / alone.per_second);
  }
  for (auto* list : {&ours, &bare, &ratios, &our_cpu, &bare_cpu}) std::sort(list->begin(), list->end());
  const auto middle = static_cast<std::size_t>(turns / 2);
  std::printf(
      "%3d writers: store %.0f/s (%.0f to %.0f), SQLite alone %.0f/s (%.0f to %.0f), ratio %.2f (%.2f to "
      "%.2f)%s; CPU per write %.1f us and %.1f us\n",
      threads, ours[middle], ours.front(), ours.back(), bare[middle], bare.front(), bare.back(),
      ratios[middle], ratios.front(), ratios.back(), goal("0.70", ratios[middle] >= 0.7).c_str(), our_cpu[middle],
      bare_cpu[middle]);
}

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  long size = 0;
  long resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void fill(cluster::Store& store, int count) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < count; i += 16) (void)store.create(maps(), object_of("o" + std::to_string(i)));
    });
  }
}

void bench_lists(cluster::Store& store) {
  std::vector<double> bare;
  std::vector<double> texts;
  for (int i = 0; i < 21; ++i) {
    auto start = Steady::now();
    const auto listed = store.list(maps());
    bare.push_back(since(start) * 1e3);
    start = Steady::now();
    std::size_t bytes = 0;
    for (const auto& object : listed->items) bytes += resource::to_text(object->json()).size();
    texts.push_back(since(start) * 1e3);
    if (i == 0)
      std::printf("list: %zu objects, %.1f MB as text\n", listed->items.size(),
                  static_cast<double>(bytes) / 1e6);
  }
  std::sort(bare.begin(), bare.end());
  std::sort(texts.begin(), texts.end());
  std::printf("list: %.2f ms (%.2f to %.2f); writing it all as JSON %.1f ms (%.1f to %.1f)%s\n", bare[10],
              bare.front(), bare.back(), texts[10], texts.front(), texts.back(),
              goal("150 ms together", bare[10] + texts[10] < 150).c_str());
}

// A thread each for a few of them; the others ask in turn, as the API server's loops do.
void bench_watches(cluster::Store& store, int watches, int changes) {
  const std::uint64_t start = store.list(maps())->revision;
  constexpr int kThreads = 4;
  std::atomic<std::uint64_t> seen{0};
  std::atomic<int> wrong{0};
  const auto began = Steady::now();
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::unique_ptr<cluster::Watch>> own;
      for (int i = t; i < watches; i += kThreads) own.push_back(*store.watch(maps(), start));
      std::vector<std::uint64_t> at(own.size(), start);
      std::vector<int> count(own.size(), 0);
      for (std::size_t open = own.size(); open > 0;) {
        for (std::size_t i = 0; i < own.size(); ++i) {
          while (count[i] < changes) {
            const auto event =
                own[i]->next(i == 0 ? Duration(std::chrono::milliseconds(1)) : Duration::zero());
            if (!event) {
              ++wrong;
              count[i] = changes;
              --open;
              break;
            }
            if (!*event) break;
            if ((*event)->revision != at[i] + 1) ++wrong;
            at[i] = (*event)->revision;
            ++seen;
            if (++count[i] == changes) --open;
          }
        }
      }
    });
  }
  for (int i = 0; i < changes; ++i) {
    Json document = object_of("o" + std::to_string(i % 100));
    document["data"]["round"] = std::to_string(i);
    (void)store.update(maps(), std::move(document));
  }
  const double written = since(began);
  threads.clear();
  std::printf(
      "watches: %d, %d durable changes written in %.2f s, all seen after %.2f s: %llu events, %d wrong%s\n",
      watches, changes, written, since(began), static_cast<unsigned long long>(seen.load()), wrong.load(),
      goal("each, once and in order",
           wrong == 0 && seen == static_cast<std::uint64_t>(watches) * static_cast<std::uint64_t>(changes))
          .c_str());
}

// With 10,000 objects. In a process that has done nothing yet: what came before would count in memory.
void bench_objects(const std::string& where) {
  const Folder folder(where);
  const SystemClock clock;
  const double before = resident_mib();
  {
    const auto store = open_store(folder.path / "s.db", clock);
    fill(*store, 10'000);
    const double after = resident_mib();
    std::printf("memory: %.0f MiB before, %.0f MiB after writing 10,000 objects (with their history)%s\n",
                before, after, goal("150 MiB", after < 150).c_str());
    bench_lists(*store);
    bench_watches(*store, 1000, 500);
  }
  {
    const auto start = Steady::now();
    const auto store = open_store(folder.path / "s.db", clock);
    std::printf("open: 10,000 objects in %.0f ms\n", since(start) * 1e3);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The embedded store beside bare SQLite");
  std::string where = fs::temp_directory_path();
  int turns = 5;
  double time = 2;
  std::vector<int> writers{1, 8, 32};
  bool writes_only = false;
  app.add_option("--in", where, "Folder on the disk to measure")->capture_default_str();
  app.add_option("--turns", turns, "Repetitions")->capture_default_str();
  app.add_option("--seconds", time, "Of each")->capture_default_str();
  app.add_option("--writers", writers, "How many threads write at a time")->delimiter(',');
  app.add_flag("--writes-only", writes_only, "Leaves out memory, lists and watches");
  CLI11_PARSE(app, argc, argv);
  if (!writes_only) bench_objects(where);
  for (const int threads : writers) bench_writes(where, threads, turns, time);
}

// Keeps asking for pages, each at its own pace, and keeps what they said for a minute.
//
//   scraper.want("default/h", targets);        // what one asker needs from now on
//   const History history = scraper.history(target);
//
// Thread: a thread of its own does the asking. want() and history() from any thread.

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "control/autoscale/sources/page.h"

namespace tidegate::sources {

struct Target {
  enum class Format { kPage, kQuery };
  std::string address;  // "127.64.0.7:8000"
  std::string path = "/metrics";
  Format format = Format::kPage;
  bool secure = false;  // over TLS; whose certificate it is is not looked at
  auto operator<=>(const Target&) const = default;
};

struct Want {
  std::set<std::string> names;  // of series to keep; a query keeps all
  Duration period = std::chrono::seconds(5);
  bool operator==(const Want&) const = default;
};

struct Page {
  WallTime at{};
  std::vector<Series> series;
};
using PagePtr = std::shared_ptr<const Page>;

struct History {
  std::deque<PagePtr> pages;  // oldest first; what failed leaves no page
  std::string error;          // of the last try; empty if it was good

  // Null if there is none as young as `age` at `now`.
  PagePtr newest(WallTime now, Duration age) const;
};

class Scraper {
 public:
  explicit Scraper(const Clock& clock);
  ~Scraper();
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

  // Replaces what this asker wants; nothing ends it. Targets that two want are asked once, at the shorter
  // period.
  void want(const std::string& asker, std::map<Target, Want> wants);

  History history(const Target& target) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::sources

// Events: what happened to an object and why, for `kubectl describe` and `kubectl get events`.
//
//   EventRecorder events(client, clock);
//   events.note(warning(*pod, "FailedMount", "...").from("kubelet", "home"));
//
// The same note again only counts: one Event per (source, object, type, reason, message), with count and
// lastTimestamp. Of many notes that differ in nothing but their message, all after the tenth within ten
// minutes share one Event. A source that talks about one object without end is cut short: 25 at once, then
// one in five minutes.
//
// Thread: notes may be made from any thread and never wait; the recorder's own thread writes. What does not
// fit into the queue (kQueueMax) is dropped: an event is a hint and holds nothing up. Source: Kubernetes
// core/v1 Event; client-go tools/record (EventCorrelator), whose numbers these are.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "cluster/client.h"

namespace tidegate::cluster {

struct EventNote {
  std::string type;    // "Normal" or "Warning"
  std::string reason;  // "ScalingReplicaSet"; for machines, in CamelCase
  std::string message;
  // What it is about.
  std::string api_version;
  std::string kind;
  Key key;
  std::string uid;
  std::string field_path{};  // "spec.containers{engine}"; empty: the whole object
  std::string component{};   // who says it: "deployment-controller"
  std::string host{};        // on which node, if that matters

  EventNote from(std::string who, std::string where = {}) &&;
  EventNote at(std::string path) &&;
};

EventNote normal(const resource::Object& about, std::string reason, std::string message);
EventNote warning(const resource::Object& about, std::string reason, std::string message);

// What is to be written for a note.
struct EventWrite {
  Key key;
  bool first = true;  // create it; else bring the existing one up to date
  std::string message;
  int count = 1;
  WallTime since{};
  WallTime at{};
};

Json event_document(const EventNote& note, const EventWrite& write);

// Decides that. Pure but for what it remembers.
class EventCorrelator {
 public:
  // Empty: this source has said enough about this object.
  std::optional<EventWrite> take(const EventNote& note, WallTime now);

 private:
  struct Budget {
    double tokens;
    WallTime since;
  };
  struct Similar {
    std::set<std::string> messages;
    WallTime last;
  };
  struct Seen {
    Key key;
    int count = 0;
    WallTime first;
  };

  bool may_speak(const std::string& source_and_object, WallTime now);
  // The message to write, and the key to count under.
  std::pair<std::string, std::string> combine(const EventNote& note, const std::string& group, WallTime now);

  std::map<std::string, Budget> budgets_;
  std::map<std::string, Similar> similar_;
  std::map<std::string, Seen> seen_;
};

inline constexpr std::size_t kEventMessageMax = 1024;  // bytes, as the API has it

class EventRecorder {
 public:
  static constexpr std::size_t kQueueMax = 1000;

  // Both must outlive the recorder.
  EventRecorder(Client& client, const Clock& clock);
  // Writes what waits, then ends.
  ~EventRecorder();
  EventRecorder(const EventRecorder&) = delete;
  EventRecorder& operator=(const EventRecorder&) = delete;

  void note(EventNote note);

 private:
  struct Item {
    EventNote note;
    WallTime at;
  };
  void run();
  void write(const EventNote& note, const EventWrite& wanted);

  Client& client_;
  const Clock& clock_;
  EventCorrelator correlator_;  // the thread's own
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tidegate::cluster

// Wakes the watches of a kind when something of that kind has changed.
//
// Every watch of a client has its own place in the store's history; what they share is this bell. One thread
// per kind that is watched waits for the store, and rings on the loop. A thousand watches cost a thousand
// cursors and no thread of their own, and writers never wait for them.
//
// Thread: the loop's own.

#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "cluster/apiserver/media.h"
#include "cluster/client.h"
#include "net/loop.h"

namespace tidegate::apiserver {

// One event as one kind of watch sends it, kept a while for the other watches of that kind.
class EventTexts {
 public:
  using Key = std::tuple<std::uint64_t, std::string, Form, std::string>;  // revision, type, form, version

  const std::string* find(const Key& key) const;
  const std::string& keep(Key key, std::string text);

 private:
  std::map<Key, std::string> texts_;
  std::deque<Key> order_;  // oldest first
};

class Hub {
 public:
  Hub(cluster::Client& client, net::Loop& loop);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // Hears of changes of one kind for as long as it lives.
  class Ear {
   public:
    Ear(Hub& hub, const resource::Kind& kind);
    ~Ear();
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;

    // Something may have changed since the last call.
    bool take() { return std::exchange(heard_, false); }
    // Ends the wait.
    void ring() {
      heard_ = true;
      alarm_.ring_now();
    }
    // Returns when something may have changed, or at `deadline`.
    auto wait_until(TimePoint deadline) { return alarm_.until(heard_ ? TimePoint{} : deadline); }

    EventTexts& texts();
    bool ending() const { return hub_.ending_; }

   private:
    friend class Hub;
    Hub& hub_;
    const resource::Kind& kind_;
    net::Alarm alarm_;
    bool heard_ = false;
  };

  // Ends all waits, now and from now on.
  void end();

 private:
  struct Channel;
  Channel& channel(const resource::Kind& kind);

  cluster::Client& client_;
  net::Loop& loop_;
  bool ending_ = false;
  std::map<const resource::Kind*, std::unique_ptr<Channel>> channels_;
};

}  // namespace tidegate::apiserver

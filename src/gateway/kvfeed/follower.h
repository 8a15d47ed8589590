// Follows the KV events of all endpoints that have them, on a thread of its own, and keeps the index true.
//
//   Follower follower(index, prefixes);
//   follower.set(sources);      // from now on exactly these, again and again
//
// Each source has a socket that hears its stream and, where it has a replay port, one to ask for what was
// missed: when it is first heard, after a gap, when it has been silent for five seconds, and when its
// endpoint could not be reached. What is not answered in five seconds is asked again later, ever more seldom,
// up to a minute. ZeroMQ connects anew by itself, at most every five seconds.
//
// The thread and libzmq come with the first source: a gateway that follows nobody has neither.
//
// Memory beyond the index: messages of 16 MiB at most, 1000 waiting per source.
//
// Thread: set() on one; the rest any.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "gateway/kvfeed/stream.h"
#include "gateway/pick/block_index.h"
#include "gateway/pick/prefix_index.h"

namespace tidegate::kvfeed {

struct Source {
  pick::PrefixId id = pick::kNoPrefixId;
  std::string name;                  // for the log
  std::string stream;                // "tcp://10.0.0.5:5557"
  std::string replay;                // empty: nobody can be asked
  std::shared_ptr<const void> keep;  // holds the id for as long as it is written for
  bool operator==(const Source&) const = default;
};

// "tcp://10.0.0.5:5557", IPv6 in brackets.
std::string stream_at(const std::string& ip, std::uint16_t port);

class Follower {
 public:
  // References outlive the follower.
  Follower(pick::BlockIndex& index, const pick::PrefixIndex& prefixes);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  void set(std::vector<Source> sources);

  struct State {
    pick::Trust trust = pick::Trust::kNone;
    std::size_t blocks = 0;
  };
  // By id, a moment ago.
  std::unordered_map<pick::PrefixId, State> states() const;
  const Heard& heard() const { return heard_; }

 private:
  struct Followed;
  class Thread;

  void run();
  void wake() const;

  pick::BlockIndex& index_;
  const pick::PrefixIndex& prefixes_;
  Heard heard_;
  int wake_fd_ = -1;

  mutable std::mutex mutex_;
  std::vector<Source> wanted_;
  bool changed_ = false;
  bool stopping_ = false;
  std::unordered_map<pick::PrefixId, State> states_;
  std::thread thread_;
};

}  // namespace tidegate::kvfeed

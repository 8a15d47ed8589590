// One engine's stream of KV events, followed: puts into the index what the engine says it holds, and knows
// how much that word is worth. No sockets: who follows hands in what came and asks for what is missing.
//
//   hear(number, payload)                  a message of the stream
//   if (auto from = missing()) {           a replay is needed, from that number on
//     ask(); replay(number, payload)...; replay_ends() or replay_fails() }
//   check()                                the stream has been silent: is the engine still the same?
//   suspect()                              it did not answer others: what it holds is in doubt until it does
//
//               0 heard first, or replayed from 0 on
//      unheard ──────────────────────────────────────▶ whole ◀── AllBlocksCleared ── part
//         │ a later number first                          │ a gap that no replay closes    ▲
//         └───────────────────────────────────────────────┴────────────────────────────────┘
//
// Numbers count from 0 from the engine's start. One that is higher than the next is a gap: what is missing is
// replayed. One that is lower was replayed already or comes from an engine that began anew; the batch's time
// tells which. A replay begins at the last batch that was heard, which must come back word for word: else
// another engine speaks, and everything is forgotten. Where something is lost for good, what was held is
// forgotten too: it may have been removed meanwhile.
//
// Messages that come while a replay is under way wait for it, up to a bound.
//
// Thread: one.

#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/kvfeed/block_names.h"
#include "gateway/pick/block_index.h"
#include "kvwire/batch.h"

namespace tidegate::kvfeed {

// Of all streams together, for metrics; written by the thread that follows.
struct Heard {
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> stored{0};       // blocks
  std::atomic<std::uint64_t> removed{0};      // blocks
  std::atomic<std::uint64_t> cleared{0};      // times that a cache was
  std::atomic<std::uint64_t> unknown{0};      // blocks stored behind one that is not known here
  std::atomic<std::uint64_t> turned_away{0};  // blocks there was no room for
  std::atomic<std::uint64_t> unreadable{0};   // batches
  std::atomic<std::uint64_t> gaps{0};
  std::atomic<std::uint64_t> lost{0};  // gaps that no replay closed
  std::atomic<std::uint64_t> replays{0};
  std::atomic<std::uint64_t> restarts{0};
};

class Stream {
 public:
  // `replays`: there is somebody to ask. References outlive the stream.
  Stream(pick::BlockIndex& index, pick::PrefixId id, bool replays, Heard& heard);
  ~Stream();  // its endpoint holds nothing any more, and is not trusted
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void hear(std::uint64_t number, std::string payload);
  void check();
  void suspect();

  // The first number of the replay that is needed; nothing: none is, or one is under way.
  std::optional<std::uint64_t> missing() const;
  void ask();
  void replay(std::uint64_t number, const std::string& payload);
  void replay_ends();
  // It was not answered in time.
  void replay_fails();

  pick::Trust trust() const;
  std::size_t blocks() const { return names_.size(); }

 private:
  enum class Need : std::uint8_t { kNothing, kTheBeginning, kTheRest };
  struct Message {
    std::uint64_t number;
    std::string payload;
  };
  static constexpr std::size_t kWaitingMax = 1024;
  static constexpr std::size_t kWaitingBytesMax = 8 * 1024 * 1024;

  void keep(std::uint64_t number, std::string payload);
  void hear_waiting();
  bool is_new_engine(const std::string& payload) const;
  void hear_gap(std::uint64_t number, std::string payload);
  void replay_anchor(std::uint64_t number, const std::string& payload);
  void begin_anew();
  void apply(std::uint64_t number, const std::string& payload);
  void apply(const kvwire::BlockStored& stored);
  void apply(const kvwire::BlockRemoved& removed);
  void apply(const kvwire::AllBlocksCleared&);
  void forget();
  void lose();
  void tell();

  pick::BlockIndex& index_;
  const pick::PrefixId id_;
  Heard& heard_;
  BlockNames names_;

  bool replays_;
  std::optional<std::uint64_t> next_;          // nothing: unheard
  std::optional<std::uint64_t> last_payload_;  // a hash of the batch before next_
  double last_time_ = 0;
  bool whole_ = false;
  bool full_ = false;     // there was no room for all
  bool doubted_ = false;  // it does not answer
  bool replayed_from_beginning_ = false;

  Need need_ = Need::kNothing;
  bool asked_ = false;
  bool replay_began_ = false;  // its first message was heard
  bool other_engine_ = false;  // who answers is not who spoke
  std::deque<Message> waiting_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace tidegate::kvfeed

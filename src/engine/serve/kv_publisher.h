// Tells what an engine's KV cache gains and loses, over ZeroMQ, in vLLM's form: one message per step, and the
// latest ones again for who missed some.
//
// A replay is asked for by [empty, sequence number] at the replay endpoint; the answer is [empty, number,
// batch] for each batch that is kept from there on, then [empty, eight bytes 0xFF, empty].
//
// The engine thread hands batches over and never waits: when max_queue_size of them wait for the publisher
// one is dropped, and its number with it, so that subscribers see the gap.
//
// Thread: publish() on any one thread; the rest where it was made. Encoding, sending and replaying have a
// thread of their own.
// Source: vLLM distributed/kv_events.py; reference model-server.md section 3.

#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "engine/batch/scheduler.h"
#include "engine/lora/residency.h"
#include "engine/serve/flags.h"
#include "kvwire/batch.h"
#include "kvwire/zmq.h"

namespace tidegate::serve {

// The stepper's events as messages have them.
kvwire::Batch batch_of(const std::vector<batch::CacheEvent>& events, const lora::Residency& adapters,
                       std::size_t block_tokens, WallTime now);

class KvPublisher {
 public:
  // Binds an endpoint with * or :: in it, or of ipc; connects to any other, as vLLM does; an address of this
  // pod is bound, too. Errors: kInvalid: an endpoint that cannot be used; kUnavailable: no libzmq.
  static Result<std::unique_ptr<KvPublisher>> make(const KvEvents& config);
  ~KvPublisher();  // what waits is sent first

  void publish(kvwire::Batch batch);

  // Where it was bound, with the port that was chosen for "*".
  std::string endpoint() const { return socket_.endpoint(); }
  std::string replay_endpoint() const { return replay_ ? replay_->endpoint() : std::string(); }

 private:
  struct Numbered {
    std::uint64_t number;
    kvwire::Batch batch;
  };
  struct Kept {
    std::uint64_t number;
    std::string payload;
  };

  KvPublisher(const KvEvents& config, kvwire::Socket socket, std::optional<kvwire::Socket> replay,
              int wake_fd);
  void run();
  void send(const Numbered& numbered);
  void answer_replay(const std::vector<std::string>& question);
  void wake() const;

  const KvEvents config_;
  kvwire::Socket socket_;
  std::optional<kvwire::Socket> replay_;
  const int wake_fd_;
  std::deque<Kept> kept_;

  std::mutex mutex_;
  std::vector<Numbered> waiting_;
  std::uint64_t next_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tidegate::serve

// What api.cc and api_stream.cc share. Internal to the room.

#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/remote/api.h"
#include "http/client.h"
#include "net/loop.h"

namespace tidegate::remote {

// One identity's connections: a client certificate belongs to a connection for all its life.
struct Line {
  Line(net::Loop& loop, http::ClientOptions options) : client(loop, std::move(options)) {}
  http::Client client;  // of the loop's thread
};

// Between the loop, which fills it, and one reader.
struct ApiStream::State {
  State(net::Loop& the_loop, std::shared_ptr<Line> the_line)
      : loop(the_loop), line(std::move(the_line)), room(the_loop) {}

  // Runs on the loop to the stream's end. `self` keeps this alive.
  static net::Task<void> pump(std::shared_ptr<State> self, std::vector<net::Address> addresses,
                              http::ClientRequest request, Duration open_timeout, Duration lifetime);
  net::Task<Result<void>> copy(http::Exchange& exchange, TimePoint deadline);

  // What the server said, before the content: waits for it.
  struct Opened {
    int status = 0;  // 0: nobody answered, see error
    Error error;
    std::string body;  // of a refusal
    std::string retry_after;
  };
  Opened wait_opened();

  net::Loop& loop;
  std::shared_ptr<Line> line;
  std::function<void()> on_ready;

  // Of the loop's thread.
  net::Alarm room;
  http::Exchange* exchange = nullptr;

  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::optional<Opened> opened;
  std::string pending;
  std::optional<Error> failed;
  bool ended = false;
  bool cancelled = false;
  bool full = false;        // the loop waits for room
  bool wants_call = false;  // a read() went away with nothing

 private:
  void tell_opened(Opened what);
  void finish(std::optional<Error> error);
  void call_back(std::unique_lock<std::mutex>& lock);
};

}  // namespace tidegate::remote

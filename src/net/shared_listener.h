// A listening socket that another process may hold too, now or later (handover.h): bound here or taken over,
// it calls back with every connection.
//
// Thread: the loop's own; the callback runs from the loop. fd() may be duplicated on any thread while the
// listener lives.

#pragma once

#include <functional>
#include <memory>

#include "net/stream.h"

namespace tidegate::net {

class SharedListener {
 public:
  // Gets each connection. An error is kExhausted when descriptors have run out: call try_again() in a moment.
  using Accepted = std::function<void(Result<Stream>)>;

  // Errors as Listener::bind.
  static Result<std::unique_ptr<SharedListener>> bind(Loop& loop, const Address& address,
                                                      ListenOptions options, Accepted accepted);
  // Takes the descriptor of a listening socket over.
  static std::unique_ptr<SharedListener> adopt(Loop& loop, int fd, Accepted accepted);

  ~SharedListener();
  SharedListener(const SharedListener&) = delete;
  SharedListener& operator=(const SharedListener&) = delete;

  const Address& address() const;
  int fd() const;
  void try_again();

 private:
  struct State;
  explicit SharedListener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::net

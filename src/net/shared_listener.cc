#include "net/shared_listener.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "net/bind_socket.h"

namespace tidegate::net {

struct SharedListener::State final : Pollable {
  State(Loop& the_loop, int the_fd, Accepted the_accepted)
      : loop(the_loop), fd(the_fd), address(local_address(the_fd)), accepted(std::move(the_accepted)) {
    loop.add(fd, EPOLLIN, this);
  }

  void on_events(std::uint32_t) override {
    while (fd >= 0) {
      sockaddr_storage raw{};
      socklen_t size = sizeof raw;
      const int client =
          ::accept4(fd, reinterpret_cast<sockaddr*>(&raw), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client >= 0) {
        accepted(Stream::adopt(loop, client, Address::from(raw)));
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        accepted(fail(Code::kExhausted, "cannot accept on " + address.text() + ": " + std::strerror(errno)));
        return;
      }
      // Anything else is the fate of one connection that died in the queue: take the next.
    }
  }

  Loop& loop;
  int fd;
  const Address address;
  Accepted accepted;
};

SharedListener::SharedListener(std::unique_ptr<State> state) : state_(std::move(state)) {}

SharedListener::~SharedListener() {
  Loop& loop = state_->loop;
  // Closing alone would leave the registration while another process holds the socket.
  loop.remove(state_->fd);
  ::close(std::exchange(state_->fd, -1));
  loop.retire(std::move(state_));
}

Result<std::unique_ptr<SharedListener>> SharedListener::bind(Loop& loop, const Address& address,
                                                             ListenOptions options, Accepted accepted) {
  const Result<int> fd = bind_socket(address, options);
  if (!fd) return tl::unexpected(fd.error());
  return adopt(loop, *fd, std::move(accepted));
}

std::unique_ptr<SharedListener> SharedListener::adopt(Loop& loop, int fd, Accepted accepted) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  return std::unique_ptr<SharedListener>(
      new SharedListener(std::make_unique<State>(loop, fd, std::move(accepted))));
}

const Address& SharedListener::address() const { return state_->address; }
int SharedListener::fd() const { return state_->fd; }
void SharedListener::try_again() { state_->on_events(0); }

}  // namespace tidegate::net

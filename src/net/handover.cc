#include "net/handover.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace tidegate::net {
namespace {

// Each message has this many sockets and their addresses, a line each; an empty list ends it.
constexpr std::size_t kBatch = 64;
constexpr std::size_t kMessageMax = 8192;
constexpr std::string_view kEnd = ".";
constexpr std::string_view kDone = "done";
constexpr int kPatienceS = 5;

tl::unexpected<Error> failed(const std::string& what, const std::string& path) {
  return fail(Code::kUnavailable, what + " " + path + ": " + std::strerror(errno));
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return invalid("", "the path of a handover socket has 1 to " +
                           std::to_string(sizeof address.sun_path - 1) + " characters; use a shorter one");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

void set_patience(int fd) {
  const timeval patience{kPatienceS, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

bool is_same_user(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == geteuid();
}

bool send_batch(int fd, const HandedSocket* first, std::size_t count) {
  std::string text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kBatch * sizeof(int))> control{};
  std::array<int, kBatch> fds{};
  for (std::size_t i = 0; i < count; ++i) {
    text += first[i].address() + "\n";
    fds[i] = first[i].fd();
  }
  if (count == 0) text = kEnd;
  iovec piece{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), count * sizeof(int));
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL) >= 0;
}

// False if nothing proper came; true with no sockets added at the end.
bool read_batch(int fd, std::vector<HandedSocket>& sockets) {
  std::array<char, kMessageMax> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kBatch * sizeof(int))> control{};
  iovec piece{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) return false;
  std::vector<int> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    fds.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(fds.data(), CMSG_DATA(header), fds.size() * sizeof(int));
  }
  std::string_view lines(text.data(), static_cast<std::size_t>(got));
  for (const int handed : fds) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    sockets.emplace_back(std::string(lines.substr(0, end)), handed);
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return !fds.empty() || lines == kEnd;
}

}  // namespace

HandedSocket::HandedSocket(HandedSocket&& other) noexcept
    : address_(std::move(other.address_)), fd_(std::exchange(other.fd_, -1)) {}
HandedSocket& HandedSocket::operator=(HandedSocket&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(fd_, other.fd_);
  return *this;
}
HandedSocket::~HandedSocket() {
  if (fd_ >= 0) ::close(fd_);
}
int HandedSocket::release() { return std::exchange(fd_, -1); }

struct HandoverServer::State {
  State(std::string the_path, int the_fd, std::function<std::vector<HandedSocket>()> the_sockets,
        std::function<void()> the_done)
      : path(std::move(the_path)),
        fd(the_fd),
        wake(eventfd(0, EFD_CLOEXEC)),
        sockets(std::move(the_sockets)),
        done(std::move(the_done)) {}
  ~State() {
    ::close(fd);
    ::close(wake);
  }

  // True if whoever calls may wait for `ready_fd`; false if it is time to end.
  bool wait_for(int ready_fd) const {
    std::array<pollfd, 2> watched{{{ready_fd, POLLIN, 0}, {wake, POLLIN, 0}}};
    while (poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
    }
    return watched[1].revents == 0;
  }

  void run() {
    while (!finished && wait_for(fd)) {
      const int client = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      set_patience(client);
      if (is_same_user(client)) serve(client);
      ::close(client);
    }
  }

  void serve(int client) {
    const std::vector<HandedSocket> handed = sockets();
    for (std::size_t i = 0; i < handed.size(); i += kBatch) {
      if (!send_batch(client, handed.data() + i, std::min(kBatch, handed.size() - i))) return;
    }
    if (!send_batch(client, nullptr, 0) || !wait_for(client)) return;
    std::array<char, 16> word;
    const ssize_t got = recv(client, word.data(), word.size(), 0);
    if (got <= 0 || std::string_view(word.data(), static_cast<std::size_t>(got)) != kDone) return;
    finished = true;
    done();
  }

  const std::string path;
  const int fd;
  const int wake;
  std::function<std::vector<HandedSocket>()> sockets;
  std::function<void()> done;
  bool finished = false;  // the path is the other process's now
  std::thread thread;
};

HandoverServer::HandoverServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HandoverServer::~HandoverServer() {
  const std::uint64_t one = 1;
  (void)!::write(state_->wake, &one, sizeof one);
  state_->thread.join();
  if (!state_->finished) ::unlink(state_->path.c_str());
}

Result<std::unique_ptr<HandoverServer>> HandoverServer::listen(
    const std::string& path, std::function<std::vector<HandedSocket>()> sockets, std::function<void()> done) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("cannot make the handover socket", path);
  ::unlink(path.c_str());
  // Created for nobody else; there is no moment in between.
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  ::umask(before);
  if (bound < 0 || ::listen(fd, 4) < 0) {
    auto error = failed("cannot listen for a successor at", path);
    ::close(fd);
    return error;
  }
  auto state = std::make_unique<State>(path, fd, std::move(sockets), std::move(done));
  state->thread = std::thread([raw = state.get()] { raw->run(); });
  return std::unique_ptr<HandoverServer>(new HandoverServer(std::move(state)));
}

Takeover::Takeover(Takeover&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), sockets_(std::move(other.sockets_)) {}
Takeover& Takeover::operator=(Takeover&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(sockets_, other.sockets_);
  return *this;
}
Takeover::~Takeover() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::optional<Takeover>> Takeover::begin(const std::string& path) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("cannot make a socket for", path);
  Takeover takeover(fd);
  set_patience(fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) < 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return std::nullopt;
    return failed("cannot ask for sockets at", path);
  }
  if (!is_same_user(fd))
    return fail(Code::kForbidden, "who listens at " + path + " is another user; use a path of your own");
  while (true) {
    const std::size_t before = takeover.sockets_.size();
    if (!read_batch(fd, takeover.sockets_))
      return fail(Code::kUnavailable,
                  "who listens at " + path + " hands nothing over; end it and start again");
    if (takeover.sockets_.size() == before) return std::optional(std::move(takeover));
  }
}

void Takeover::finish() { (void)!::send(fd_, kDone.data(), kDone.size(), MSG_NOSIGNAL); }

}  // namespace tidegate::net

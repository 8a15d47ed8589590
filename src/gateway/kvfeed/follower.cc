#include "gateway/kvfeed/follower.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <list>
#include <optional>
#include <utility>

#include "base/log.h"
#include "kvwire/zmq.h"

namespace tidegate::kvfeed {
namespace {

constexpr kvwire::Socket::Options kSocket{.queue_max = 1000, .message_bytes_max = 16 * 1024 * 1024};
// A whole replay waits there at once, and what does not fit is lost.
constexpr kvwire::Socket::Options kReplaySocket{.queue_max = 20'000, .message_bytes_max = 16 * 1024 * 1024};

constexpr Duration kLook = std::chrono::milliseconds(200);
constexpr Duration kSilence = std::chrono::seconds(5);
constexpr Duration kPatience = std::chrono::seconds(5);
constexpr Duration kPauseMax = std::chrono::seconds(60);
constexpr std::size_t kAskedAtOnce = 64;      // engines that are asked for a replay
constexpr std::size_t kMessagesAtOnce = 256;  // of one source, before the next has its turn

// Asking so many sockets what they have costs as much as some messages: let some come together.
constexpr std::size_t kManySockets = 64;
constexpr Duration kTogether = std::chrono::milliseconds(2);

// As long as no library is there, or a socket cannot be had.
constexpr Duration kTryAgain = std::chrono::seconds(10);

}  // namespace

std::string stream_at(const std::string& ip, std::uint16_t port) {
  const bool six = ip.find(':') != std::string::npos;
  return "tcp://" + (six ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

// One source with its sockets.
struct Follower::Followed {
  Followed(Source the_source, kvwire::Socket the_socket, pick::BlockIndex& index, Heard& heard,
           std::uint32_t the_forgets)
      : source(std::move(the_source)),
        stream(index, source.id, !source.replay.empty(), heard),
        socket(std::move(the_socket)),
        forgets(the_forgets) {}

  Source source;
  Stream stream;
  kvwire::Socket socket;
  std::optional<kvwire::Socket> replay;  // while something is asked
  std::uint32_t forgets;                 // how often its endpoint was lost, as last seen
  TimePoint ask_at{};                    // not before
  TimePoint answer_by{};                 // of what is asked
  TimePoint heard_at{};
  Duration pause = kPatience;
};

// What the thread has for itself.
class Follower::Thread {
 public:
  explicit Thread(Follower& follower) : follower_(follower) {}

  // False if something is still to be done and could not be.
  bool follow(const std::vector<Source>& wanted) {
    if (!context_ && !wanted.empty()) {
      auto made = kvwire::Context::make();
      if (!made) {
        if (std::exchange(why_not_, made.error().message) != made.error().message)
          log::error("kvfeed", "KV events cannot be followed", {{"why", why_not_}});
        return false;
      }
      context_ = *std::move(made);
    }
    for (auto one = followed_.begin(); one != followed_.end();) {
      const bool stays = std::ranges::find(wanted, one->source) != wanted.end();
      if (!stays) end_replay(*one);
      one = stays ? std::next(one) : followed_.erase(one);
    }
    bool all = true;
    for (const Source& source : wanted) {
      const auto same = [&](const Followed& one) { return one.source == source; };
      if (std::ranges::none_of(followed_, same)) all = begin(source) && all;
    }
    return all;
  }

  // One turn: waits, hears, asks.
  void turn(int wake_fd) {
    wait(wake_fd);
    const TimePoint now = std::chrono::steady_clock::now();
    std::size_t place = 0;  // of its sockets among those that were waited for
    for (Followed& one : followed_) {
      const bool asks = one.replay.has_value();
      if (is_readable(place++)) hear(one, now);
      if (asks) hear_replay(one, is_readable(place++), now);
      look_after(one, now);
    }
  }

  std::unordered_map<pick::PrefixId, State> states() const {
    std::unordered_map<pick::PrefixId, State> states;
    for (const Followed& one : followed_) states[one.source.id] = {one.stream.trust(), one.stream.blocks()};
    return states;
  }

 private:
  bool begin(const Source& source) {
    auto socket = kvwire::Socket::make(context_, kvwire::Socket::Type::kSubscribe, kSocket);
    if (!socket) {
      if (std::exchange(why_not_, socket.error().message) != socket.error().message)
        log::error("kvfeed", "no socket for KV events", {{"endpoint", source.name}, {"why", why_not_}});
      return false;
    }
    socket->subscribe("");
    if (const auto connected = socket->connect(source.stream); !connected) {
      log::error("kvfeed", "KV events cannot be followed",
                 {{"endpoint", source.name}, {"why", connected.error().message}});
      return true;  // trying again would not help
    }
    followed_.emplace_back(source, *std::move(socket), follower_.index_, follower_.heard_,
                           follower_.prefixes_.forgets(source.id));
    return true;
  }

  void wait(int wake_fd) {
    sockets_.clear();
    for (const Followed& one : followed_) {
      sockets_.push_back(&one.socket);
      if (one.replay) sockets_.push_back(&*one.replay);
    }
    if (!context_) {  // and so no library to wait with
      pollfd woken{wake_fd, POLLIN, 0};
      ::poll(&woken, 1,
             static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kLook).count()));
      return;
    }
    if (sockets_.size() > kManySockets) kvwire::poll({}, wake_fd, kTogether, readable_);
    kvwire::poll(sockets_, wake_fd, kLook, readable_);
  }

  bool is_readable(std::size_t place) const { return place < readable_.size() && readable_[place]; }

  void hear(Followed& one, TimePoint now) {
    for (std::size_t i = 0; i < kMessagesAtOnce && one.socket.receive(frames_); ++i) {
      const auto number = frames_.size() == 3 ? kvwire::sequence_of(frames_[1]) : std::nullopt;
      if (!number) {
        follower_.heard_.unreadable.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      one.heard_at = now;
      one.stream.hear(*number, std::move(frames_[2]));
    }
  }

  void hear_replay(Followed& one, bool readable, TimePoint now) {
    while (readable && one.replay && one.replay->receive(frames_)) {
      const auto number = frames_.size() == 3 ? kvwire::sequence_of(frames_[1]) : std::nullopt;
      if (!number) continue;
      if (*number != kvwire::kReplayEnd) {
        one.stream.replay(*number, frames_[2]);
        one.answer_by = now + kPatience;
        continue;
      }
      end_replay(one);
      one.stream.replay_ends();
      one.heard_at = now;
      one.pause = kPatience;
    }
    if (!one.replay || now < one.answer_by) return;
    end_replay(one);
    one.stream.replay_fails();
    one.heard_at = now;
    one.ask_at = now + one.pause;
    one.pause = std::min(one.pause * 2, kPauseMax);
  }

  void end_replay(Followed& one) {
    if (one.replay) --asked_;
    one.replay.reset();
  }

  void look_after(Followed& one, TimePoint now) {
    const std::uint32_t forgets = follower_.prefixes_.forgets(one.source.id);
    if (std::exchange(one.forgets, forgets) != forgets) {
      one.stream.suspect();
    } else if (now >= one.heard_at + kSilence) {
      one.stream.check();
    }
    const auto from = one.stream.missing();
    if (!from || now < one.ask_at || asked_ >= kAskedAtOnce) return;
    auto socket = kvwire::Socket::make(context_, kvwire::Socket::Type::kDealer, kReplaySocket);
    const std::string number = kvwire::sequence_frame(*from);
    const std::array<std::string_view, 2> question = {"", number};
    one.stream.ask();
    one.answer_by = now + kPatience;
    if (socket && socket->connect(one.source.replay) && socket->send(question)) {
      one.replay = *std::move(socket);
      ++asked_;
    } else {
      one.stream.replay_fails();
      one.ask_at = now + kPauseMax;
    }
  }

  Follower& follower_;
  std::string why_not_;                       // told last
  std::shared_ptr<kvwire::Context> context_;  // outlives the sockets
  std::list<Followed> followed_;
  std::size_t asked_ = 0;  // that have not answered yet
  std::vector<const kvwire::Socket*> sockets_;
  std::vector<bool> readable_;
  std::vector<std::string> frames_;
};

Follower::Follower(pick::BlockIndex& index, const pick::PrefixIndex& prefixes)
    : index_(index), prefixes_(prefixes) {}

Follower::~Follower() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  ::close(wake_fd_);
}

void Follower::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_fd_, &one, sizeof one));
}

void Follower::set(std::vector<Source> sources) {
  if (!thread_.joinable() && sources.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (wanted_ == sources) return;
    wanted_ = std::move(sources);
    changed_ = true;
  }
  if (thread_.joinable()) return wake();
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) return log::error("kvfeed", "no eventfd: KV events are not followed");
  thread_ = std::thread([this] { run(); });
}

std::unordered_map<pick::PrefixId, Follower::State> Follower::states() const {
  const std::lock_guard lock(mutex_);
  return states_;
}

void Follower::run() {
  Thread thread(*this);
  std::vector<Source> wanted;
  bool done = true;  // with what is wanted
  TimePoint try_at{};
  TimePoint tell_at{};
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      if (std::exchange(changed_, false)) {
        wanted = wanted_;
        done = false;
        try_at = {};
      }
    }
    const TimePoint now = std::chrono::steady_clock::now();
    if (!done && now >= try_at) {
      done = thread.follow(wanted);
      try_at = now + kTryAgain;
    }
    thread.turn(wake_fd_);
    std::uint64_t wakes = 0;
    static_cast<void>(!::read(wake_fd_, &wakes, sizeof wakes));
    if (now < tell_at) continue;
    tell_at = now + kLook;
    auto states = thread.states();
    const std::lock_guard lock(mutex_);
    states_ = std::move(states);
  }
}

}  // namespace tidegate::kvfeed

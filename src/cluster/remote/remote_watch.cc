#include "cluster/remote/remote_watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cluster/informer.h"
#include "cluster/remote/remote.h"
#include "cluster/remote/status.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::remote {
namespace {

using cluster::Event;
using cluster::EventType;

// The server ends a watch after this long, so that load spreads over its replicas.
constexpr Duration kServed = std::chrono::minutes(5);
// A connection that has died without a word is noticed after this much more.
constexpr Duration kSlack = std::chrono::seconds(30);
constexpr int kFailuresMax = 5;
constexpr std::size_t kLineMax = 4 * resource::kObjectBytesMax;

}  // namespace

RemoteWatch::RemoteWatch(Api& api, const resource::Kind& kind, std::string version, std::string path,
                         std::uint64_t revision, cluster::WatchOptions options)
    : api_(api),
      kind_(kind),
      version_(std::move(version)),
      path_(std::move(path)),
      options_(std::move(options)),
      revision_(revision),
      told_(revision) {}

Result<std::optional<Event>> RemoteWatch::next(Duration timeout) {
  const TimePoint deadline = api_.clock().now() + timeout;
  while (true) {
    auto event = take_line();
    if (!event || *event) return event;
    const auto reached = reach(deadline);
    if (!reached) return tl::unexpected(reached.error());
    if (!*reached) return nothing_new();
    const Duration left = std::max(Duration::zero(), deadline - api_.clock().now());
    auto text = stream_->read(left);
    if (!text) {
      if (text.error().code == Code::kCancelled) return tl::unexpected(text.error());
      lose(true);
    } else if (!*text) {
      return nothing_new();
    } else if ((*text)->empty()) {
      lose(false);
    } else {
      failures_ = 0;
      text_.erase(0, std::exchange(used_, 0));
      text_ += **text;
      if (text_.size() > kLineMax && text_.find('\n') == std::string::npos) {
        return fail(Code::kUnavailable, "the API server sends a watch event without end");
      }
    }
  }
}

std::optional<Event> RemoteWatch::nothing_new() {
  if (!options_.bookmarks || revision_ == told_) return std::nullopt;
  told_ = revision_;
  return Event{EventType::kBookmark, nullptr, revision_};
}

void RemoteWatch::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (stream_) stream_->cancel();
}

Result<bool> RemoteWatch::reach(TimePoint deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return fail(Code::kCancelled, "the watch was given up");
    if (stream_) return true;
  }
  const TimePoint now = api_.clock().now();
  if (not_before_ > now) {
    // A short wait, so that cancel() is seen: whoever waits calls again.
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    constexpr Duration kStep = std::chrono::milliseconds(100);
    never.wait_for(lock, std::min({not_before_ - now, std::max(Duration::zero(), deadline - now), kStep}));
    if (api_.clock().now() >= deadline) return false;
    return reach(deadline);
  }
  if (const auto opened = open(); !opened) {
    const Error& error = opened.error();
    if (error.code != Code::kUnavailable && error.code != Code::kDeadline && error.code != Code::kExhausted) {
      return tl::unexpected(error);
    }
    if (++failures_ > kFailuresMax) return tl::unexpected(error);
    not_before_ = api_.clock().now() + api_.jittered(cluster::retry_delay(failures_));
    return api_.clock().now() < deadline ? reach(deadline) : Result<bool>(false);
  }
  return true;
}

Result<void> RemoteWatch::open() {
  const auto served = std::chrono::duration_cast<std::chrono::seconds>(api_.jittered(kServed));
  ApiRequest request;
  request.target = path_ +
                   "?watch=true&allowWatchBookmarks=true&resourceVersion=" + std::to_string(revision_) +
                   "&timeoutSeconds=" + std::to_string(served.count());
  auto stream = api_.open(request, served + kSlack, options_.on_ready);
  if (!stream) return tl::unexpected(stream.error());
  const std::lock_guard lock(mutex_);
  stream_ = *std::move(stream);
  if (cancelled_) stream_->cancel();
  return {};
}

// The next try starts from the last revision; half a line is worth nothing.
void RemoteWatch::lose(bool failed) {
  text_.clear();
  used_ = 0;
  const std::lock_guard lock(mutex_);
  stream_ = nullptr;
  // An orderly end may be followed at once, but not again and again.
  if (failed || failures_ > 0) {
    not_before_ = api_.clock().now() + api_.jittered(cluster::retry_delay(failures_ + 1));
  }
  ++failures_;
}

Result<std::optional<Event>> RemoteWatch::take_line() {
  while (true) {
    const std::size_t end = text_.find('\n', used_);
    if (end == std::string::npos) return std::nullopt;
    const std::string_view line = std::string_view(text_).substr(used_, end - used_);
    used_ = end + 1;
    if (line.empty() || line == "\r") continue;
    auto event = decode(line);
    if (!event) {
      const std::lock_guard lock(mutex_);
      stream_ = nullptr;
    }
    if (!event || *event) return event;
  }
}

// Nothing for a bookmark: it only moves the revision on.
Result<std::optional<Event>> RemoteWatch::decode(std::string_view line) {
  const auto garbage = [](const char* what) {
    return fail(Code::kUnavailable, std::string("the API server sends a watch event ") + what);
  };
  auto parsed = resource::parse_json(line, kLineMax);
  if (!parsed || !parsed->is_object()) return garbage("that is no JSON object");
  const std::string type = resource::text(*parsed, "type");
  const auto object = parsed->find("object");
  if (object == parsed->end() || !object->is_object()) return garbage("without an object");
  if (type == "ERROR") return tl::unexpected(error_of(*object));
  if (type == "BOOKMARK") {
    const std::string version = resource::text(*object, "metadata.resourceVersion");
    revision_ = std::max<std::uint64_t>(revision_, std::strtoull(version.c_str(), nullptr, 10));
    return std::nullopt;
  }
  EventType known{};
  if (type == "ADDED") {
    known = EventType::kAdded;
  } else if (type == "MODIFIED") {
    known = EventType::kModified;
  } else if (type == "DELETED") {
    known = EventType::kDeleted;
  } else {
    return garbage("of an unknown type");
  }
  auto made = object_of(std::move(*object), kind_, version_);
  if (!made) return tl::unexpected(made.error());
  revision_ = std::max(revision_, (*made)->metadata().resource_version);
  told_ = revision_;
  return Event{known, *std::move(made), revision_};
}

Result<std::optional<Event>> AbsentWatch::next(Duration timeout) {
  std::unique_lock lock(mutex_);
  const Duration left = std::max(Duration::zero(), ask_again_ - clock_.now());
  changed_.wait_for(lock, std::min(timeout, left), [this] { return cancelled_; });
  if (cancelled_) return fail(Code::kCancelled, "the watch was given up");
  if (clock_.now() >= ask_again_) return fail(Code::kGone, "the API server may know the kind by now");
  return std::nullopt;
}

void AbsentWatch::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

}  // namespace tidegate::remote

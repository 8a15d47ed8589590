#include "cluster/events.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace tidegate::cluster {
namespace {

constexpr double kBurst = 25;
constexpr Duration kRefill = std::chrono::minutes(5);
constexpr std::size_t kSimilarMax = 10;
constexpr Duration kSimilarWithin = std::chrono::minutes(10);
constexpr std::size_t kRememberedMax = 4096;

EventNote about(const resource::Object& object, const char* type, std::string reason, std::string message) {
  return {type,
          std::move(reason),
          std::move(message),
          object.api_version(),
          object.kind(),
          key_of(object),
          object.metadata().uid,
          {},
          {},
          {}};
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text.append(part).push_back('\n');
  return text;
}

std::string hex(std::int64_t number) {
  std::array<char, 20> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), static_cast<std::uint64_t>(number), 16).ptr;
  return {text.data(), end};
}

// What is remembered is bounded; forgetting costs no more than a second Event for the same thing.
template <typename Map>
void bound(Map& map) {
  if (map.size() > kRememberedMax) map.clear();
}

}  // namespace

Json event_document(const EventNote& note, const EventWrite& write) {
  Json involved{{"apiVersion", note.api_version}, {"kind", note.kind}};
  if (!note.key.namespace_.empty()) involved["namespace"] = note.key.namespace_;
  involved["name"] = note.key.name;
  involved["uid"] = note.uid;
  if (!note.field_path.empty()) involved["fieldPath"] = note.field_path;
  Json source{{"component", note.component}};
  if (!note.host.empty()) source["host"] = note.host;
  return Json{{"apiVersion", "v1"},
              {"kind", "Event"},
              {"metadata", {{"name", write.key.name}, {"namespace", write.key.namespace_}}},
              {"involvedObject", std::move(involved)},
              {"reason", note.reason},
              {"message", write.message},
              {"source", std::move(source)},
              {"firstTimestamp", rfc3339(write.since)},
              {"lastTimestamp", rfc3339(write.at)},
              {"count", write.count},
              {"type", note.type},
              {"eventTime", nullptr},
              {"reportingComponent", note.component},
              {"reportingInstance", note.host}};
}

EventNote EventNote::from(std::string who, std::string where) && {
  component = std::move(who);
  host = std::move(where);
  return std::move(*this);
}

EventNote EventNote::at(std::string path) && {
  field_path = std::move(path);
  return std::move(*this);
}

EventNote normal(const resource::Object& object, std::string reason, std::string message) {
  return about(object, "Normal", std::move(reason), std::move(message));
}

EventNote warning(const resource::Object& object, std::string reason, std::string message) {
  return about(object, "Warning", std::move(reason), std::move(message));
}

bool EventCorrelator::may_speak(const std::string& source_and_object, WallTime now) {
  bound(budgets_);
  Budget& budget = budgets_.try_emplace(source_and_object, Budget{kBurst, now}).first->second;
  const Duration passed = std::max<Duration>(now - budget.since, Duration::zero());
  budget.tokens = std::min(kBurst, budget.tokens + seconds(passed) / seconds(kRefill));
  budget.since = now;
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

std::pair<std::string, std::string> EventCorrelator::combine(const EventNote& note, const std::string& group,
                                                             WallTime now) {
  bound(similar_);
  std::string message = note.message.substr(0, kEventMessageMax);
  Similar& similar = similar_[group];
  if (now - similar.last > kSimilarWithin) similar.messages.clear();
  similar.last = now;
  if (similar.messages.size() < kSimilarMax) similar.messages.insert(message);
  if (similar.messages.contains(message)) return {message, group + message};
  return {("(combined from similar events): " + message).substr(0, kEventMessageMax), group};
}

std::optional<EventWrite> EventCorrelator::take(const EventNote& note, WallTime now) {
  const std::string object =
      joined({note.component, note.host, note.kind, note.key.namespace_, note.key.name, note.uid});
  if (!may_speak(object, now)) return std::nullopt;
  const auto [message, counted] =
      combine(note, object + joined({note.type, note.reason, note.field_path}), now);
  bound(seen_);
  Seen& seen = seen_[counted];
  const bool first = seen.count == 0;
  if (first) {
    const std::string namespace_ = note.key.namespace_.empty() ? "default" : note.key.namespace_;
    // Two notes may carry the same time; what was seen before them tells their Events apart.
    const auto number = now.time_since_epoch().count() + static_cast<std::int64_t>(seen_.size());
    seen = {{namespace_, note.key.name.substr(0, 200) + "." + hex(number)}, 0, now};
  }
  ++seen.count;
  return EventWrite{seen.key, first, message, seen.count, seen.first, now};
}

EventRecorder::EventRecorder(Client& client, const Clock& clock)
    : client_(client), clock_(clock), thread_([this] { run(); }) {}

EventRecorder::~EventRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EventRecorder::note(EventNote note) {
  {
    const std::lock_guard lock(mutex_);
    if (items_.size() >= kQueueMax) return;
    items_.push_back({std::move(note), clock_.wall()});
  }
  changed_.notify_one();
}

void EventRecorder::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !items_.empty(); });
    if (items_.empty()) return;
    const Item item = std::move(items_.front());
    items_.pop_front();
    lock.unlock();
    if (const auto wanted = correlator_.take(item.note, item.at)) write(item.note, *wanted);
    lock.lock();
  }
}

void EventRecorder::write(const EventNote& note, const EventWrite& wanted) {
  static const resource::Kind& kind = *resource::find_kind("v1", "Event");
  if (!wanted.first) {
    const Json patch{
        {"count", wanted.count}, {"lastTimestamp", rfc3339(wanted.at)}, {"message", wanted.message}};
    const auto patched = client_.patch(kind, wanted.key, PatchType::kMerge, patch);
    if (patched || patched.error().code != Code::kNotFound) return;  // else it has expired
  }
  if (const auto made = client_.create(kind, event_document(note, wanted)); !made) {
    log::debug("events", "cannot write an event",
               {{"event", wanted.key.text()}, {"error", describe(made.error())}});
  }
}

}  // namespace tidegate::cluster

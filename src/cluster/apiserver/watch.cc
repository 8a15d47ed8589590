#include "cluster/apiserver/watch.h"

#include <algorithm>
#include <utility>

namespace tidegate::apiserver {
namespace {

using cluster::EventType;

constexpr std::size_t kPieceBytes = 32 * 1024;                 // sent at once
constexpr Duration kLongest = std::chrono::minutes(30);       // of a watch that names no time
constexpr Duration kBookmarkEvery = std::chrono::seconds(30);  // after quiet of that length

// One watch on its way.
struct Session {
  const Context& context;
  const Call& call;
  Selector selector;
  std::shared_ptr<cluster::Watch> watch;
  std::uint64_t revision = 0;  // everything up to it was sent
  bool headers = true;         // the next Table needs its columns
  bool broken = false;         // nothing more will come
  std::string out;             // not yet sent
};

Status watch_failure(const Call& call, const Error& error) {
  Status status = status_of(call, error);
  if (error.code == Code::kGone) status.message = describe(error);
  return status;
}

void add_event(Session& session, Hub::Ear& ear, std::string_view type, const resource::Object& object,
               std::uint64_t revision) {
  const Call& call = session.call;
  const Shape shape = call.shape(session.context.clock.wall());
  if (call.form == Form::kTable) {
    session.out += encode_event(shape, type, object, std::exchange(session.headers, false));
    return;
  }
  EventTexts::Key key(revision, std::string(type), call.form, call.path.version);
  const std::string* text = ear.texts().find(key);
  if (text == nullptr) text = &ear.texts().keep(std::move(key), encode_event(shape, type, object, false));
  session.out += *text;
}

// Takes what the store has until there is nothing more, or enough to send. True if there may be more.
bool fill(Session& session, Hub::Ear& ear) {
  while (session.out.size() < kPieceBytes) {
    const auto event = session.watch->next(Duration::zero());
    if (!event) {
      session.out += encode_error_event(watch_failure(session.call, event.error()));
      session.broken = true;
      return false;
    }
    if (!*event) return false;
    session.revision = (*event)->revision;
    if ((*event)->type == EventType::kBookmark) return false;
    const auto& path = session.call.path;
    if (!path.namespace_.empty() && (*event)->object->namespace_() != path.namespace_) continue;
    const std::string_view type = event_type(**event, session.selector);
    if (!type.empty()) add_event(session, ear, type, *(*event)->object, session.revision);
  }
  return true;
}

// What stands there already, for watches that do not begin at a revision. On a worker.
Answer<void> add_initial(Session& session) {
  const Call& call = session.call;
  const auto list = session.context.client.list(*call.kind, call.path.namespace_);
  if (!list) return tl::unexpected(status_of(call, list.error()));
  session.revision = list->revision;
  const Shape shape = call.shape(session.context.clock.wall());
  for (const cluster::ObjectPtr& object : list->items) {
    if (!session.selector.matches(*object)) continue;
    session.out += encode_event(shape, "ADDED", *object, std::exchange(session.headers, false));
  }
  if (call.options.send_initial_events && call.options.bookmarks) {
    session.out += encode_bookmark(shape, session.revision, true);
  }
  return {};
}

Answer<void> open(Session& session) {
  const Options& options = session.call.options;
  std::string fields = options.field_selector;
  if (!session.call.path.name.empty()) {
    fields += (fields.empty() ? "metadata.name=" : ",metadata.name=") + session.call.path.name;
  }
  auto selector = parse_selector(*session.call.kind, options.label_selector, fields);
  if (!selector) return bad_request(selector.error().message);
  session.selector = *std::move(selector);
  if (options.resource_version && !options.send_initial_events) {
    session.revision = *options.resource_version;
  } else if (auto added = add_initial(session); !added) {
    return added;
  }
  auto watch = session.context.client.watch(*session.call.kind, session.revision);
  if (watch) {
    session.watch = *std::move(watch);
  } else {
    session.out += encode_error_event(watch_failure(session.call, watch.error()));
    session.broken = true;
  }
  return {};
}

// Sends until the end of the watch. False if the client is not there any more.
net::Task<bool> follow(Session& session, Hub::Ear& ear, net::Loop& loop, http::Responder& responder) {
  const auto asked = session.call.options.timeout_s.value_or(0);
  const Duration longest = asked > 0 && asked < 86'400 ? Duration(std::chrono::seconds(asked)) : kLongest;
  const TimePoint end = loop.now() + longest;
  TimePoint sent_at = loop.now();
  std::uint64_t marked = session.revision;
  while (true) {
    ear.take();
    const bool more = !session.broken && fill(session, ear);
    if (!session.out.empty()) {
      Result<void> sent = co_await responder.write(session.out);
      if (!sent) co_return false;
      session.out.clear();
      sent_at = loop.now();
    }
    if (more) continue;
    if (session.broken || ear.ending() || loop.now() >= end) co_return true;
    if (responder.client_gone()) co_return false;
    if (session.call.options.bookmarks && loop.now() - sent_at >= kBookmarkEvery) {
      if (session.revision != marked) {
        session.out = encode_bookmark(session.call.shape({}), session.revision, false);
        marked = session.revision;
        continue;
      }
      sent_at = loop.now();
    }
    const TimePoint until = std::min(end, sent_at + kBookmarkEvery);
    co_await ear.wait_until(until);
  }
}

}  // namespace

std::string_view event_type(const cluster::Event& event, const Selector& selector) {
  const bool now = selector.matches(*event.object);
  if (event.type == EventType::kAdded) return now ? "ADDED" : "";
  const bool before = event.before == nullptr ? now : selector.matches(*event.before);
  if (event.type == EventType::kDeleted) return before || now ? "DELETED" : "";
  if (before && now) return "MODIFIED";
  return now ? "ADDED" : before ? "DELETED" : "";
}

net::Task<void> serve_watch(const Context& context, Hub& hub, Workers& workers, net::Loop& loop,
                            const Call& call, http::Responder& responder) {
  Session session{.context = context, .call = call, .selector = {}, .watch = nullptr, .out = {}};
  Hub::Ear ear(hub, *call.kind);
  Answer<void> opened;
  std::function<void()> work = [&] { opened = open(session); };
  const bool taken = co_await workers.run(std::move(work));
  if (!taken) opened = tl::unexpected(plain_status(429, "too many requests are waiting; try again later"));
  if (!opened) {
    Result<void> sent = co_await responder.respond(opened.error().code, "application/json", to_text(opened.error()));
    (void)sent;
    co_return;
  }
  Result<void> started = co_await responder.start(200, "application/json");
  if (!started) co_return;
  const bool listening = responder.on_client_gone([&ear] { ear.ring(); });
  if (!listening) co_return;
  const bool whole = co_await follow(session, ear, loop, responder);
  if (!whole) co_return;
  Result<void> finished = co_await responder.finish();
  (void)finished;
}

}  // namespace tidegate::apiserver

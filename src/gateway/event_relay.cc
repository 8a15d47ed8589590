#include "gateway/event_relay.h"

#include <functional>

namespace tidegate::gateway {
namespace {

bool lies_in(std::string_view inner, std::string_view outer) {
  return inner.data() >= outer.data() && inner.data() + inner.size() <= outer.data() + outer.size();
}

}  // namespace

Result<void> EventRelay::feed(std::string_view piece, TimePoint now) {
  const auto on_event = [&](const http::SseScanner::Event& event) { take(event, piece, now); };
  return scanner_.feed(piece, std::cref(on_event));  // a reference fits in the function, the lambda would not
}

void EventRelay::take(const http::SseScanner::Event& event, std::string_view piece, TimePoint now) {
  using Verdict = dialect::UsageSse::Verdict;
  if (event.data.empty()) {
    put(event.raw, piece);
    return;
  }
  const Verdict verdict = look_.look(event.data);
  meter_.on_event(verdict, now);
  done_ = done_ || verdict.done;
  error_ = error_ || verdict.error;
  switch (verdict.action) {
    case dialect::UsageSse::Action::kDrop:
      return;
    case dialect::UsageSse::Action::kForward:
      break;
    case dialect::UsageSse::Action::kCut:
      if (!lies_in(event.data, event.raw)) break;  // data of several lines: no place to cut
      const auto data_at = static_cast<std::size_t>(event.data.data() - event.raw.data());
      put(event.raw.substr(0, data_at + verdict.cut.begin), piece);
      put(event.raw.substr(data_at + verdict.cut.end), piece);
      return;
  }
  put(event.raw, piece);
}

void EventRelay::put(std::string_view bytes, std::string_view piece) {
  if (bytes.empty()) return;
  if (!lies_in(bytes, piece)) {
    parts_.push_back({{}, kept_.size(), bytes.size()});
    kept_ += bytes;
    return;
  }
  // Neighbours become one, so that a piece without cuts goes on as it came.
  if (!parts_.empty() && !parts_.back().view.empty() &&
      parts_.back().view.data() + parts_.back().view.size() == bytes.data()) {
    parts_.back().view = {parts_.back().view.data(), parts_.back().view.size() + bytes.size()};
    return;
  }
  parts_.push_back({bytes, 0, 0});
}

void EventRelay::flush() {
  const std::string_view rest = scanner_.rest();
  if (rest.empty()) return;
  parts_.push_back({{}, kept_.size(), rest.size()});
  kept_ += rest;
}

const std::vector<std::string_view>& EventRelay::outgoing() {
  outgoing_.clear();
  for (const Part& part : parts_) {
    outgoing_.push_back(part.view.empty() ? std::string_view(kept_).substr(part.begin, part.size)
                                          : part.view);
  }
  return outgoing_;
}

void EventRelay::clear() {
  parts_.clear();
  kept_.clear();
}

}  // namespace tidegate::gateway

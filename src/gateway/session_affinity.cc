#include "gateway/session_affinity.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "http/write.h"

namespace tidegate::gateway {
namespace {

constexpr std::size_t kTokenBytesMax = 1024;

// The value of one cookie among those of all Cookie fields.
std::string_view cookie_of(const http::Head& head, std::string_view name) {
  for (const http::Header& header : head.headers) {
    if (!ascii::equals_ignoring_case(header.name, "cookie")) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      const std::string_view pair = ascii::trim(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
        return pair.substr(name.size() + 1);
    }
  }
  return {};
}

std::string_view token_of(const Walk& walk, const pick::Session& session) {
  const http::Head& head = walk.request.head;
  return session.by == pick::SessionBy::kCookie ? cookie_of(head, session.name)
                                                : head.find(session.name).value_or(std::string_view());
}

}  // namespace

SessionHome::SessionHome(Walk& walk) : walk_(walk) {
  const pick::Session& session = walk.live->picking.session;
  if (session.by == pick::SessionBy::kNothing) return;
  const std::string_view token = token_of(walk, session);
  if (token.empty() || token.size() > kTokenBytesMax) return;
  if (session.by == pick::SessionBy::kId) {
    walk.tools.prompts.ask_session(pick::hash_bytes(token, ~walk.live->prefix_seed));
    by_id_ = true;
  } else {
    name_ = base64::decode(token).value_or("");
  }
}

bool SessionHome::is(const fleet::Live& live) const {
  return by_id_ ? walk_.tools.prompts.session_at(live.prefix_id()) : !name_.empty() && live.name() == name_;
}

void SessionHome::sent_to(const fleet::Live& live) const {
  if (by_id_) walk_.tools.prompts.session_sent_to(live.prefix_id());
}

void append_session(std::string& head, const Walk& walk, const fleet::Live& live) {
  const pick::Session& session = walk.live->picking.session;
  if (session.by == pick::SessionBy::kNothing || session.by == pick::SessionBy::kId) return;
  const std::string token = base64::encode(live.name());
  if (session.by == pick::SessionBy::kToken) {
    http::append_field(head, session.name, token);
  } else if (token_of(walk, session) != token) {
    http::append_field(head, "set-cookie", session.name + "=" + token + "; Path=/; HttpOnly; SameSite=Lax");
  }
}

}  // namespace tidegate::gateway

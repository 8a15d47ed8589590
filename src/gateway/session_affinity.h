// Requests of one session meet on one endpoint: how a session is recognised in a request, where it is at
// home, and how its home is told to the client.
//
// A token is the endpoint's name in base64, carried in a header that answers have and clients send back, or
// in a cookie. It names a pod of the pool or nothing: a token that was made up chooses among endpoints the
// client could have got anyway. An id is the client's own word; where it was sent is kept in the prefix
// index, least recently used goes first.
//
// Thread: one worker's.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/walk.h"

namespace tidegate::gateway {

class SessionHome {
 public:
  // Reads the request. Costs nothing where the pool has no session affinity.
  explicit SessionHome(Walk& walk);

  bool any() const { return !name_.empty() || by_id_; }
  bool is(const fleet::Live& live) const;
  // The request goes there.
  void sent_to(const fleet::Live& live) const;

 private:
  Walk& walk_;
  std::string name_;  // of the endpoint, as the token says
  bool by_id_ = false;
};

// The header that tells the client its session's token, if the pool has one and the client does not have it.
void append_session(std::string& head, const Walk& walk, const fleet::Live& live);

}  // namespace tidegate::gateway

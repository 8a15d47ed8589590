// WebSocket messages, as a server reads and writes them.
//
// Thread: pure.
// Source: RFC 6455.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate::apiserver {

// Sec-WebSocket-Accept for a client's Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

enum class WebSocketKind { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

struct WebSocketMessage {
  WebSocketKind kind = WebSocketKind::kBinary;
  std::string payload;
};

// One whole, unmasked frame.
std::string websocket_frame(WebSocketKind kind, std::string_view payload);
std::string websocket_close(int code, std::string_view reason = {});

// Messages from what a client sends, put together again where they came in pieces.
class WebSocketReader {
 public:
  explicit WebSocketReader(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  void feed(std::string_view bytes) { in_.append(bytes); }
  // The next one that is whole. Errors: kInvalid, kTooLarge; nothing more can be read then.
  Result<std::optional<WebSocketMessage>> next();

 private:
  const std::size_t bytes_max_;
  std::string in_;
  WebSocketMessage partial_;
  bool continues_ = false;
};

}  // namespace tidegate::apiserver

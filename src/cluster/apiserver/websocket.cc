#include "cluster/apiserver/websocket.h"

#include <openssl/sha.h>

#include <array>
#include <cstdint>

#include "base/base64.h"

namespace tidegate::apiserver {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::uint8_t kFin = 0x80;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::size_t kControlMax = 125;

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

bool is_control(int opcode) { return opcode >= 8; }

}  // namespace

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + std::string(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64::encode(std::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

std::string websocket_frame(WebSocketKind kind, std::string_view payload) {
  std::string frame;
  frame += static_cast<char>(kFin | static_cast<int>(kind));
  const std::size_t size = payload.size();
  const int bytes = size <= kControlMax ? 0 : size <= 0xffff ? 2 : 8;
  frame += static_cast<char>(bytes == 0 ? size : bytes == 2 ? 126 : 127);
  for (int i = bytes - 1; i >= 0; --i) frame += static_cast<char>(size >> (8 * i) & 0xff);
  frame.append(payload);
  return frame;
}

std::string websocket_close(int code, std::string_view reason) {
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload.append(reason.substr(0, kControlMax - 2));
  return websocket_frame(WebSocketKind::kClose, payload);
}

Result<std::optional<WebSocketMessage>> WebSocketReader::next() {
  while (true) {
    if (in_.size() < 2) return std::optional<WebSocketMessage>();
    const auto first = static_cast<std::uint8_t>(in_[0]);
    const auto second = static_cast<std::uint8_t>(in_[1]);
    const int opcode = first & 0x0f;
    if ((first & 0x70) != 0) return fail(Code::kInvalid, "a WebSocket frame has reserved bits");
    if ((second & kMasked) == 0) return fail(Code::kInvalid, "a client's WebSocket frame is not masked");
    const std::size_t short_size = second & 0x7f;
    const std::size_t extra = short_size == 126 ? 2 : short_size == 127 ? 8 : 0;
    if (in_.size() < 2 + extra + 4) return std::optional<WebSocketMessage>();
    const std::uint64_t size = extra == 0 ? short_size : big_endian(std::string_view(in_).substr(2, extra));
    if (size > bytes_max_ || partial_.payload.size() + size > bytes_max_) {
      return fail(Code::kTooLarge,
                  "a WebSocket message has more than " + std::to_string(bytes_max_) + " bytes");
    }
    const bool final = (first & kFin) != 0;
    if (is_control(opcode) && (size > kControlMax || !final)) {
      return fail(Code::kInvalid, "a WebSocket control frame is too long");
    }
    const std::size_t begin = 2 + extra + 4;
    if (in_.size() < begin + size) return std::optional<WebSocketMessage>();
    std::string payload = in_.substr(begin, static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < payload.size(); ++i)
      payload[i] = static_cast<char>(payload[i] ^ in_[2 + extra + i % 4]);
    in_.erase(0, begin + static_cast<std::size_t>(size));
    if (is_control(opcode)) {
      if (opcode > 10) return fail(Code::kInvalid, "a WebSocket frame is of an unknown kind");
      return WebSocketMessage{static_cast<WebSocketKind>(opcode), std::move(payload)};
    }
    if (opcode > 2 || (opcode == 0) != continues_)
      return fail(Code::kInvalid, "a WebSocket frame is out of order");
    if (opcode != 0) partial_ = {static_cast<WebSocketKind>(opcode), {}};
    partial_.payload += payload;
    continues_ = !final;
    if (final) return std::exchange(partial_, {});
  }
}

}  // namespace tidegate::apiserver

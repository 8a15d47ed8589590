// What kubectl port-forward sends: WebSocket messages with SPDY frames in them, or the frames alone. No cut
// of the bytes changes what is read, and what is too large is refused.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cluster/apiserver/spdy.h"
#include "cluster/apiserver/websocket.h"

namespace {

using namespace tidegate::apiserver;

constexpr std::size_t kFrameMax = 4096;

struct Read {
  std::vector<std::string> told;
  bool failed = false;
  bool operator==(const Read&) const = default;
};

std::string shown(const SpdyFrame& frame) {
  std::string text = std::to_string(static_cast<int>(frame.kind)) + "/" + std::to_string(frame.stream) +
                     (frame.last ? "/last" : "");
  for (const auto& [name, value] : frame.fields) text += "/" + name + "=" + value;
  return text + "/" + frame.payload;
}

Read read_frames(const std::vector<std::string_view>& pieces) {
  Read read;
  SpdyReader reader(kFrameMax);
  for (const std::string_view piece : pieces) {
    reader.feed(piece);
    while (true) {
      const auto frame = reader.next();
      if (!frame) {
        read.failed = true;
        return read;
      }
      if (!*frame) break;
      TG_CHECK((*frame)->payload.size() <= kFrameMax);
      read.told.push_back(shown(**frame));
    }
  }
  return read;
}

Read read_messages(const std::vector<std::string_view>& pieces) {
  Read read;
  WebSocketReader reader(kFrameMax);
  for (const std::string_view piece : pieces) {
    reader.feed(piece);
    while (true) {
      const auto message = reader.next();
      if (!message) {
        read.failed = true;
        return read;
      }
      if (!*message) break;
      TG_CHECK((*message)->payload.size() <= kFrameMax);
      read.told.push_back((*message)->payload);
    }
  }
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Read frames = read_frames({bytes});
  const Read messages = read_messages({bytes});
  const std::size_t step = size / 32 + 1;
  for (std::size_t cut = size % step; cut <= size; cut += step) {
    const std::vector<std::string_view> pieces = {bytes.substr(0, cut), bytes.substr(cut)};
    TG_CHECK(read_frames(pieces) == frames);
    TG_CHECK(read_messages(pieces) == messages);
  }
  std::string joined;
  for (const std::string& payload : messages.told) joined += payload;
  read_frames({joined});
  return 0;
}

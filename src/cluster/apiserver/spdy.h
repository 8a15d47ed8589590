// SPDY/3.1 frames, as a server reads and writes them: what kubectl carries the connections of port-forward
// in.
//
//   SpdyReader reader(kFrameMax);
//   reader.feed(bytes);
//   while (auto frame = reader.next()) { if (!*frame) break; ... }
//
// Of the protocol, what port-forward needs: streams that the client opens, data, resets and pings. Windows
// are not kept, as Kubernetes' own client keeps none: whoever is slow slows the connection down.
//
// Thread: pure.
// Source: the SPDY Protocol, drafts 3 and 3.1.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate::apiserver {

enum class SpdyKind { kOpen, kData, kReset, kPing };

struct SpdyFrame {
  SpdyKind kind = SpdyKind::kData;
  std::uint32_t stream = 0;                     // of kPing: its number
  bool last = false;                            // nothing follows from the client on this stream
  std::map<std::string, std::string> fields{};  // of kOpen; names in lower case
  std::string payload{};                        // of kData
};

std::string spdy_data(std::uint32_t stream, std::string_view bytes, bool last = false);
std::string spdy_reset(std::uint32_t stream);  // refused
std::string spdy_ping(std::uint32_t number);

// Accepts a stream, without fields. Field blocks are one compressed stream per connection: the first says so.
std::string spdy_reply(std::uint32_t stream, bool first);

class SpdyReader {
 public:
  explicit SpdyReader(std::size_t frame_bytes_max);
  ~SpdyReader();
  SpdyReader(const SpdyReader&) = delete;
  SpdyReader& operator=(const SpdyReader&) = delete;

  void feed(std::string_view bytes);
  // The next frame that says something; others are passed over. Errors: kInvalid, kTooLarge; nothing more can
  // be read then.
  Result<std::optional<SpdyFrame>> next();

 private:
  struct Inflater;
  Result<std::optional<SpdyFrame>> control(std::string_view frame);
  Result<std::map<std::string, std::string>> fields(std::string_view block);

  const std::size_t frame_bytes_max_;
  std::string in_;
  std::size_t at_ = 0;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace tidegate::apiserver

// HTTP/1.1 messages into bytes: appended to a string that the caller owns and reuses, so steady traffic
// allocates nothing.
//
//   std::string out;
//   append_status_line(out, 200);
//   append_field(out, "Content-Type", "application/json");
//   append_field(out, "Content-Length", body.size());
//   append_field(out, "Date", date.text(clock.wall()));
//   end_head(out);
//   out += body;
//
// A byte that may not stand where it is put (CR, LF, NUL and other controls in a value) is written as '?', so
// no value can start a field or a message of its own.
//
// Source: RFC 9112 sections 3, 4, 5, 7.1; RFC 9110 section 5.6.7 (dates), 7.6.1 (Connection).
//
// Thread: pure functions; a DateText and a HopFields have one owner.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/head.h"

namespace tidegate::http {

// "OK" for 200; "Unknown" for a status without a registered phrase.
std::string_view reason_phrase(int status);

// "POST /v1/completions HTTP/1.1". Requires: method and target come from a parsed head or from
// split_target().
void append_request_line(std::string& out, std::string_view method, std::string_view target);

// "HTTP/1.1 200 OK"; the registered phrase unless another is given. Requires: 100 <= status <= 999.
void append_status_line(std::string& out, int status, std::string_view reason = {});

// "Name: value". Requires: name is a token.
void append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);

// The blank line.
inline void end_head(std::string& out) { out.append("\r\n", 2); }

// Chunked framing around bytes that are written elsewhere: the size line, the content, kChunkEnd; then
// kLastChunk once. A chunk of size 0 would end the message: requires size > 0.
struct ChunkLine {
  explicit ChunkLine(std::size_t size);
  std::string_view text() const { return {bytes_.data() + begin_, bytes_.size() - begin_}; }

 private:
  std::array<char, 18> bytes_;  // 16 hex digits, CR, LF
  std::size_t begin_;
};
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

void append_chunk(std::string& out, std::string_view content);  // all three; nothing for empty content

// "Sun, 06 Nov 1994 08:49:37 GMT", worked out once per second.
class DateText {
 public:
  std::string_view text(WallTime now);

 private:
  std::int64_t second_ = -1;
  std::array<char, 29> bytes_{};
};

// The fields that end at this hop: the fixed ones (Connection, Keep-Alive, Proxy-Connection,
// Proxy-Authenticate, Proxy-Authorization, TE, Trailer, Transfer-Encoding, Upgrade) and those that the
// message's Connection fields name. A proxy copies every other field. Content-Length is not among them;
// whoever frames the new message writes it anew.
//
// Views into the head: it must outlive this. The parser refuses a message whose Connection names more than
// kConnectionOptionsMax.
class HopFields {
 public:
  explicit HopFields(const Head& head);
  bool contains(const Header& header) const;

 private:
  struct Option {  // without a constructor, so that no memory is cleared for options that nobody names
    const char* data;
    std::size_t size;
  };
  std::array<Option, kConnectionOptionsMax> named_;
  std::size_t named_size_ = 0;
};

}  // namespace tidegate::http

// HTTP/1.1 messages out of bytes, in either direction. Owns no socket and no buffer.
//
// Heads are read line by line in the one form that has no second reading (h1_lines.h), at half of what
// llhttp's letter-by-letter machine costs; chunks are decoded by llhttp in strict mode. The fuzz entry h1
// holds every accepted head against llhttp's reading of it. What even a strict parser leaves open is closed:
// one Host in every request, no obs-fold, no bare CR or LF, no empty line before the start line, no white
// space before the colon, no Transfer-Encoding beside Content-Length or in HTTP/1.0, nothing but "chunked" as
// the last and only coding, equal repeated Content-Length refused too, no content with GET, HEAD, OPTIONS,
// TRACE or CONNECT, absolute-form only for the host that Host names, limits on every part. Being strict is
// what keeps a gateway from being tricked into seeing other requests than its endpoints do (RFC 9112
// section 11.2). h1_rules.h lists the rules.
//
//   Parser parser(Parser::kRequest, limits);
//   read bytes into a buffer ...; parser.head(buffer)  -> 0: need more; n: the head took n bytes,
//   parser.message() is it then parser.body(bytes) until `done`, starting with what followed the head;
//   parser.reset() for the next message
//
// Steady state allocates nothing: one Parser serves all messages of a connection.
//
// Thread: one owner. Views in message() point into the buffer given to head() and die with it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "http/head.h"

namespace tidegate::http {

struct HeadLimits {
  std::size_t head_bytes_max = 64 * 1024;  // start line and all fields
  std::size_t target_bytes_max = 16 * 1024;
  std::size_t headers_max = 128;
};

// The status that tells a client why its request was refused, for any Error of head() or body(): 400, 413,
// 414, 417, 431.
int refusal_status(const Error& error);

// Framing between two pieces of a chunked body: one size line with its extensions.
inline constexpr std::size_t kChunkLineBytesMax = 1024;
// The trailer section of a chunked body.
inline constexpr std::size_t kTrailerBytesMax = 8 * 1024;

class Parser {
 public:
  enum Kind { kRequest, kResponse };

  Parser(Kind kind, HeadLimits limits);
  ~Parser();
  Parser(Parser&&) noexcept;
  Parser& operator=(Parser&&) noexcept;

  // Ready for the next message. For responses, say whether the request was HEAD (then no body follows).
  void reset(bool response_to_head = false);

  // `buffer` holds every byte of the message so far; it may move and grow between calls. Returns the head's
  // size, or 0 if more bytes are needed. What can already be seen to be wrong is refused before the head is
  // complete.
  //
  // Errors: kInvalid (400) or kTooLarge (431, or 414 with field "target"). The field says what: "method",
  // "target", "version" (505 may be answered), "host", "header", "content-length", "transfer-encoding",
  // "connection", "expect" (417), "body", "content-type", "status". After an error only reset() may be
  // called.
  Result<std::size_t> head(std::string_view buffer);

  const Head& message() const;

  struct Body {
    std::size_t consumed;      // bytes of the input used, framing included
    std::string_view payload;  // content among them, a view into the input; may be empty
    bool done;                 // the message is complete
  };
  // Decodes the next piece of the body: at most one contiguous run of content per call. Requires: head() has
  // returned the head's size. Input beyond the message's end is left alone. Trailers are checked and dropped.
  // Errors: kInvalid.
  Result<Body> body(std::string_view input);

  // The connection ended. True if the message is complete, or if the end completes it (kUntilClose).
  bool finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::http

// What a Parser makes of a byte stream, as one text: for tests and fuzzing that compare a whole stream with
// its pieces.
//
// Thread: pure functions.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "http/h1.h"

namespace tidegate::http::testing {

struct Transcript {
  std::string messages;  // every complete head and body so far, one after the other
  bool refused = false;  // the stream broke a rule
  std::string field;     // of the error
  bool complete = true;  // the stream ended between messages

  bool operator==(const Transcript& other) const {
    // Which rule is noticed first may depend on the cut, that one is broken may not.
    return messages == other.messages && refused == other.refused && (refused || complete == other.complete);
  }
};

// Reads a pipelined stream that arrives in pieces. Bodies are joined, so their pieces do not show. A head
// that is refused leaves no mark in `messages`; a body that is refused leaves the head and no body.
inline Transcript read_stream(Parser::Kind kind, const std::vector<std::string_view>& pieces,
                              HeadLimits limits = {}) {
  Transcript result;
  Parser parser(kind, limits);
  std::string buffer;
  std::string body;
  bool in_body = false;
  const auto refuse = [&result](const Error& error) {
    result.refused = true;
    result.field = error.field;
    return result;
  };
  for (const std::string_view piece : pieces) {
    buffer.append(piece);
    for (bool more = true; more;) {
      if (!in_body) {
        if (buffer.empty()) break;
        // A fresh copy of exactly the bytes there are: reads past the end are seen by the sanitizer.
        const std::vector<char> exact(buffer.begin(), buffer.end());
        const auto size = parser.head({exact.data(), exact.size()});
        if (!size) return refuse(size.error());
        if (*size == 0) break;
        const Head& head = parser.message();
        result.messages.append(head.method).append(1, ' ').append(head.target).append(1, ' ');
        result.messages.append(std::to_string(head.status))
            .append(1, ' ')
            .append(head.reason)
            .append(1, '\n');
        result.messages.append("version 1." + std::to_string(head.minor_version));
        result.messages.append(head.keep_alive ? " keep" : " close");
        if (head.expect_continue) result.messages.append(" expects");
        result.messages.append(" framing " + std::to_string(static_cast<int>(head.framing)));
        result.messages.append(" length " + std::to_string(head.content_length) + "\n");
        for (const Header& header : head.headers) {
          result.messages.append(1, '[').append(header.name).append("|").append(header.value).append("]\n");
        }
        buffer.erase(0, *size);
        in_body = true;
      }
      const std::vector<char> exact(buffer.begin(), buffer.end());
      const auto read = parser.body({exact.data(), exact.size()});
      if (!read) return refuse(read.error());
      body.append(read->payload);
      buffer.erase(0, read->consumed);
      if (read->done) {
        result.messages.append("body " + body + "\n");
        body.clear();
        in_body = false;
        parser.reset();
      } else {
        more = read->consumed > 0;
      }
    }
  }
  result.complete = !in_body && buffer.empty();
  if (in_body && parser.finish()) {
    result.messages.append("body until close " + body + "\n");
    result.complete = true;
  }
  return result;
}

}  // namespace tidegate::http::testing

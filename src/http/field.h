// The header fields that somebody here acts on, as numbers: a name is compared once, when its message is
// parsed, and from then on a switch decides.
//
// Thread: pure.

#pragma once

#include <cstdint>
#include <string_view>

#include "base/ascii.h"

namespace tidegate::http {

enum class Field : std::uint8_t {
  kOther,
  kConnection,
  kContentLength,
  kContentType,
  kDate,
  kExpect,
  kHost,
  kKeepAlive,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTraceparent,
  kTracestate,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kXForwardedFor,
  kXForwardedProto,
  kXRequestId,
};

// Of a name in any case; kOther for all that are not above.
inline Field field_of(std::string_view name) {
  const auto is = [name](std::string_view wanted) { return ascii::equals_ignoring_case(name, wanted); };
  switch (name.size()) {
    case 2:
      return is("te") ? Field::kTe : Field::kOther;
    case 4:
      return is("host") ? Field::kHost : is("date") ? Field::kDate : Field::kOther;
    case 6:
      return is("expect") ? Field::kExpect : Field::kOther;
    case 7:
      return is("upgrade") ? Field::kUpgrade : is("trailer") ? Field::kTrailer : Field::kOther;
    case 10:
      switch (ascii::lower(name.front())) {
        case 'c':
          return is("connection") ? Field::kConnection : Field::kOther;
        case 'k':
          return is("keep-alive") ? Field::kKeepAlive : Field::kOther;
        case 't':
          return is("tracestate") ? Field::kTracestate : Field::kOther;
        case 'u':
          return is("user-agent") ? Field::kUserAgent : Field::kOther;
        default:
          return Field::kOther;
      }
    case 11:
      return is("traceparent") ? Field::kTraceparent : Field::kOther;
    case 12:
      return is("content-type")   ? Field::kContentType
             : is("x-request-id") ? Field::kXRequestId
                                  : Field::kOther;
    case 14:
      return is("content-length") ? Field::kContentLength : Field::kOther;
    case 15:
      return is("x-forwarded-for") ? Field::kXForwardedFor : Field::kOther;
    case 16:
      return is("proxy-connection") ? Field::kProxyConnection : Field::kOther;
    case 17:
      return is("transfer-encoding")   ? Field::kTransferEncoding
             : is("x-forwarded-proto") ? Field::kXForwardedProto
                                       : Field::kOther;
    case 18:
      return is("proxy-authenticate") ? Field::kProxyAuthenticate : Field::kOther;
    case 19:
      return is("proxy-authorization") ? Field::kProxyAuthorization : Field::kOther;
    default:
      return Field::kOther;
  }
}

}  // namespace tidegate::http

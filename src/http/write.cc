#include "http/write.h"

#include <charconv>
#include <ctime>

#include "base/ascii.h"
#include "base/check.h"
#include "http/grammar.h"

namespace tidegate::http {
namespace {

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

void append_value(std::string& out, std::string_view value) {
  const std::size_t start = out.size();
  out.append(value);
  if (is_field_value(value)) [[likely]]
    return;
  for (std::size_t i = start; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) out[i] = '?';
  }
}

bool is_fixed_hop_field(Field field) {
  switch (field) {
    case Field::kConnection:
    case Field::kKeepAlive:
    case Field::kProxyAuthenticate:
    case Field::kProxyAuthorization:
    case Field::kProxyConnection:
    case Field::kTe:
    case Field::kTrailer:
    case Field::kTransferEncoding:
    case Field::kUpgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    case 508:
      return "Loop Detected";
    case 511:
      return "Network Authentication Required";
    default:
      return "Unknown";
  }
}

void append_request_line(std::string& out, std::string_view method, std::string_view target) {
  out.append(method).append(1, ' ').append(target).append(" HTTP/1.1\r\n");
}

void append_status_line(std::string& out, int status, std::string_view reason) {
  TG_CHECK(status >= 100 && status <= 999);
  if (status == 200 && (reason.empty() || reason == "OK")) {
    out.append("HTTP/1.1 200 OK\r\n");
    return;
  }
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(status));
  out.push_back(' ');
  append_value(out, reason.empty() ? reason_phrase(status) : reason);
  out.append("\r\n", 2);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ", 2);
  append_value(out, value);
  out.append("\r\n", 2);
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(name).append(": ", 2);
  append_number(out, value);
  out.append("\r\n", 2);
}

ChunkLine::ChunkLine(std::size_t size) : begin_(std::tuple_size_v<decltype(bytes_)> - 2) {
  TG_CHECK(size > 0);
  constexpr std::string_view kHex = "0123456789abcdef";
  bytes_[16] = '\r';
  bytes_[17] = '\n';
  for (std::size_t rest = size; rest != 0; rest >>= 4) bytes_[--begin_] = kHex[rest & 15];
}

void append_chunk(std::string& out, std::string_view content) {
  if (content.empty()) return;
  out.append(ChunkLine(content.size()).text()).append(content).append(kChunkEnd);
}

std::string_view DateText::text(WallTime now) {
  const std::int64_t second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (second != second_) {
    second_ = second;
    static constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
    static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::time_t time = second;
    std::tm tm{};
    gmtime_r(&time, &tm);
    const auto put = [this](std::size_t at, std::string_view text) { text.copy(&bytes_[at], text.size()); };
    const auto put_number = [this](std::size_t at, std::size_t width, int value) {
      for (std::size_t i = width; i-- > 0; value /= 10) bytes_[at + i] = static_cast<char>('0' + value % 10);
    };
    put(0, "Ddd, dd Mmm yyyy hh:mm:ss GMT");
    put(0, kDays.substr(static_cast<std::size_t>(tm.tm_wday) * 3, 3));
    put_number(5, 2, tm.tm_mday);
    put(8, kMonths.substr(static_cast<std::size_t>(tm.tm_mon) * 3, 3));
    put_number(12, 4, tm.tm_year + 1900);
    put_number(17, 2, tm.tm_hour);
    put_number(20, 2, tm.tm_min);
    put_number(23, 2, tm.tm_sec);
  }
  return {bytes_.data(), bytes_.size()};
}

HopFields::HopFields(const Head& head) {
  for (const Header& header : head.headers) {
    if (header.field != Field::kConnection) continue;
    for_each_in_list(header.value, [this](std::string_view option) {
      if (named_size_ < named_.size()) named_[named_size_++] = {option.data(), option.size()};
    });
  }
}

bool HopFields::contains(const Header& header) const {
  if (is_fixed_hop_field(header.field)) return true;
  for (std::size_t i = 0; i < named_size_; ++i) {
    if (ascii::equals_ignoring_case({named_[i].data, named_[i].size}, header.name)) return true;
  }
  return false;
}

}  // namespace tidegate::http

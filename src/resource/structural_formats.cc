#include "resource/structural_formats.h"

#include <arpa/inet.h>
#include <re2/re2.h>

#include <charconv>

namespace tidegate::resource {
namespace {

bool is_address(int family, const std::string& text) {
  unsigned char bytes[16];
  return inet_pton(family, text.c_str(), bytes) == 1 && text.find('\0') == std::string::npos;
}

bool is_cidr(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return false;
  const std::string address = text.substr(0, slash);
  const bool four = is_address(AF_INET, address);
  if (!four && !is_address(AF_INET6, address)) return false;
  int bits = -1;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + slash + 1, end, bits);
  return read.ec == std::errc() && read.ptr == end && bits >= 0 && bits <= (four ? 32 : 128);
}

bool matches(const re2::RE2& expression, const std::string& text) { return re2::RE2::FullMatch(text, expression); }

}  // namespace

bool has_format(std::string_view format, const std::string& text) {
  static const re2::RE2 kDate(R"(\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))");
  static const re2::RE2 kDateTime(
      R"((?i)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])t([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]\d\d:\d\d))");
  static const re2::RE2 kUuid(R"((?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})");
  static const re2::RE2 kByte(R"(([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)");
  static const re2::RE2 kDuration(R"(-?\s*\d+(\.\d+)?\s*[a-zA-Zµ]+(\s*\d+(\.\d+)?\s*[a-zA-Zµ]+)*)");
  if (format == "date") return matches(kDate, text);
  if (format == "date-time") return matches(kDateTime, text);
  if (format == "uuid") return matches(kUuid, text);
  if (format == "byte") return matches(kByte, text);
  if (format == "duration") return matches(kDuration, text);
  if (format == "ipv4") return is_address(AF_INET, text);
  if (format == "ipv6") return is_address(AF_INET6, text);
  if (format == "cidr") return is_cidr(text);
  return true;
}

}  // namespace tidegate::resource

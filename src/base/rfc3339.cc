#include "base/rfc3339.h"

#include <ctime>
#include <string>

namespace tidegate {

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const std::string copy(text);
  std::tm fields{};
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &fields);
  if (rest == nullptr) return std::nullopt;
  Duration fraction{0};
  if (*rest == '.') {
    std::int64_t nanos = 0;
    std::int64_t unit = 100'000'000;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, unit /= 10) nanos += (*rest - '0') * unit;
    fraction = Duration(nanos);
  }
  if (std::string_view(rest) != "Z") return std::nullopt;
  return WallTime(std::chrono::seconds(timegm(&fields))) + fraction;
}

}  // namespace tidegate

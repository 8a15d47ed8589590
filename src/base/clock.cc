#include "base/clock.h"

#include <cstdio>
#include <ctime>

namespace tidegate {
namespace {

std::tm utc(WallTime time) {
  const std::time_t seconds_since_epoch =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds_since_epoch, &parts);
  return parts;
}

}  // namespace

std::string rfc3339(WallTime time) {
  const std::tm parts = utc(time);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::string rfc3339_ms(WallTime time) {
  const std::tm parts = utc(time);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count() % 1000;
  return std::string(text, size + std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(ms)));
}

}  // namespace tidegate

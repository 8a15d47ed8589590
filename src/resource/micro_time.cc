#include "resource/micro_time.h"

#include <cstdio>

namespace tidegate::resource {

std::string micro_time(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time - second).count();
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%06dZ", static_cast<int>(micros));
  std::string text = rfc3339(time);
  text.pop_back();
  return text + fraction;
}

}  // namespace tidegate::resource

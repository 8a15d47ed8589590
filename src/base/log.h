// One log line: time, level, room, a constant message, then key=value pairs.
//
//   log::info("machine", "pod started", {{"pod", name}, {"pid", pid}});
//
// Error means that a human must act. Client mistakes are counted, not logged. Prompts, keys and tokens never appear.
// Lines go to standard error. Thread: any.

#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tidegate::log {

enum class Level { kDebug, kInfo, kWarning, kError };

class Value {
 public:
  Value(std::string_view text) : text_(text) {}      // NOLINT: a value is what it is made from
  Value(const std::string& text) : text_(text) {}    // NOLINT
  Value(const char* text) : text_(text) {}           // NOLINT
  Value(bool flag) : text_(flag ? "true" : "false") {}  // NOLINT
  template <std::integral T>
  Value(T number) : text_(std::to_string(number)) {}  // NOLINT
  Value(double number);                               // NOLINT
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct Pair {
  std::string_view key;
  Value value;
};

void set_level(Level level);
Level level();
void write(Level level, std::string_view room, std::string_view message, std::initializer_list<Pair> pairs);

inline void debug(std::string_view room, std::string_view message, std::initializer_list<Pair> pairs = {}) {
  if (level() <= Level::kDebug) write(Level::kDebug, room, message, pairs);
}
inline void info(std::string_view room, std::string_view message, std::initializer_list<Pair> pairs = {}) {
  if (level() <= Level::kInfo) write(Level::kInfo, room, message, pairs);
}
inline void warning(std::string_view room, std::string_view message, std::initializer_list<Pair> pairs = {}) {
  if (level() <= Level::kWarning) write(Level::kWarning, room, message, pairs);
}
inline void error(std::string_view room, std::string_view message, std::initializer_list<Pair> pairs = {}) {
  write(Level::kError, room, message, pairs);
}

}  // namespace tidegate::log

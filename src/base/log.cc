#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace tidegate::log {
namespace {

std::atomic<Level> current_level{Level::kInfo};

spdlog::logger& logger() {
  // Never destroyed: threads may still log while the process exits.
  static auto* const instance = [] {
    auto* made = new spdlog::logger("tidegate", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum translate(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

bool plain(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == 0x7f) return false;
  }
  return !text.empty();
}

// A value with spaces or control characters is quoted and escaped, so that one line stays one line.
void append_value(std::string& line, std::string_view text) {
  if (plain(text)) {
    line += text;
    return;
  }
  line += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') line += '\\';
    if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < ' ') {
      line += '?';
    } else {
      line += c;
    }
  }
  line += '"';
}

}  // namespace

Value::Value(double number) : text_(fmt::format("{:.6g}", number)) {}

void set_level(Level level) { current_level = level; }
Level level() { return current_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view room, std::string_view message, std::initializer_list<Pair> pairs) {
  std::string line;
  line.reserve(160);
  line += '[';
  line += room;
  line += "] ";
  line += message;
  for (const Pair& pair : pairs) {
    line += ' ';
    line += pair.key;
    line += '=';
    append_value(line, pair.value.text());
  }
  logger().log(translate(level), "{}", line);
}

}  // namespace tidegate::log

// A container's output on disk, in the format that kubelets write and log tools read:
//
//   2026-11-21T21:40:18.123456789Z stdout F one line
//
// Lines longer than kLineMax are split and marked P (partial) instead of F (full). A file that has grown to
// the limit is renamed to "<n>.log.1" (older ones move up, the oldest goes) and a new one begins.
//
// Thread: one owner.

#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace tidegate::machine {

// A time as these files have it: "2026-11-21T21:40:18.123456789Z". Sorts as text.
std::string log_time(WallTime time);

struct LogLimits {
  std::uint64_t file_bytes_max = 10 * 1024 * 1024;
  int files_max = 5;  // the live one included
};

class LogFile {
 public:
  static constexpr std::size_t kLineMax = 16 * 1024;

  // Appends to `path`. A disk that takes no more loses lines, counted by lost_bytes(); the container goes on.
  LogFile(std::filesystem::path path, LogLimits limits);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  enum class Stream { kOut, kErr };
  void write(Stream stream, std::string_view bytes, WallTime now);
  // Ends an unfinished last line.
  void finish(WallTime now);

  std::uint64_t lost_bytes() const { return lost_bytes_; }
  // The end of what was written, for the message of a crash.
  const std::string& tail() const { return tail_; }

 private:
  void write_line(Stream stream, std::string_view line, bool full, WallTime now);
  void open();
  void rotate();

  std::filesystem::path path_;
  LogLimits limits_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t lost_bytes_ = 0;
  std::string pending_[2];
  std::string tail_;
};

}  // namespace tidegate::machine

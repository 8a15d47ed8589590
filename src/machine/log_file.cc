#include "machine/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <system_error>

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTailMax = 2048;

fs::path numbered(const fs::path& path, int number) { return path.string() + "." + std::to_string(number); }

}  // namespace

std::string log_time(WallTime time) {
  const auto since_epoch = time.time_since_epoch();
  const auto whole = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t seconds = whole.count();
  std::tm fields{};
  gmtime_r(&seconds, &fields);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &fields);
  std::string nanos = std::to_string((since_epoch - whole).count());
  return std::string(text, size) + std::string(9 - nanos.size(), '0') + nanos + "Z";
}

LogFile::LogFile(fs::path path, LogLimits limits) : path_(std::move(path)), limits_(limits) { open(); }

LogFile::~LogFile() {
  if (fd_ >= 0) close(fd_);
}

void LogFile::open() {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  struct stat info {};
  size_ = fd_ >= 0 && fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void LogFile::rotate() {
  if (fd_ >= 0) close(fd_);
  std::error_code ignored;
  fs::remove(numbered(path_, limits_.files_max - 1), ignored);
  for (int number = limits_.files_max - 2; number >= 1; --number) {
    fs::rename(numbered(path_, number), numbered(path_, number + 1), ignored);
  }
  if (limits_.files_max > 1) {
    fs::rename(path_, numbered(path_, 1), ignored);
  } else {
    fs::remove(path_, ignored);
  }
  open();
}

void LogFile::write(Stream stream, std::string_view bytes, WallTime now) {
  std::string& pending = pending_[static_cast<int>(stream)];
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    pending.append(bytes.substr(0, end));
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    while (pending.size() > kLineMax) {
      write_line(stream, std::string_view(pending).substr(0, kLineMax), false, now);
      pending.erase(0, kLineMax);
    }
    if (end != std::string_view::npos) {
      write_line(stream, pending, true, now);
      pending.clear();
    }
  }
}

void LogFile::finish(WallTime now) {
  for (const Stream stream : {Stream::kOut, Stream::kErr}) {
    std::string& pending = pending_[static_cast<int>(stream)];
    if (!pending.empty()) write_line(stream, pending, true, now);
    pending.clear();
  }
}

void LogFile::write_line(Stream stream, std::string_view line, bool full, WallTime now) {
  std::string text = log_time(now);
  text += stream == Stream::kOut ? " stdout " : " stderr ";
  text += full ? "F " : "P ";
  text += line;
  text += '\n';
  tail_.append(line).append(full ? "\n" : "");
  if (tail_.size() > kTailMax) tail_.erase(0, tail_.size() - kTailMax);
  if (size_ + text.size() > limits_.file_bytes_max && size_ > 0) rotate();
  const ssize_t written = fd_ >= 0 ? ::write(fd_, text.data(), text.size()) : -1;
  if (written > 0) size_ += static_cast<std::uint64_t>(written);
  lost_bytes_ += text.size() - static_cast<std::size_t>(written > 0 ? written : 0);
}

}  // namespace tidegate::machine

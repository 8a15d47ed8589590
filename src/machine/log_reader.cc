#include "machine/log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "machine/log_file.h"
#include "machine/sweep.h"
#include "resource/fields.h"

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;
using cluster::LogOptions;
using cluster::LogPart;
using resource::Json;

constexpr std::size_t kPartBytes = 64 * 1024;
constexpr std::size_t kBlock = 16 * 1024;
constexpr int kRotatedMax = 64;
constexpr const char* kDefaultContainer = "kubectl.kubernetes.io/default-container";

class File {
 public:
  explicit File(const fs::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  bool open() const { return fd_ >= 0; }
  std::uint64_t size() const {
    struct stat info {};
    return fd_ >= 0 && fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  }
  // Whether `path` still is this file.
  bool is(const fs::path& path) const {
    struct stat mine {};
    struct stat there {};
    return fd_ >= 0 && fstat(fd_, &mine) == 0 && stat(path.c_str(), &there) == 0 &&
           mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
  }
  std::string read(std::uint64_t at, std::size_t most) const {
    std::string bytes(most, '\0');
    const ssize_t got = fd_ < 0 ? -1 : pread(fd_, bytes.data(), most, static_cast<off_t>(at));
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
  }

 private:
  int fd_;
};

// Rotated files first, the live one last.
std::vector<File> open_files(const fs::path& live) {
  std::vector<File> files;
  std::error_code error;
  int oldest = 0;
  while (oldest < kRotatedMax && fs::exists(live.string() + "." + std::to_string(oldest + 1), error))
    ++oldest;
  for (int number = oldest; number >= 1; --number) {
    File file(live.string() + "." + std::to_string(number));
    if (file.open()) files.push_back(std::move(file));
  }
  files.emplace_back(live);
  return files;
}

struct Position {
  std::size_t file;
  std::uint64_t offset;
};

// Where the last `lines` lines begin.
Position tail_position(const std::vector<File>& files, std::int64_t lines) {
  if (lines <= 0) return {files.size() - 1, files.back().size()};
  std::int64_t left = lines;
  for (std::size_t i = files.size(); i-- > 0;) {
    std::uint64_t end = files[i].size();
    bool last_byte = true;  // the newline that ends the last line begins no other
    while (end > 0) {
      const std::uint64_t begin = end > kBlock ? end - kBlock : 0;
      const std::string block = files[i].read(begin, static_cast<std::size_t>(end - begin));
      for (std::size_t at = block.size(); at-- > 0;) {
        if (block[at] == '\n' && !std::exchange(last_byte, false) && --left == 0) return {i, begin + at + 1};
        last_byte = false;
      }
      end = begin;
    }
    if (files[i].size() > 0 && --left == 0) return {i, 0};
  }
  return {0, 0};
}

class Reader {
 public:
  Reader(fs::path folder, std::int64_t run, const LogOptions& options)
      : folder_(std::move(folder)), run_(run), options_(options), files_(open_files(live())) {
    since_ = options_.since ? log_time(*options_.since) : std::string();
    left_ = options_.limit_bytes.value_or(UINT64_MAX);
    const Position start = options_.tail_lines ? tail_position(files_, *options_.tail_lines) : Position{0, 0};
    at_ = start.offset;
    files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(start.file));
  }

  bool exists() const { return files_.back().open(); }

  LogPart next() {
    LogPart part;
    while (part.text.size() < kPartBytes && left_ > 0) {
      // Asked before reading: what was written before the end of the run is read after this.
      const bool over = !options_.follow || run_is_over();
      const std::string block = files_.front().read(at_, kBlock);
      at_ += block.size();
      pending_ += block;
      take_lines(part.text);
      if (!block.empty()) continue;
      if (to_next_file()) continue;
      part.ended = over;
      return part;
    }
    part.ended = left_ == 0;
    return part;
  }

 private:
  fs::path live() const { return folder_ / (std::to_string(run_) + ".log"); }

  bool run_is_over() const {
    std::error_code error;
    return !has_pid_file(folder_) || fs::exists(folder_ / (std::to_string(run_ + 1) + ".log"), error);
  }

  // The rest of the older files, then whatever replaced the live one.
  bool to_next_file() {
    if (files_.size() == 1) {
      if (!options_.follow || files_.front().is(live())) return false;
      File fresh(live());
      if (!fresh.open()) return false;
      files_.push_back(std::move(fresh));
    }
    files_.erase(files_.begin());
    at_ = 0;
    return true;
  }

  void take_lines(std::string& text) {
    std::size_t begin = 0;
    for (std::size_t end = pending_.find('\n'); end != std::string::npos && left_ > 0;
         end = pending_.find('\n', begin)) {
      if (const auto line = read_log_line(std::string_view(pending_).substr(begin, end - begin)))
        add(*line, text);
      begin = end + 1;
    }
    pending_.erase(0, begin);
  }

  void add(const LogLine& line, std::string& text) {
    if (!since_.empty() && line.time < since_) return;
    std::string piece;
    if (options_.timestamps && !inside_line_) piece.append(line.time).append(" ");
    piece.append(line.text);
    if (line.full) piece += '\n';
    inside_line_ = !line.full;
    if (piece.size() > left_) piece.resize(static_cast<std::size_t>(left_));
    left_ -= piece.size();
    text += piece;
  }

  fs::path folder_;
  std::int64_t run_;
  LogOptions options_;
  std::string since_;
  std::vector<File> files_;  // the one being read first
  std::uint64_t at_ = 0;
  std::uint64_t left_ = 0;
  std::string pending_;  // the beginning of a line
  bool inside_line_ = false;
};

std::string names_of(const resource::Object& pod, const char* list) {
  std::string names;
  const Json* containers = resource::find_array(pod.json(), list);
  if (containers == nullptr) return names;
  for (const Json& container : *containers)
    names += (names.empty() ? "" : " ") + resource::text(container, "name");
  return names;
}

const Json* named(const resource::Object& pod, const char* list, const std::string& name) {
  const Json* entries = resource::find_array(pod.json(), list);
  if (entries == nullptr) return nullptr;
  const auto found = std::find_if(entries->begin(), entries->end(),
                                  [&](const Json& entry) { return resource::text(entry, "name") == name; });
  return found == entries->end() ? nullptr : &*found;
}

Result<std::string> which_container(const resource::Object& pod, const std::string& asked) {
  if (!asked.empty()) {
    if (named(pod, "spec.containers", asked) != nullptr ||
        named(pod, "spec.initContainers", asked) != nullptr)
      return asked;
    return fail(Code::kInvalid, "container " + asked + " is not valid for pod " + pod.name());
  }
  const auto& annotations = pod.metadata().annotations;
  if (const auto chosen = annotations.find(kDefaultContainer);
      chosen != annotations.end() && named(pod, "spec.containers", chosen->second) != nullptr) {
    return chosen->second;
  }
  const std::string names = names_of(pod, "spec.containers");
  if (names.find(' ') == std::string::npos) return names;
  const std::string init = names_of(pod, "spec.initContainers");
  return fail(Code::kInvalid, "a container name must be specified for pod " + pod.name() +
                                  ", choose one of: [" + names + "]" +
                                  (init.empty() ? "" : " or one of the init containers: [" + init + "]"));
}

}  // namespace

std::optional<LogLine> read_log_line(std::string_view line) {
  const std::size_t time = line.find(' ');
  const std::size_t stream = time == std::string_view::npos ? time : line.find(' ', time + 1);
  const std::size_t tag = stream == std::string_view::npos ? stream : line.find(' ', stream + 1);
  if (tag == std::string_view::npos || tag != stream + 2) return std::nullopt;
  return LogLine{line.substr(0, time), line.substr(tag + 1), line[stream + 1] != 'P'};
}

Result<LogChoice> choose_log(const resource::Object& pod, const LogOptions& options) {
  const auto name = which_container(pod, options.container);
  if (!name) return tl::unexpected(name.error());
  const Json* status = named(pod, "status.containerStatuses", *name);
  if (status == nullptr) status = named(pod, "status.initContainerStatuses", *name);
  const std::int64_t restarts = status == nullptr ? 0 : resource::number(*status, "restartCount");
  const bool runs = status != nullptr && (resource::find(*status, "state.running") != nullptr ||
                                          resource::find(*status, "state.terminated") != nullptr);
  const bool ran = status != nullptr && resource::find(*status, "lastState.terminated") != nullptr;
  const std::string what = "container \"" + *name + "\" in pod \"" + pod.name() + "\"";
  if (options.previous) {
    if (!ran) return fail(Code::kInvalid, "previous terminated " + what + " not found");
    return LogChoice{*name, runs ? restarts - 1 : restarts};
  }
  // Between two runs, the last one's log is what people want to see.
  if (runs || ran) return LogChoice{*name, restarts};
  const std::string reason =
      status == nullptr ? std::string() : resource::text(*status, "state.waiting.reason");
  return fail(Code::kInvalid,
              what + " is waiting to start: " + (reason.empty() ? "ContainerCreating" : reason));
}

Result<cluster::LogReader> open_log(const fs::path& folder, std::int64_t run, const LogOptions& options) {
  const auto reader = std::make_shared<Reader>(folder, run, options);
  if (!reader->exists())
    return fail(Code::kNotFound, "the log of this container's run is not there any more");
  return cluster::LogReader([reader] { return reader->next(); });
}

}  // namespace tidegate::machine

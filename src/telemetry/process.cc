#include "telemetry/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace tidegate::telemetry {
namespace {

template <typename T>
bool read_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string read_file(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

// Seconds since 1970 at which the machine started; 0 if unknown.
double boot_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  double value = 0;
  while (file >> word) {
    if (word == "btime") {
      file >> value;
      return value;
    }
  }
  return 0;
}

std::uint64_t open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::uint64_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count > 3 ? count - 3 : 0;  // ".", ".." and the descriptor of this very folder
}

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text, double ticks_per_second,
                                              std::uint64_t page_bytes) {
  const std::size_t command_end = text.rfind(')');
  if (command_end == std::string_view::npos) return {};
  std::vector<std::string_view> fields;  // fields[0] is the state, the third field of proc(5)
  std::string_view rest = text.substr(command_end + 1);
  while (!rest.empty()) {
    const std::size_t start = rest.find_first_not_of(" \n");
    if (start == std::string_view::npos) break;
    const std::size_t end = rest.find_first_of(" \n", start);
    fields.push_back(rest.substr(start, end == std::string_view::npos ? end : end - start));
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
  }
  const auto field = [&](std::size_t number) { return fields[number - 3]; };  // as proc(5) numbers them
  if (fields.size() < 22) return {};
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t pages = 0;
  ProcessStat stat;
  if (!read_number(field(14), user_ticks) || !read_number(field(15), system_ticks) ||
      !read_number(field(20), stat.threads) || !read_number(field(22), start_ticks) ||
      !read_number(field(23), stat.virtual_bytes) || !read_number(field(24), pages)) {
    return {};
  }
  stat.cpu_seconds = static_cast<double>(user_ticks + system_ticks) / ticks_per_second;
  stat.start_seconds_after_boot = static_cast<double>(start_ticks) / ticks_per_second;
  stat.resident_bytes = pages * page_bytes;
  return stat;
}

void write_process_metrics(ExpositionWriter& writer) {
  const auto stat =
      parse_process_stat(read_file("/proc/self/stat"), static_cast<double>(::sysconf(_SC_CLK_TCK)),
                         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  if (stat) {
    writer.family(Kind::kCounter, "process_cpu_seconds_total", "Processor time used, user and system.");
    writer.sample({}, stat->cpu_seconds);
    writer.family(Kind::kGauge, "process_resident_memory_bytes", "Memory resident, in bytes.");
    writer.sample({}, stat->resident_bytes);
    writer.family(Kind::kGauge, "process_virtual_memory_bytes", "Memory mapped, in bytes.");
    writer.sample({}, stat->virtual_bytes);
    if (const double boot = boot_seconds(); boot > 0) {
      writer.family(Kind::kGauge, "process_start_time_seconds", "When the process started, in Unix time.");
      writer.sample({}, boot + stat->start_seconds_after_boot);
    }
  }
  if (const std::uint64_t open = open_descriptors(); open > 0) {
    writer.family(Kind::kGauge, "process_open_fds", "File descriptors open.");
    writer.sample({}, open);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    writer.family(Kind::kGauge, "process_max_fds", "File descriptors that may be open at once.");
    writer.sample({}, static_cast<double>(limit.rlim_cur));
  }
}

void add_process_metrics(Registry& registry) { registry.add_collector(write_process_metrics); }

}  // namespace tidegate::telemetry

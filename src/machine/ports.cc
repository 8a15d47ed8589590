#include "machine/ports.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace tidegate::machine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kListening = "0A";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<WildcardSocket> wildcard_sockets() {
  auto all = wildcard_sockets_in(read_file("/proc/net/tcp"));
  const auto six = wildcard_sockets_in(read_file("/proc/net/tcp6"));
  all.insert(all.end(), six.begin(), six.end());
  return all;
}

std::optional<pid_t> pid_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return pid;
}

bool holds_socket(pid_t pid, std::uint64_t inode) {
  const std::string wanted = "socket:[" + std::to_string(inode) + "]";
  std::error_code error;
  for (fs::directory_iterator fd("/proc/" + std::to_string(pid) + "/fd", error), end; !error && fd != end;
       fd.increment(error)) {
    std::error_code unreadable;
    if (fs::read_symlink(fd->path(), unreadable).string() == wanted) return true;
  }
  return false;
}

std::string holder_of(std::uint64_t inode) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto pid = pid_of(entry.path());
    if (!pid || !holds_socket(*pid, inode)) continue;
    std::string name = read_file(entry.path() / "comm");
    if (!name.empty() && name.back() == '\n') name.pop_back();
    return name + " (pid " + std::to_string(*pid) + ")";
  }
  return "a process of another user";
}

}  // namespace

std::vector<WildcardSocket> wildcard_sockets_in(std::string_view table) {
  std::vector<WildcardSocket> found;
  std::istringstream lines{std::string(table)};
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string slot;
    std::string local;
    std::string remote;
    std::string state;
    std::string skipped;
    WildcardSocket socket;
    fields >> slot >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) fields >> skipped;
    if (!(fields >> socket.inode) || state != kListening) continue;
    const std::size_t colon = local.find(':');
    if (colon == std::string::npos || local.find_first_not_of('0') != colon) continue;
    const char* digits = local.data() + colon + 1;
    std::from_chars(digits, local.data() + local.size(), socket.port, 16);
    found.push_back(socket);
  }
  return found;
}

std::optional<std::string> port_conflict(const std::string& ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1) return "'" + ip + "' is no IPv4 address";
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound =
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(fd, 1) == 0;
  const int error = errno;
  close(fd);
  if (bound) return std::nullopt;
  const std::string at = ip + ":" + std::to_string(port);
  if (error != EADDRINUSE) return at + " cannot be listened on: " + std::strerror(error);
  for (const WildcardSocket& socket : wildcard_sockets()) {
    if (socket.port != port) continue;
    return at + " is taken: " + holder_of(socket.inode) + " listens on every address at port " +
           std::to_string(port) + "; stop it or make it listen on one address";
  }
  return at + " is taken by another program";
}

std::vector<std::uint16_t> wildcard_ports_of_group(pid_t group) {
  std::vector<std::uint16_t> ports;
  const auto sockets = wildcard_sockets();
  if (sockets.empty()) return ports;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto pid = pid_of(entry.path());
    if (!pid || getpgid(*pid) != group) continue;
    for (const WildcardSocket& socket : sockets) {
      if (holds_socket(*pid, socket.inode)) ports.push_back(socket.port);
    }
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

}  // namespace tidegate::machine

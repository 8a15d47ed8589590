// Who listens where on this machine. Pods here share one network, so a program that listens on every address
// takes the port away from every pod; this finds it before or after and names it.
//
// Thread: any; reads /proc and may take milliseconds. Source: proc(5), /proc/net/tcp.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::machine {

// One line of /proc/net/tcp or tcp6 that is a listening socket on every address.
struct WildcardSocket {
  std::uint16_t port = 0;
  std::uint64_t inode = 0;
};

// Reads the table's text. For tests; the others read the files themselves.
std::vector<WildcardSocket> wildcard_sockets_in(std::string_view table);

// Why a server could not listen on ip:port now, naming the process that holds it where that can be seen.
// Empty if it could.
std::optional<std::string> port_conflict(const std::string& ip, std::uint16_t port);

// Ports on which a process of this group listens on every address.
std::vector<std::uint16_t> wildcard_ports_of_group(pid_t group);

}  // namespace tidegate::machine

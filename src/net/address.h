// An IP address with a port.

#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tidegate::net {

class Address {
 public:
  Address();  // 0.0.0.0:0

  // "10.0.0.5:8000" or "[fd00::5]:8000". Names are not resolved.
  static Result<Address> parse(std::string_view text);
  static Result<Address> parse(std::string_view ip, std::uint16_t port);
  static Address from(const sockaddr_storage& raw);

  std::uint16_t port() const;
  std::string ip() const;    // "10.0.0.5", "fd00::5"
  std::string text() const;  // "10.0.0.5:8000", "[fd00::5]:8000"
  bool is_loopback() const;

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t raw_size() const;
  int family() const { return storage_.ss_family; }

  bool operator==(const Address& other) const;

 private:
  sockaddr_storage storage_;
};

}  // namespace tidegate::net

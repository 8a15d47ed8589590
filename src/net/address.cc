#include "net/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace tidegate::net {

Address::Address() {
  std::memset(&storage_, 0, sizeof storage_);
  storage_.ss_family = AF_INET;
}

Address Address::from(const sockaddr_storage& raw) {
  Address address;
  address.storage_ = raw;
  return address;
}

Result<Address> Address::parse(std::string_view ip, std::uint16_t port) {
  Address address;
  const std::string text(ip);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage_);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_port = htons(port);
    return address;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return address;
  }
  return invalid("",
                 "\"" + text.substr(0, 64) + "\" is no IP address; write one such as 10.0.0.5 or fd00::5");
}

Result<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    std::string_view ip = text.substr(0, colon);
    const bool bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
    if (bracketed) ip = ip.substr(1, ip.size() - 2);
    const bool port_fine = error == std::errc{} && end == digits.data() + digits.size() && !digits.empty();
    if (port_fine && bracketed == (ip.find(':') != std::string_view::npos)) return parse(ip, port);
  }
  return invalid("", "\"" + std::string(text.substr(0, 64)) +
                         "\" is no address; write ip:port such as 10.0.0.5:8000 or [fd00::5]:8000");
}

std::uint16_t Address::port() const {
  return ntohs(family() == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port
                                    : reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
}

std::string Address::ip() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, text, sizeof text);
  } else {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, text, sizeof text);
  }
  return text;
}

std::string Address::text() const {
  const std::string port_text = std::to_string(port());
  return family() == AF_INET6 ? "[" + ip() + "]:" + port_text : ip() + ":" + port_text;
}

bool Address::is_loopback() const {
  if (family() == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr);
  }
  return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr) >> 24) == 127;
}

socklen_t Address::raw_size() const {
  return family() == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

bool Address::operator==(const Address& other) const {
  if (family() != other.family()) return false;
  if (family() == AF_INET) return std::memcmp(&storage_, &other.storage_, 8) == 0;  // the rest is padding
  return std::memcmp(&storage_, &other.storage_, sizeof(sockaddr_in6)) == 0;
}

}  // namespace tidegate::net

#include "gateway/kv_ports.h"

#include <charconv>
#include <optional>
#include <string>

#include "base/ascii.h"
#include "http/head.h"

namespace tidegate::gateway {
namespace {

std::optional<std::uint16_t> port_of(std::string_view text) {
  text = ascii::trim(text);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

std::uint16_t KvPorts::of(std::uint16_t port, std::size_t rank) const {
  for (const auto& [serves, publishes] : by_port) {
    if (serves == port) return publishes;
  }
  return first == 0 || first + rank > 0xFFFF ? 0 : static_cast<std::uint16_t>(first + rank);
}

Result<KvPorts> parse_kv_ports(std::string_view text) {
  KvPorts ports;
  bool fine = true;
  int items = 0;
  http::for_each_in_list(text, [&](std::string_view item) {
    ++items;
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos) {
      const auto first = port_of(item);
      fine = fine && first && items == 1;
      ports.first = first.value_or(0);
      return;
    }
    const auto serves = port_of(item.substr(0, equals));
    const auto publishes = port_of(item.substr(equals + 1));
    fine = fine && serves && publishes;
    ports.by_port.emplace_back(serves.value_or(0), publishes.value_or(0));
  });
  if (fine && items > 0 && (ports.by_port.empty() || ports.by_port.size() == static_cast<std::size_t>(items)))
    return ports;
  return invalid("",
                 "is \"" + std::string(text.substr(0, 80)) +
                     "\"; write a port, or ports of the pool with their own, as \"8000=5557, 8001=5558\"");
}

}  // namespace tidegate::gateway

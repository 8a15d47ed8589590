#include "gateway/tls_servers.h"

#include <utility>

#include "base/log.h"

namespace tidegate::gateway {

std::vector<std::shared_ptr<net::TlsServer>> TlsServers::apply(const Snapshot& snapshot) {
  std::map<std::uint16_t, Entry> next;
  std::vector<std::shared_ptr<net::TlsServer>> servers;
  for (const Listener& listener : snapshot.listeners) {
    servers.emplace_back();
    if (!listener.tls) continue;
    Entry entry;
    if (const auto known = by_port_.find(listener.port); known != by_port_.end())
      entry = std::move(known->second);
    if (!entry.server || !same(entry.options, listener.tls->options)) {
      Result<void> done;
      if (entry.server) {
        done = entry.server->replace(listener.tls->options);
      } else if (auto made = net::TlsServer::make(listener.tls->options); made) {
        entry.server = *std::move(made);
      } else {
        done = tl::unexpected(made.error());
      }
      // Every certificate was tried when its listener was read, so this is for what nobody foresaw.
      if (!done) {
        log::error("gateway", "certificates cannot be shown", {{"why", done.error().message}});
      } else {
        entry.options = listener.tls->options;
      }
    }
    servers.back() = entry.server;
    next.emplace(listener.port, std::move(entry));
  }
  by_port_ = std::move(next);
  return servers;
}

}  // namespace tidegate::gateway

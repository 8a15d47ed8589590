// What a worker needs to answer requests: a snapshot, and for each of its pools the live endpoints and what
// they serve.
//
// The control loop makes a new View when the snapshot changes or an engine's models do. Every worker gets a
// copy of its own, so that counting references shares no cache line between workers; a request keeps the one
// it began with.
//
// Thread: immutable.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/dialect/adapter_words.h"
#include "gateway/dialect/answer.h"
#include "gateway/fleet/live.h"
#include "gateway/flow/cell.h"
#include "gateway/listing.h"
#include "gateway/pick/settings.h"
#include "gateway/rewrite/model_table.h"
#include "gateway/snapshot.h"
#include "net/tls.h"

namespace tidegate::gateway {

struct PoolView {
  // Who of `endpoints` must not be asked for it.
  Listing::Lacking lacking(std::string_view model) const {
    return listing && !model.empty() ? listing->lacking(model) : Listing::Lacking();
  }
  // Null if the endpoint's engine goes by the model's name.
  const dialect::AdapterWords* words_of(const fleet::Live& live) const {
    for (std::size_t i = 0; i < adapter_words.size(); ++i) {
      if (endpoints[i].get() == &live) return adapter_words[i].get();
    }
    return nullptr;
  }

  std::vector<std::shared_ptr<fleet::Live>> endpoints;  // as Pool::endpoints
  std::shared_ptr<const rewrite::NameSet> served;       // models of all engines; null while none has said
  // As `endpoints`; empty where all engines go by the model's name.
  std::vector<std::shared_ptr<const dialect::AdapterWords>> adapter_words;
  std::shared_ptr<const Listing> listing;  // null: all may be asked for everything
  rewrite::NameSet bases;                                           // those of them that are no adapters
  std::shared_ptr<const std::vector<dialect::ServedModel>> models;  // what GET /v1/models lists
  std::shared_ptr<flow::Cell> flow;                                 // who waits for this pool
  std::string service;                                              // "name.namespace", for labels
  pick::Settings picking;
  bool told = false;              // engines of it tell what their KV caches hold
  std::uint64_t prefix_seed = 0;  // keeps its prompts apart from other pools'
};

struct View {
  std::shared_ptr<const Snapshot> snapshot = std::make_shared<const Snapshot>();
  std::vector<PoolView> pools;                       // as Snapshot::pools
  std::vector<std::shared_ptr<net::TlsServer>> tls;  // as Snapshot::listeners; null: plain text

  // Of the listener of a port; null if it speaks plain text or does not exist.
  std::shared_ptr<net::TlsServer> tls_of(std::uint16_t port) const {
    const Listener* listener = snapshot->listener(port);
    const auto index = static_cast<std::size_t>(listener ? listener - snapshot->listeners.data() : -1);
    return index < tls.size() ? tls[index] : nullptr;
  }
};

}  // namespace tidegate::gateway

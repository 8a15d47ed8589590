// What is told of KV events: on the page of endpoints and as metrics.
//
// Thread: any.

#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/fleet/fleet.h"
#include "gateway/kvfeed/asker.h"
#include "gateway/kvfeed/follower.h"
#include "telemetry/exposition.h"

namespace tidegate::gateway {

using KvStates = std::unordered_map<pick::PrefixId, kvfeed::Follower::State>;

// "none", "part" or "whole".
std::string_view word_for(pick::Trust trust);

// Of a fleet's key, which is the pool's id, a blank and the address: the pool without its group.
std::string_view pool_of(std::string_view key);

struct KvParts {
  const kvfeed::Follower& follower;
  const pick::BlockIndex& blocks;
  const pick::TokenMap& tokens;
  const kvfeed::Asker& asker;
};
void write_kv(telemetry::ExpositionWriter& writer, const std::vector<fleet::Fleet::Row>& rows,
              const KvParts& parts);

}  // namespace tidegate::gateway

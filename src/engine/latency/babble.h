// Made-up answers: sentences that look like what the adapter was trained for.
//
// An adapter whose name contains "sql" answers in SQL, one whose name contains "tweet" in tweets, any other
// in plain English, so that whoever watches a canary sees which adapter answered. Equal keys give equal text.
//
// Thread: pure.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::latency {

enum class Manner { kPlain, kSql, kTweet };

Manner manner_of(std::string_view adapter_name);

// Sentence `index` of the answer that `key` stands for. The first one starts without a space, the others with
// one.
std::string sentence(Manner manner, std::uint64_t key, std::size_t index);

}  // namespace tidegate::latency

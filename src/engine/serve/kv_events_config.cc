#include "engine/serve/kv_events_config.h"

#include <nlohmann/json.hpp>

namespace tidegate::serve {
namespace {

using nlohmann::json;

constexpr std::int64_t kMost = 10'000'000;

Result<void> read_text(const json& value, const char* name, std::string& text) {
  if (value.is_null()) return {};
  if (!value.is_string()) return invalid(name, "is no text");
  text = value.get<std::string>();
  return {};
}

Result<void> read_count(const json& value, const char* name, std::size_t& count) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0 || value.get<std::int64_t>() > kMost)
    return invalid(name, "is no whole number from 0 to 10000000");
  count = value.get<std::size_t>();
  return {};
}

Result<void> read_publisher(const json& value, std::string& publisher) {
  if (auto read = read_text(value, "publisher", publisher); !read) return read;
  if (publisher != "zmq" && publisher != "null")
    return invalid("publisher", "is \"" + publisher + "\"; use zmq or null");
  return {};
}

Result<void> read_member(const std::string& name, const json& value, KvEvents& events,
                         std::string& publisher) {
  if (name == "enable_kv_cache_events") {
    if (!value.is_boolean()) return invalid(name, "is neither true nor false");
    events.enabled = value.get<bool>();
    return {};
  }
  if (name == "publisher") return read_publisher(value, publisher);
  if (name == "endpoint") return read_text(value, "endpoint", events.endpoint);
  if (name == "replay_endpoint") return read_text(value, "replay_endpoint", events.replay_endpoint);
  if (name == "topic") return read_text(value, "topic", events.topic);
  if (name == "buffer_steps") return read_count(value, "buffer_steps", events.buffer_steps);
  if (name == "hwm") return read_count(value, "hwm", events.hwm);
  if (name == "max_queue_size") return read_count(value, "max_queue_size", events.max_queue_size);
  return invalid(name,
                 "is no member of it; there are enable_kv_cache_events, publisher, endpoint, "
                 "replay_endpoint, buffer_steps, hwm, max_queue_size and topic");
}

}  // namespace

Result<KvEvents> parse_kv_events(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return invalid("", "is no JSON object; write {\"enable_kv_cache_events\": true}");
  KvEvents events;
  std::string publisher = "zmq";  // as vLLM's once events are switched on
  for (const auto& [name, value] : object.items()) {
    if (auto read = read_member(name, value, events, publisher); !read)
      return invalid("", "has a member that cannot be used: " + describe(read.error()));
  }
  if (publisher == "null") events.enabled = false;
  if (events.enabled && events.endpoint.empty()) return invalid("", "names no endpoint");
  return events;
}

}  // namespace tidegate::serve

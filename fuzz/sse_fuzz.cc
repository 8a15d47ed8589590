// Server-sent events: no cut of a stream changes its events, and their bytes together are the stream.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/sse.h"

namespace {

using tidegate::http::SseScanner;

struct Seen {
  std::string raw, data, name;
  bool operator==(const Seen&) const = default;
};

struct Read {
  std::vector<Seen> events;
  std::string rest;
  bool failed = false;
  bool operator==(const Read&) const = default;
};

Read read(const std::vector<std::string_view>& pieces, std::size_t limit) {
  Read result;
  SseScanner scanner(limit);
  for (const std::string_view piece : pieces) {
    const std::vector<char> exact(piece.begin(), piece.end());
    const auto fed = scanner.feed({exact.data(), exact.size()}, [&](const SseScanner::Event& event) {
      result.events.push_back({std::string(event.raw), std::string(event.data), std::string(event.name)});
    });
    if (!fed) {
      result.failed = true;
      return result;
    }
  }
  result.rest = scanner.rest();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  for (const std::size_t limit : {std::size_t{1} << 20, std::size_t{20}}) {
    const Read whole = read({stream}, limit);
    if (!whole.failed) {
      std::string joined;
      for (const Seen& seen : whole.events) joined += seen.raw;
      TG_CHECK(joined + whole.rest == stream);
    }
    const std::size_t step = stream.size() / 32 + 1;
    for (std::size_t cut = stream.size() % step; cut <= stream.size(); cut += step) {
      TG_CHECK(read({stream.substr(0, cut), stream.substr(cut)}, limit) == whole);
    }
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < stream.size() && stream.size() < 1024; ++i)
      bytes.push_back(stream.substr(i, 1));
    if (!bytes.empty()) TG_CHECK(read(bytes, limit) == whole);
  }
  return 0;
}

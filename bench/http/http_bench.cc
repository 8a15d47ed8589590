// What does reading and writing HTTP/1.1 cost the gateway? Limits: a typical head 1 us, a server-sent event
// 150 ns, a response head 200 ns.
//
//   build/release/bench/http/http_bench

#include <benchmark/benchmark.h>

#include <string>

#include "http/h1.h"
#include "http/sse.h"
#include "http/write.h"

namespace tidegate::http {
namespace {

// What OpenAI's Python client sends.
std::string request_head() {
  return "POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nUser-Agent: OpenAI/Python 1.30.1\r\nAccept: "
         "application/json\r\n"
         "Content-Type: application/json\r\nAuthorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n"
         "X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 1.30.1\r\nAccept-Encoding: gzip, deflate, "
         "br\r\n"
         "Connection: keep-alive\r\nContent-Length: 1024\r\n\r\n";
}

// What vLLM answers.
std::string response_head() {
  return "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\nserver: uvicorn\r\n"
         "content-type: text/event-stream; charset=utf-8\r\nx-request-id: 0123456789abcdef\r\n"
         "transfer-encoding: chunked\r\n\r\n";
}

void read_head(benchmark::State& state, Parser::Kind kind, const std::string& bytes) {
  Parser parser(kind, {});
  for (auto _ : state) {
    parser.reset();
    benchmark::DoNotOptimize(parser.head(bytes).value());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
void read_request_head(benchmark::State& state) { read_head(state, Parser::kRequest, request_head()); }
void read_response_head(benchmark::State& state) { read_head(state, Parser::kResponse, response_head()); }
BENCHMARK(read_request_head);
BENCHMARK(read_response_head);

// One event per chunk, as an engine streams them.
void read_chunk(benchmark::State& state) {
  Parser parser(Parser::kResponse, {});
  const std::string head = response_head();
  if (!parser.head(head)) state.SkipWithError("head");
  std::string chunk;
  append_chunk(chunk, "data: " + std::string(250, 'x') + "\n\n");
  for (auto _ : state) {
    for (std::string_view rest = chunk; !rest.empty();) {
      const auto piece = parser.body(rest);
      benchmark::DoNotOptimize(piece->payload.data());
      rest.remove_prefix(piece->consumed);
    }
  }
}
BENCHMARK(read_chunk);

void scan_event(benchmark::State& state) {
  const std::string event = "data: " + std::string(250, 'x') + "\n\n";
  SseScanner scanner;
  std::size_t seen = 0;
  for (auto _ : state) {
    (void)scanner.feed(event, [&seen](const SseScanner::Event& found) { seen += found.data.size(); });
  }
  benchmark::DoNotOptimize(seen);
}
BENCHMARK(scan_event);

// The request as it goes on to an endpoint: hop-by-hop fields dropped, the rest copied.
void forward_request_head(benchmark::State& state) {
  const std::string bytes = request_head();
  Parser parser(Parser::kRequest, {});
  if (!parser.head(bytes)) state.SkipWithError("head");
  const Head& head = parser.message();
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_request_line(out, head.method, head.target);
    const HopFields hop(head);
    for (const Header& header : head.headers) {
      if (!hop.contains(header)) append_field(out, header.name, header.value);
    }
    end_head(out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(forward_request_head);

void write_response_head(benchmark::State& state) {
  DateText date;
  const WallTime now = std::chrono::system_clock::now();
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_status_line(out, 200);
    append_field(out, "Date", date.text(now));
    append_field(out, "Content-Type", "application/json");
    append_field(out, "Content-Length", 12345u);
    end_head(out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(write_response_head);

}  // namespace
}  // namespace tidegate::http

BENCHMARK_MAIN();

#include "cli/bench_client.h"

#include <nlohmann/json.hpp>

#include "http/sse.h"

namespace tidegate::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kBodyBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kQuotedMax = 200;  // of an answer, in an error

http::ClientRequest http_request(const BenchRequest& request) {
  Json body = {{"model", request.model},
               {"max_tokens", request.max_tokens},
               {"temperature", 0},
               {"stream", request.stream}};
  if (request.stream) body["stream_options"] = {{"include_usage", true}};
  if (request.chat) {
    body["messages"] = Json::array({{{"role", "user"}, {"content", request.prompt}}});
  } else {
    body["prompt"] = request.prompt;
  }
  return {.method = "POST",
          .target = request.chat ? "/v1/chat/completions" : "/v1/completions",
          .headers = {{"Host", request.host},
                      {"User-Agent", "tidegate-bench"},
                      {"Content-Type", "application/json"}},
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

std::optional<std::uint64_t> count_of(const Json& usage, const char* name) {
  const auto found = usage.find(name);
  if (found == usage.end() || !found->is_number_unsigned()) return {};
  return found->get<std::uint64_t>();
}

void note(const Json& document, BenchAnswer& answer) {
  if (const auto model = document.find("model"); model != document.end() && model->is_string()) {
    answer.model = model->get<std::string>();
  }
  if (const auto usage = document.find("usage"); usage != document.end() && usage->is_object()) {
    answer.prompt_tokens = count_of(*usage, "prompt_tokens");
    answer.completion_tokens = count_of(*usage, "completion_tokens");
  }
}

// Reads the events of a stream as they come.
class StreamNotes {
 public:
  Result<void> feed(std::string_view bytes, Duration since_start, BenchAnswer& answer) {
    Result<void> verdict;
    auto fed = scanner_.feed(bytes, [&](const http::SseScanner::Event& event) {
      if (event.data.empty() || !verdict) return;
      if (event.data == "[DONE]") {
        complete_ = true;
        return;
      }
      const Json document = Json::parse(event.data, nullptr, false);
      if (!document.is_object()) {
        verdict = fail(Code::kInvalid, "an event of the stream is not a JSON object");
      } else if (document.contains("error")) {
        verdict =
            fail(Code::kInvalid, "the stream broke off: " + document["error"].dump().substr(0, kQuotedMax));
      } else {
        const auto choices = document.find("choices");
        if (!first_ && choices != document.end() && choices->is_array() && !choices->empty()) {
          first_ = true;
          answer.first_token = since_start;
        }
        note(document, answer);
      }
    });
    return fed ? verdict : fed;
  }
  bool complete() const { return complete_; }

 private:
  http::SseScanner scanner_;
  bool first_ = false;
  bool complete_ = false;
};

}  // namespace

net::Task<Result<BenchAnswer>> ask_completion(http::Client& client, const Clock& clock,
                                              const BenchRequest& request) {
  const TimePoint start = clock.now();
  const TimePoint deadline = start + request.timeout;
  const http::ClientRequest asked = http_request(request);
  Result<http::Exchange> exchange = co_await client.open(request.gateway, asked, deadline);
  if (!exchange) co_return tl::unexpected(exchange.error());
  const int status = exchange->head().status;
  const bool events =
      status == 200 && exchange->head().find("content-type").value_or("").starts_with("text/event-stream");

  BenchAnswer answer;
  StreamNotes notes;
  std::string content;  // of an answer in one piece
  while (true) {
    const Result<std::string_view> piece = co_await exchange->read(deadline);
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    if (events) {
      const Result<void> fed = notes.feed(*piece, clock.now() - start, answer);
      if (!fed) co_return tl::unexpected(fed.error());
    } else if (content.size() + piece->size() > kBodyBytesMax) {
      co_return fail(Code::kTooLarge, "the answer is over 64 MiB");
    } else {
      content += *piece;
    }
  }
  answer.whole = clock.now() - start;
  if (status != 200) {
    co_return fail(Code::kInvalid, "status " + std::to_string(status) + ": " + content.substr(0, kQuotedMax));
  }
  if (events) {
    if (!notes.complete()) co_return fail(Code::kInvalid, "the stream ended without [DONE]");
  } else {
    const Json document = Json::parse(content, nullptr, false);
    if (!document.is_object()) co_return fail(Code::kInvalid, "the answer is not a JSON object");
    note(document, answer);
    answer.first_token = answer.whole;
  }
  if (answer.model.empty()) co_return fail(Code::kInvalid, "the answer names no model");
  co_return answer;
}

}  // namespace tidegate::cli

#include "cli/bench_client.h"

#include <array>
#include <nlohmann/json.hpp>

#include "http/h1.h"
#include "http/sse.h"
#include "http/write.h"

namespace tidegate::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kBodyBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kQuotedMax = 200;  // of an answer, in an error

std::string request_text(const BenchRequest& request) {
  Json body = {{"model", request.model},
               {"prompt", request.prompt},
               {"max_tokens", request.max_tokens},
               {"temperature", 0},
               {"stream", request.stream}};
  if (request.stream) body["stream_options"] = {{"include_usage", true}};
  const std::string content = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string out;
  http::append_request_line(out, "POST", "/v1/completions");
  http::append_field(out, "Host", request.host);
  http::append_field(out, "User-Agent", "tidegate-bench");
  http::append_field(out, "Content-Type", "application/json");
  http::append_field(out, "Content-Length", content.size());
  http::end_head(out);
  return out + content;
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
  // True once there is nothing more to come that matters.
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

net::Task<Result<BenchAnswer>> BenchClient::ask() {
  Result<BenchAnswer> answer = co_await exchange();
  if (!answer) stream_.close();
  co_return answer;
}

net::Task<Result<BenchAnswer>> BenchClient::exchange() {
  const TimePoint start = clock_.now();
  const TimePoint deadline = start + request_.timeout;
  if (!stream_.open()) {
    Result<net::Stream> connected = co_await net::Stream::connect(loop_, request_.gateway, deadline);
    if (!connected) co_return tl::unexpected(connected.error());
    stream_ = std::move(*connected);
  }
  stream_.set_deadline(deadline);
  const Result<void> sent = co_await stream_.write_all(request_text(request_));
  if (!sent) co_return tl::unexpected(sent.error());

  http::Parser parser(http::Parser::kResponse, {});
  std::string buffer;
  std::array<char, 16 * 1024> piece;
  std::size_t head_size = 0;
  while (head_size == 0) {
    const Result<std::size_t> got = co_await stream_.read_some(piece.data(), piece.size());
    if (!got) co_return tl::unexpected(got.error());
    if (*got == 0) co_return fail(Code::kUnavailable, "the gateway closed the connection without an answer");
    buffer.append(piece.data(), *got);
    const Result<std::size_t> head = parser.head(buffer);
    if (!head) co_return tl::unexpected(head.error());
    head_size = *head;
  }
  const int status = parser.message().status;
  const bool keep_alive = parser.message().keep_alive;
  const bool events = parser.message().find("content-type").value_or("").starts_with("text/event-stream");
  buffer.erase(0, head_size);

  BenchAnswer answer;
  StreamNotes notes;
  std::string content;  // of an answer in one piece
  for (bool done = false; !done;) {
    while (!done && !buffer.empty()) {
      const Result<http::Parser::Body> part = parser.body(buffer);
      if (!part) co_return tl::unexpected(part.error());
      if (events && status == 200) {
        const Result<void> fed = notes.feed(part->payload, clock_.now() - start, answer);
        if (!fed) co_return tl::unexpected(fed.error());
      } else if (content.size() + part->payload.size() > kBodyBytesMax) {
        co_return fail(Code::kTooLarge, "the answer is over 64 MiB");
      } else {
        content += part->payload;
      }
      done = part->done;
      if (part->consumed == 0 && !done) break;
      buffer.erase(0, part->consumed);
    }
    if (done) break;
    const Result<std::size_t> got = co_await stream_.read_some(piece.data(), piece.size());
    if (!got) co_return tl::unexpected(got.error());
    if (*got == 0) {
      if (!parser.finish()) co_return fail(Code::kUnavailable, "the connection ended inside the answer");
      break;
    }
    buffer.append(piece.data(), *got);
  }
  answer.whole = clock_.now() - start;
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
  if (!keep_alive) stream_.close();
  co_return answer;
}

}  // namespace tidegate::cli

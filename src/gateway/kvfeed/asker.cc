#include "gateway/kvfeed/asker.h"

#include <charconv>
#include <utility>

#include "gateway/dialect/json_check.h"

namespace tidegate::kvfeed {
namespace {

constexpr int kUnderWayMax = 64;
constexpr Duration kAgain = std::chrono::seconds(10);
constexpr Duration kPatience = std::chrono::seconds(5);
constexpr std::size_t kAnswerBytesMax = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kQuestionBytesMax = std::size_t{4} * 1024 * 1024;

}  // namespace

Result<std::vector<std::uint32_t>> read_tokens(std::string_view answer) {
  dialect::JsonMembers members(answer);
  std::optional<std::string_view> list;
  while (members.next()) {
    if (members.key() == "tokens") list = members.value();
  }
  if (!members.fine() || !list || list->size() < 2 || list->front() != '[')
    return invalid("", "the answer of /tokenize has no list of tokens");
  std::vector<std::uint32_t> tokens;
  const char* at = list->data() + 1;
  const char* const end = list->data() + list->size();
  while (at < end) {
    if (*at == ',' || *at == ']' || *at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') {
      ++at;
      continue;
    }
    std::uint32_t token = 0;
    const auto [behind, error] = std::from_chars(at, end, token);
    if (error != std::errc{}) return invalid("", "a token of /tokenize is no whole number below 2^32");
    tokens.push_back(token);
    at = behind;
  }
  return tokens;
}

Asker::Asker(net::Loop& loop, pick::TokenMap& map, std::uint64_t bytes_per_second)
    : loop_(loop), map_(map), budget_(bytes_per_second) {}

bool Asker::may_ask(std::uint64_t key, std::uint64_t bytes, bool seen_before, TimePoint now) {
  if (bytes > kQuestionBytesMax || under_way_.load(std::memory_order_relaxed) >= kUnderWayMax) return false;
  const std::lock_guard lock(mutex_);
  Asked& asked = asked_[key % asked_.size()];
  if (asked.key == key && now < asked.at + kAgain) return false;
  if (!budget_.spend(bytes, seen_before, now)) return false;
  asked = {key, now};
  return true;
}

void Asker::ask(Question question) {
  under_way_.fetch_add(1, std::memory_order_relaxed);
  loop_.post([this, question = std::make_shared<Question>(std::move(question))] {
    if (!stopped_) tasks_.spawn(carry(question));
  });
}

net::Task<void> Asker::stop() {
  stopped_ = true;
  for (upstream::Connection* connection : open_) connection->abort();
  co_await tasks_.wait_empty();
}

net::Task<void> Asker::carry(std::shared_ptr<Question> question) {
  const Result<std::string> answer = co_await exchange(*question);
  under_way_.fetch_sub(1, std::memory_order_relaxed);
  learn(*question, answer);
  if (question->answered) question->answered();
}

void Asker::learn(const Question& question, const Result<std::string>& answer) {
  const auto tokens = answer ? read_tokens(*answer) : tl::unexpected(answer.error());
  if (!tokens || tokens->empty()) {
    failed_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  map_.learn(question.keys, *tokens, question.adapter, question.stride);
  learnt_.fetch_add(1, std::memory_order_relaxed);
}

net::Task<Result<std::string>> Asker::exchange(Question& question) {
  const TimePoint deadline = loop_.now() + kPatience;
  Result<net::Stream> stream =
      co_await upstream::open_stream(loop_, question.address, question.secured, deadline);
  if (!stream) co_return tl::unexpected(stream.error());
  if (stopped_) co_return fail(Code::kCancelled, "the gateway ends");
  upstream::Connection connection(buffers_, head_limits_, *std::move(stream), question.secured);
  connection.set_deadline(deadline);
  std::string request = "POST /tokenize HTTP/1.1\r\nHost: " + question.host +
                        "\r\nContent-Type: application/json\r\nUser-Agent: tidegate\r\nConnection: close\r\n"
                        "Content-Length: " +
                        std::to_string(question.body.size()) + "\r\n\r\n" + question.body;
  open_.insert(&connection);
  Result<std::string> answer = co_await converse(connection, request);
  open_.erase(&connection);
  co_return answer;
}

net::Task<Result<std::string>> Asker::converse(upstream::Connection& connection, std::string& request) {
  iovec piece{request.data(), request.size()};
  const Result<void> sent = co_await connection.send(&piece, 1, false);
  if (!sent) co_return tl::unexpected(sent.error());
  const Result<const http::Head*> head = co_await connection.read_head();
  if (!head) co_return tl::unexpected(head.error());
  if ((*head)->status != 200)
    co_return fail(Code::kInvalid, "/tokenize answered " + std::to_string((*head)->status));
  std::string answer;
  std::vector<std::string_view> pieces;
  while (true) {
    pieces.clear();
    const Result<bool> done = co_await connection.read_body(pieces);
    for (const std::string_view part : pieces) answer += part;
    if (!done) co_return tl::unexpected(done.error());
    if (answer.size() > kAnswerBytesMax)
      co_return fail(Code::kTooLarge, "the answer of /tokenize is too long");
    if (*done) co_return answer;
  }
}

}  // namespace tidegate::kvfeed

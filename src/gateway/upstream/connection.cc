#include "gateway/upstream/connection.h"

#include <cstring>
#include <utility>

namespace tidegate::upstream {
namespace {

Error bad_answer(const net::Address& peer, const Error& error) {
  return {Code::kUnavailable, "answer",
          "endpoint " + peer.text() + " sent no proper HTTP answer: " + describe(error)};
}

Error ended_early(const net::Address& peer, std::string_view when) {
  return {Code::kUnavailable, "", "endpoint " + peer.text() + " closed the connection " + std::string(when)};
}

}  // namespace

Connection::Connection(net::Loop& loop, net::BufferPool& buffers, const http::HeadLimits& limits,
                       net::Stream stream)
    : loop_(loop), buffers_(buffers), stream_(std::move(stream)), parser_(http::Parser::kResponse, limits) {}

net::Task<Result<void>> Connection::send(iovec* pieces, std::size_t count, bool is_head_request) {
  ++requests_;
  answered_ = complete_ = false;
  head_only_ = is_head_request;
  parser_.reset(head_only_);
  begin_ = end_ = 0;
  co_return co_await stream_.write_all(pieces, count);
}

net::Task<Result<std::size_t>> Connection::fill() {
  if (!buffer_) buffer_ = buffers_.take();
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size()) {
    // Only an unfinished head can fill it; the parser's limit bounds how far this goes.
    net::Buffer larger = buffers_.take(buffer_.size() * 2);
    std::memcpy(larger.data(), buffer_.data() + begin_, end_ - begin_);
    buffer_ = std::move(larger);
    end_ -= std::exchange(begin_, 0);
  }
  Result<std::size_t> got = co_await stream_.read_some(buffer_.data() + end_, buffer_.size() - end_);
  if (got) {
    end_ += *got;
    answered_ = answered_ || *got > 0;
  }
  co_return got;
}

net::Task<Result<const http::Head*>> Connection::read_head() {
  while (true) {
    if (begin_ < end_) {
      const Result<std::size_t> size = parser_.head(std::string_view(buffer_.data() + begin_, end_ - begin_));
      if (!size) co_return tl::unexpected(bad_answer(stream_.peer(), size.error()));
      if (*size > 0) {
        begin_ += *size;
        if (parser_.message().status < 200) {
          parser_.reset(head_only_);
          continue;
        }
        const http::Head& head = parser_.message();
        complete_ = head.framing == http::Framing::kNone ||
                    (head.framing == http::Framing::kLength && head.content_length == 0);
        co_return &parser_.message();
      }
    }
    const Result<std::size_t> got = co_await fill();
    if (!got) co_return tl::unexpected(got.error());
    if (*got == 0) co_return tl::unexpected(ended_early(stream_.peer(), "before it answered"));
  }
}

net::Task<Result<bool>> Connection::read_body(std::vector<std::string_view>& pieces) {
  if (complete_) co_return true;
  while (true) {
    bool any = false;
    while (begin_ < end_ && !complete_) {
      const Result<http::Parser::Body> piece =
          parser_.body(std::string_view(buffer_.data() + begin_, end_ - begin_));
      if (!piece) co_return tl::unexpected(bad_answer(stream_.peer(), piece.error()));
      begin_ += piece->consumed;
      complete_ = piece->done;
      if (!piece->payload.empty()) {
        pieces.push_back(piece->payload);
        any = true;
      }
    }
    if (any || complete_) co_return complete_;
    const Result<std::size_t> got = co_await fill();
    if (!got) co_return tl::unexpected(got.error());
    if (*got > 0) continue;
    if (!parser_.finish())
      co_return tl::unexpected(ended_early(stream_.peer(), "in the middle of its answer"));
    complete_ = true;
    co_return true;
  }
}

bool Connection::reusable() const {
  const http::Head& head = parser_.message();
  return complete_ && requests_ > 0 && head.keep_alive && head.framing != http::Framing::kUntilClose &&
         begin_ == end_ && !stream_.hung_up();
}

void Connection::rest() {
  buffer_.release();
  begin_ = end_ = 0;
}

}  // namespace tidegate::upstream

#include "gateway/upstream/connection.h"

#include <algorithm>
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

Connection::Connection(net::BufferPool& buffers, const http::HeadLimits& limits, net::Stream stream,
                       SecuredPtr secured)
    : buffers_(buffers),
      stream_(std::move(stream)),
      secured_(std::move(secured)),
      parser_(http::Parser::kResponse, limits) {}

net::Stream::WriteOp Connection::send(iovec* pieces, std::size_t count, bool is_head_request) {
  ++requests_;
  answered_ = complete_ = false;
  head_only_ = is_head_request;
  parser_.reset(head_only_);
  begin_ = end_ = 0;
  return stream_.write_all(pieces, count);
}

// Reads on behind what is there, which moves if there is no room.
net::Stream::ReadOp Connection::more() {
  if (!buffer_) buffer_ = buffers_.take();
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size()) {
    // Only an unfinished head can fill it; the parser's limit bounds how far this goes.
    net::Buffer larger = buffers_.take(buffer_.size() * 2);
    std::copy_n(buffer_.data() + begin_, end_ - begin_, larger.data());
    buffer_ = std::move(larger);
    end_ -= std::exchange(begin_, 0);
  }
  return stream_.read_some(buffer_.data() + end_, buffer_.size() - end_);
}

void Connection::got(std::size_t bytes) {
  end_ += bytes;
  answered_ = answered_ || bytes > 0;
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
    const Result<std::size_t> bytes = co_await more();
    if (!bytes) co_return tl::unexpected(bytes.error());
    if (*bytes == 0) co_return tl::unexpected(ended_early(stream_.peer(), "before it answered"));
    got(*bytes);
  }
}

Result<bool> Connection::take_body(std::vector<std::string_view>& pieces) {
  while (begin_ < end_ && !complete_) {
    const Result<http::Parser::Body> piece =
        parser_.body(std::string_view(buffer_.data() + begin_, end_ - begin_));
    if (!piece) return tl::unexpected(bad_answer(stream_.peer(), piece.error()));
    begin_ += piece->consumed;
    complete_ = piece->done;
    if (!piece->payload.empty()) pieces.push_back(piece->payload);
  }
  return complete_;
}

net::Task<Result<bool>> Connection::read_body(std::vector<std::string_view>& pieces) {
  while (true) {
    Result<bool> done = take_body(pieces);
    if (!done || *done || !pieces.empty()) co_return done;
    const Result<std::size_t> bytes = co_await more();
    if (!bytes) co_return tl::unexpected(bytes.error());
    got(*bytes);
    if (*bytes > 0) continue;
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

// One HTTP/1.1 connection to an endpoint: a request out, an answer in, again and again.
//
// Thread: the worker's own.
// Errors: kUnavailable (refused, reset, ended early; with field "answer": what came is no HTTP), kDeadline,
// kCancelled.

#pragma once

#include <sys/uio.h>

#include <string_view>
#include <vector>

#include "gateway/upstream/secured.h"
#include "http/h1.h"
#include "net/buffer_pool.h"
#include "net/stream.h"
#include "net/task.h"

namespace tidegate::upstream {

class Connection {
 public:
  Connection(net::BufferPool& buffers, const http::HeadLimits& limits, net::Stream stream,
             SecuredPtr secured = nullptr);

  // Sends a whole request. `pieces` is changed along the way.
  net::Stream::WriteOp send(iovec* pieces, std::size_t count, bool is_head_request);

  // The answer's head; interim (1xx) answers are skipped. Valid until the next send().
  net::Task<Result<const http::Head*>> read_head();

  // Appends what has arrived of the body, decoded, as views that live until the next read. True when the
  // answer is complete. Never waits, and so may append nothing.
  Result<bool> take_body(std::vector<std::string_view>& pieces);
  // The same, but waits until there is content or the end. Ends earlier views.
  net::Task<Result<bool>> read_body(std::vector<std::string_view>& pieces);

  // A list for read_body() that keeps its memory from one request to the next.
  std::vector<std::string_view>& pieces() {
    pieces_.clear();
    return pieces_;
  }

  // Waits end at this time.
  void set_deadline(TimePoint deadline) { stream_.set_deadline(deadline); }
  // Makes whatever waits fail, and the endpoint see the end of its request.
  void abort() { stream_.abort(); }

  // Nothing is half done, both sides keep the connection, and it has not been closed meanwhile.
  bool reusable() const;
  // It carried a request before: a failure before the first byte may only mean that it was closed while idle.
  bool used_before() const { return requests_ > 1; }
  // Bytes of the body are here already, so read_body() will not wait.
  bool has_unread() const { return begin_ < end_ || complete_; }
  // The endpoint has sent something in answer to the current request.
  bool answered() const { return answered_; }

  net::Stream& stream() { return stream_; }
  const net::Stream& stream() const { return stream_; }
  const SecuredPtr& secured() const { return secured_; }

  // Gives the buffer back; for the time in the pool.
  void rest();

 private:
  net::Stream::ReadOp more();
  void got(std::size_t bytes);

  net::BufferPool& buffers_;
  net::Stream stream_;
  SecuredPtr secured_;
  http::Parser parser_;
  net::Buffer buffer_;
  std::size_t begin_ = 0;  // [begin_, end_) is read and not yet used
  std::size_t end_ = 0;
  std::vector<std::string_view> pieces_;
  std::size_t requests_ = 0;
  bool answered_ = false;
  bool complete_ = true;
  bool head_only_ = false;
};

}  // namespace tidegate::upstream

#include "gateway/upstream/secured.h"

#include <utility>

namespace tidegate::upstream {

net::Task<Result<net::Stream>> open_stream(net::Loop& loop, net::Address endpoint, SecuredPtr secured,
                                           TimePoint deadline) {
  Result<net::Stream> stream = co_await net::Stream::connect(loop, endpoint, deadline);
  if (!stream || !secured) co_return std::move(stream);
  const Result<void> shaken = co_await stream->connect_tls(*secured->client, secured->server_name, deadline);
  if (shaken) co_return std::move(stream);
  Error error = shaken.error();
  if (error.code != Code::kDeadline && error.code != Code::kCancelled) error.code = Code::kUnavailable;
  error.message = "no TLS with endpoint " + endpoint.text() + " (" + secured->policy + "): " + error.message;
  co_return tl::unexpected(std::move(error));
}

}  // namespace tidegate::upstream

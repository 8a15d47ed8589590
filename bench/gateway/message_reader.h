// Just enough of HTTP/1.1 for the rig's own client and engine: heads, Content-Length and chunked bodies of
// peers that the rig itself started. Not for anything that meets the world; src/http is for that.

#pragma once

#include <strings.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate::rig {

// Value of a header in a head that ends in an empty line, or nothing.
inline std::optional<std::string_view> header(std::string_view head, std::string_view name) {
  std::size_t line = head.find("\r\n");
  while (line != std::string_view::npos && line + 2 < head.size()) {
    line += 2;
    const std::size_t end = head.find("\r\n", line);
    const std::string_view text = head.substr(line, end - line);
    if (text.size() > name.size() && text[name.size()] == ':' &&
        ::strncasecmp(text.data(), name.data(), name.size()) == 0) {
      std::string_view value = text.substr(name.size() + 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      return value;
    }
    line = end;
  }
  return std::nullopt;
}

// Cuts one message after the other out of a byte stream.
class MessageReader {
 public:
  enum class State { kHead, kBody, kChunkSize, kChunkData, kChunkEnd, kTrailer, kDone };

  // Reads on, handing the head once and body bytes as they come; stops behind the end of a message. How many
  // bytes were used; done() tells whether the message ended. A response without a length ends with the
  // connection.
  template <typename OnHead, typename OnBody>
  std::size_t feed(std::string_view data, OnHead&& on_head, OnBody&& on_body) {
    const std::size_t all = data.size();
    while (!data.empty() && state_ != State::kDone) {
      switch (state_) {
        case State::kHead: {
          const std::size_t before = line_.size();
          line_.append(data);
          const std::size_t from = before < 3 ? 0 : before - 3;
          const std::size_t end = line_.find("\r\n\r\n", from);
          if (end == std::string::npos) return all;
          data.remove_prefix(end + 4 - before);
          line_.resize(end + 4);
          start_body(line_);
          on_head(std::string_view(line_));
          line_.clear();
          break;
        }
        case State::kBody:
        case State::kChunkData: {
          const std::size_t take = left_ < data.size() ? static_cast<std::size_t>(left_) : data.size();
          on_body(data.substr(0, take));
          data.remove_prefix(take);
          left_ -= take;
          if (left_ == 0) state_ = state_ == State::kBody ? State::kDone : State::kChunkEnd;
          break;
        }
        case State::kChunkSize:
        case State::kChunkEnd:
        case State::kTrailer:
          if (!take_line(data)) return all;
          on_line();
          line_.clear();
          break;
        case State::kDone:
          break;
      }
    }
    return all - data.size();
  }

  bool done() const { return state_ == State::kDone; }
  bool idle() const { return state_ == State::kHead && line_.empty(); }
  void reset() { state_ = State::kHead; }

 private:
  void start_body(std::string_view head) {
    left_ = 0;
    if (const auto coding = header(head, "transfer-encoding"); coding && *coding == "chunked") {
      state_ = State::kChunkSize;
      return;
    }
    if (const auto length = header(head, "content-length")) {
      left_ = std::strtoull(std::string(*length).c_str(), nullptr, 10);
    } else if (head.starts_with("HTTP/")) {
      left_ = ~std::uint64_t{0};
    }
    state_ = left_ == 0 ? State::kDone : State::kBody;
  }

  bool take_line(std::string_view& data) {
    const std::size_t end = data.find('\n');
    line_.append(data.substr(0, end == std::string_view::npos ? end : end + 1));
    data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
    return end != std::string_view::npos;
  }

  void on_line() {
    if (state_ == State::kChunkEnd) {
      state_ = State::kChunkSize;
    } else if (state_ == State::kChunkSize) {
      left_ = std::strtoull(line_.c_str(), nullptr, 16);
      state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
    } else if (line_ == "\r\n") {
      state_ = State::kDone;
    }
  }

  State state_ = State::kHead;
  std::string line_;  // of the head or of a chunk's size, as far as it has come
  std::uint64_t left_ = 0;
};

}  // namespace tidegate::rig

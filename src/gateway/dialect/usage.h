// Token counts out of what an engine answers, whole bodies and streams, without touching the bytes.
//
// Source: OpenAI's usage object (prompt_tokens, completion_tokens, total_tokens,
// prompt_tokens_details.cached_tokens) and the input_tokens/output_tokens names of the Responses and Messages
// shapes. vLLM sends running usage on every chunk with continuous_usage_stats: for a stream of several
// choices it is the count of that chunk's choice alone.
//
// Thread: one owner each.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/dialect/body_facts.h"
#include "gateway/dialect/traits.h"

namespace tidegate::dialect {

struct Usage {
  std::uint64_t prompt = 0;
  std::uint64_t completion = 0;
  std::uint64_t total = 0;              // prompt + completion where the engine gave none
  std::optional<std::uint64_t> cached;  // absent is not zero
  bool operator==(const Usage&) const = default;
};

// Reads one usage object ("{...}"). Empty if it is no object or names no token count.
std::optional<Usage> read_usage(std::string_view object);

// The same for an object at the start of `text`; `end` is behind it.
struct UsageAt {
  Usage usage;
  std::size_t end = 0;
};
std::optional<UsageAt> read_usage_at(std::string_view text);

// Finds the usage of a JSON answer that passes in pieces of any size. Looks for the member by its name and
// keeps at most kKept bytes of it, so the cost does not depend on how long the answer is; the last usage
// object in the body counts.
class UsageScan {
 public:
  static constexpr std::size_t kKept = 2048;
  void feed(std::string_view piece);
  std::optional<Usage> result() const { return usage_; }
  void reset();

 private:
  enum class Phase : std::uint8_t { kSearch, kColon, kValue, kObject };

  std::string_view capture(std::string_view piece);
  bool closes(char c);
  std::string_view give_up(std::string_view rest);
  void start_capture();
  void remember_end(std::string_view piece);

  std::string kept_;  // searching: the end of the last piece; else the usage object so far
  Phase phase_ = Phase::kSearch;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  std::optional<Usage> usage_;
};

// Looks at each event of a stream: completions and chat; of Responses the last event, which holds the whole
// response; of Messages the first, which holds the message, and those that change it.
class UsageSse {
 public:
  // `asked` is what the client wants to see, `injected` what we added. Without an injection nothing is ever
  // cut.
  explicit UsageSse(Injected injected);
  UsageSse() = default;  // looks, cuts nothing

  enum class Action : std::uint8_t {
    kForward,  // as it is
    kDrop,     // the whole event: the final usage that only we asked for
    kCut,      // without data[cut): the running usage that only we asked for, with its comma
  };

  struct Verdict {
    Action action = Action::kForward;
    Range cut;                   // bytes of `data`
    std::optional<Usage> usage;  // what this event reports
    bool is_final = false;       // usage is of the whole request: choices is []
    std::uint32_t choice = 0;    // index of the event's first choice; meaningful with usage that is not final
    bool adds = false;           // usage may leave out what an earlier event said (Messages)
    bool done = false;           // [DONE]
    bool error = false;          // an error object
  };

  // `data` is the joined data of one event. kCut expects that it lies in one piece of the stream: an event
  // whose data came in several lines is valid SSE but no engine sends it, and is forwarded whole.
  Verdict look(std::string_view data) const;

 private:
  bool hide_final_ = false;
  bool hide_running_ = false;
};

}  // namespace tidegate::dialect

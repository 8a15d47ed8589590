// Text into JSON strings, and a small reader for the short objects that engines send.
//
// Thread: pure.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tidegate::dialect {

// `text` as a JSON string with its quotes. Each byte that is not part of valid UTF-8 becomes U+FFFD.
std::string json_token(std::string_view text);
void append_json_token(std::string& out, std::string_view text);

// Where `word` first stands in `text`, or npos. For the names of members in long answers and short events
// alike: sixteen places are looked at in one step, where memmem would first build a table. Requires: word has
// at least 4 bytes.
std::size_t find_word(std::string_view text, std::string_view word);

// Walks one JSON text left to right without decoding or allocating. Meant for trusted-enough, short input: it
// checks bounds and the structure it walks over, nothing else. After a failure every further call fails.
class JsonCursor {
 public:
  static constexpr int kDepthMax = 64;

  explicit JsonCursor(std::string_view text) : text_(text) {}

  std::size_t at() const { return at_; }
  bool ok() const { return ok_; }
  bool at_end();  // nothing but white space is left

  // Skips white space and takes `c` if it is next.
  bool take(char c) {
    if (peek() != c || !ok_ || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  // The next character that is not white space; 0 at the end.
  char peek() {
    skip_blanks();
    return ok_ && at_ < text_.size() ? text_[at_] : '\0';
  }

  // The characters between the quotes, escapes as written.
  std::string_view raw_string();
  // Any value, whole; its characters.
  std::string_view value();

  // Calls use(key) standing before each member's value; use must read it. Returns ok().
  template <typename Use>
  bool each_member(Use use) {
    if (!take('{')) return fail();
    if (take('}')) return ok_;
    while (ok_) {
      const std::string_view key = raw_string();
      if (!take(':')) return fail();
      use(key);
      if (take('}')) return ok_;
      if (!take(',')) return fail();
    }
    return false;
  }

 private:
  bool fail() { return ok_ = false; }
  void skip_blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace tidegate::dialect

// Whether a text is JSON by RFC 8259, to the letter, and where the members of its outermost object lie: one
// walk for both.
//
// A gateway that lets "{"a":/*"model":"x"*/1}" pass relies on every engine being stricter than itself; this
// walk closes that door. It looks at structure, literals, numbers, escapes, control characters and UTF-8, in
// skipped values too.
//
//   JsonMembers members(body);
//   while (members.next()) use(members.key(), members.value());
//   if (!members.fine()) refuse(members.fault());     what was seen before counts only after this
//
// Thread: pure.

#pragma once

#include <bitset>
#include <cstddef>
#include <string_view>

namespace tidegate::dialect {

// Deeper nesting is refused: nobody asks for it, and readers that recurse fall over it.
inline constexpr std::size_t kJsonDepthMax = 1024;

inline constexpr std::size_t kJsonFine = static_cast<std::size_t>(-1);

// kJsonFine, or the byte at which `text` stops being one JSON value with white space around it; for text that
// is no UTF-8 and nothing else, its size.
std::size_t json_fault(std::string_view text);

// Follows one text from left to right and never back. Every function moves on and is false at a fault, after
// which none may be called.
class JsonWalk {
 public:
  explicit JsonWalk(std::string_view text)
      : begin_(text.data()), p_(text.data()), end_(text.data() + text.size()) {}

  void skip_blanks() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
  }
  bool take(char c) {
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  bool value();  // one value with all that is inside it
  bool key();    // a string and the colon behind it

  std::size_t at() const { return static_cast<std::size_t>(p_ - begin_); }
  bool at_end() const { return p_ == end_; }
  // Some byte was not ASCII: the text is JSON only if it is UTF-8 as well.
  bool beyond_ascii() const { return beyond_ascii_; }

 private:
  bool behind_value();
  bool scalar();
  bool string();
  bool number();
  bool digits();
  bool word(std::string_view text);

  const char* const begin_;
  const char* p_;
  const char* const end_;
  std::size_t depth_ = 0;
  bool beyond_ascii_ = false;
  std::bitset<kJsonDepthMax> is_object_;  // by depth: an object, not a list
};

// The members of the outermost object, in order.
class JsonMembers {
 public:
  explicit JsonMembers(std::string_view text) : text_(text), walk_(text) {}

  // False at the end or at a fault.
  bool next();

  // Between its quotes, as written.
  std::string_view key() const { return key_; }
  // Its characters, without white space around them.
  std::string_view value() const { return value_; }

  // After next() was false.
  bool fine() const { return state_ == State::kFine; }
  bool is_object() const { return state_ != State::kOther; }
  std::size_t fault() const { return walk_.at(); }
  // Just behind the opening brace.
  std::size_t open() const { return open_; }

 private:
  enum class State { kStart, kMember, kFine, kBroken, kOther };
  bool end(State state) {
    state_ = state;
    return false;
  }
  bool finish();

  std::string_view text_;
  JsonWalk walk_;
  State state_ = State::kStart;
  std::size_t open_ = 0;
  std::string_view key_;
  std::string_view value_;
};

}  // namespace tidegate::dialect

// A StringMatch made ready to be tried. The regular expressions are RE2's, so that no text can make one slow.
//
// Thread: immutable; any thread.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/route/table.h"

namespace re2 {
class RE2;
}

namespace tidegate::route {

class Pattern {
 public:
  Pattern();
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  // Errors: kInvalid if an expression does not compile, or is too long or too costly.
  static Result<Pattern> make(const StringMatch& match);

  // An expression must match the whole text.
  bool fits(std::string_view text) const;

 private:
  StringMatch::Kind kind_ = StringMatch::kPresent;
  std::string value_;
  std::unique_ptr<const re2::RE2> expression_;
};

}  // namespace tidegate::route

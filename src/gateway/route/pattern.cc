#include "gateway/route/pattern.h"

#include <re2/re2.h>

namespace tidegate::route {
namespace {

constexpr std::size_t kExpressionMax = 1024;
constexpr int kMemoryMax = 1 << 20;

}  // namespace

Pattern::Pattern() = default;
Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

Result<Pattern> Pattern::make(const StringMatch& match) {
  Pattern pattern;
  pattern.kind_ = match.kind;
  pattern.value_ = match.value;
  if (match.kind != StringMatch::kRegex) return pattern;
  if (match.value.size() > kExpressionMax) {
    return invalid(
        "", "is longer than " + std::to_string(kExpressionMax) + " characters; use a shorter expression");
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  auto expression = std::make_unique<re2::RE2>(match.value, options);
  if (!expression->ok()) {
    return invalid(
        "", "is no regular expression that RE2 takes (" + expression->error() + "); see RE2's syntax page");
  }
  pattern.expression_ = std::move(expression);
  return pattern;
}

bool Pattern::fits(std::string_view text) const {
  switch (kind_) {
    case StringMatch::kPresent:
      return true;
    case StringMatch::kExact:
      return text == value_;
    case StringMatch::kPrefix:
      return text.starts_with(value_);
    case StringMatch::kRegex:
      return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *expression_);
  }
  return false;
}

}  // namespace tidegate::route

#include <algorithm>
#include <charconv>

#include "gateway/dialect/json_text.h"
#include "gateway/dialect/usage.h"

namespace tidegate::dialect {
namespace {

constexpr std::string_view kName = "\"usage\"";

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::optional<std::uint64_t> count_of(std::string_view token) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc{}) return std::nullopt;
  // 12.0 is a count too.
  for (const char* p = end; p != token.data() + token.size(); ++p) {
    if (*p != '.' && *p != '0') return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> read_cached(std::string_view details) {
  std::optional<std::uint64_t> cached;
  JsonCursor cursor(details);
  cursor.each_member([&](std::string_view key) {
    const std::string_view value = cursor.value();
    if (key == "cached_tokens") cached = count_of(value);
  });
  return cached;
}

}  // namespace

std::optional<UsageAt> read_usage_at(std::string_view text) {
  UsageAt found;
  Usage& usage = found.usage;
  bool any = false;
  std::optional<std::uint64_t> total;
  std::uint64_t beside_cache = 0;  // Anthropic counts what the cache gave or took apart from input_tokens
  JsonCursor cursor(text);
  cursor.each_member([&](std::string_view key) {
    const std::string_view value = cursor.value();
    const auto count = [&](std::uint64_t& into) {
      if (const auto read = count_of(value)) {
        into = *read;
        any = true;
      }
    };
    if (key == "prompt_tokens" || key == "input_tokens") {
      count(usage.prompt);
    } else if (key == "completion_tokens" || key == "output_tokens") {
      count(usage.completion);
    } else if (key == "cache_creation_input_tokens") {
      beside_cache += count_of(value).value_or(0);
    } else if (key == "cache_read_input_tokens") {
      usage.cached = count_of(value);
      beside_cache += usage.cached.value_or(0);
    } else if (key == "total_tokens") {
      total = count_of(value);
      any = any || total.has_value();
    } else if (key == "prompt_tokens_details" || key == "input_tokens_details") {
      usage.cached = read_cached(value);
    }
  });
  if (!cursor.ok() || !any) return std::nullopt;
  found.end = cursor.at();
  usage.prompt += beside_cache;
  usage.total = total.value_or(usage.prompt + usage.completion);
  return found;
}

std::optional<Usage> read_usage(std::string_view object) {
  const auto found = read_usage_at(object);
  if (!found) return std::nullopt;
  for (const char c : object.substr(found->end)) {
    if (!is_blank(c)) return std::nullopt;
  }
  return found->usage;
}

void UsageScan::reset() {
  kept_.clear();
  phase_ = Phase::kSearch;
  usage_.reset();
}

void UsageScan::feed(std::string_view piece) {
  while (!piece.empty()) {
    if (phase_ != Phase::kSearch) {
      piece = capture(piece);
      continue;
    }
    // The name may be cut between two pieces: look at the seam first.
    if (!kept_.empty()) {
      const std::size_t before = kept_.size();
      kept_ += piece.substr(0, kName.size() - 1);
      const std::size_t found = kept_.find(kName);
      kept_.resize(before);
      if (found != std::string::npos) {
        piece.remove_prefix(found + kName.size() - before);
        start_capture();
        continue;
      }
    }
    const std::size_t place = find_word(piece, kName);
    if (place == std::string_view::npos) {
      remember_end(piece);
      return;
    }
    piece.remove_prefix(place + kName.size());
    start_capture();
  }
}

void UsageScan::remember_end(std::string_view piece) {
  kept_ += piece.substr(piece.size() - std::min(piece.size(), kName.size() - 1));
  if (kept_.size() > kName.size() - 1) kept_.erase(0, kept_.size() - (kName.size() - 1));
}

void UsageScan::start_capture() {
  kept_.clear();
  phase_ = Phase::kColon;
  depth_ = 0;
  in_string_ = false;
  escaped_ = false;
}

// Takes bytes of the member's value; returns what is behind it. An object that lies whole in one piece is
// read in place.
std::string_view UsageScan::capture(std::string_view piece) {
  std::size_t begin = 0;
  while (phase_ != Phase::kObject) {
    while (begin < piece.size() && is_blank(piece[begin])) ++begin;
    if (begin == piece.size()) return {};
    const char c = piece[begin];
    if (phase_ == Phase::kColon && c == ':') {
      phase_ = Phase::kValue;
      ++begin;
    } else if (phase_ == Phase::kValue && c == '{') {
      phase_ = Phase::kObject;
    } else {
      return give_up(piece.substr(begin));
    }
  }
  if (kept_.empty()) {
    if (const auto found = read_usage_at(piece.substr(begin, kKept))) {
      usage_ = found->usage;
      return give_up(piece.substr(begin + found->end));
    }
  }
  const std::size_t room = kKept - kept_.size();
  for (std::size_t i = begin; i < piece.size(); ++i) {
    if (i - begin == room) return give_up(piece.substr(i));
    if (!closes(piece[i])) continue;
    const std::string_view object = piece.substr(begin, i + 1 - begin);
    if (!kept_.empty()) kept_ += object;
    if (auto usage = read_usage(kept_.empty() ? object : std::string_view(kept_))) usage_ = usage;
    return give_up(piece.substr(i + 1));
  }
  kept_ += piece.substr(begin);
  return {};
}

// Follows strings and brackets by one character. True at the bracket that closes the object.
bool UsageScan::closes(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return false;
  }
  if (c == '"') in_string_ = true;
  if (c == '{') ++depth_;
  return c == '}' && --depth_ == 0;
}

std::string_view UsageScan::give_up(std::string_view rest) {
  kept_.clear();
  phase_ = Phase::kSearch;
  return rest;
}

}  // namespace tidegate::dialect

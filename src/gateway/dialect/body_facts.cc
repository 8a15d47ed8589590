#include "gateway/dialect/body_facts.h"

#include <simdjson.h>

#include <charconv>
#include <string>
#include <utility>

#include "gateway/dialect/json_check.h"
#include "gateway/dialect/json_text.h"

namespace tidegate::dialect {
namespace {

namespace od = simdjson::ondemand;

// The members we act on, as bits of a set.
enum Member : std::uint32_t {
  kNone = 0,
  kModel = 1,
  kStream = 2,
  kStreamOptions = 4,
  kMaxTokens = 8,
  kMaxCompletionTokens = 16,
  kN = 32,
  kPrompt = 64,
  kCacheSalt = 128,
  kLora = 256,
  kLoraPath = 512,
  kTools = 1024,
};
// Engines and we agree on which of two prompts counts only by accident, but nothing is decided on it.
constexpr std::uint32_t kOnlyOnce =
    kModel | kStream | kStreamOptions | kMaxTokens | kMaxCompletionTokens | kN | kLora | kLoraPath;

Member member_of(std::string_view key) {
  switch (key.size()) {
    case 1:
      return key == "n" ? kN : kNone;
    case 4:
      return key == "lora" ? kLora : kNone;
    case 5:
      return key == "model" ? kModel : key == "input" ? kPrompt : key == "tools" ? kTools : kNone;
    case 6:
      return key == "stream" ? kStream : key == "prompt" ? kPrompt : kNone;
    case 8:
      return key == "messages" ? kPrompt : kNone;
    case 9:
      return key == "lora_path" ? kLoraPath : kNone;
    case 10:
      return key == "max_tokens" ? kMaxTokens : key == "cache_salt" ? kCacheSalt : kNone;
    case 14:
      return key == "stream_options" ? kStreamOptions : kNone;
    case 21:
      return key == "max_completion_tokens" ? kMaxCompletionTokens : kNone;
    default:
      return kNone;
  }
}

// An escaped key that may be one of ours: its letters are at most six bytes each.
constexpr std::size_t kEscapedKeyMax = 6 * 32;

Error not_json(const std::string& why) {
  return Error{Code::kInvalid, "", "The request body is not valid JSON: " + why + "; send one JSON object"};
}

tl::unexpected<Error> refuse(std::string_view member, std::string message) {
  return invalid(std::string(member), std::move(message));
}

std::optional<Flag> flag_of(std::string_view token) {
  if (token == "true") return Flag::kTrue;
  if (token == "false") return Flag::kFalse;
  if (token == "null") return Flag::kNull;
  return std::nullopt;
}

// Counts that are no plain number are the engine's to refuse.
std::optional<std::uint64_t> count_of(std::string_view token) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (error != std::errc{} || end != token.data() + token.size()) return std::nullopt;
  return value;
}

// One pass over one body.
class Pass {
 public:
  // `parser` and `decoded` are for what is written with escapes.
  Pass(std::string_view body, od::parser& parser, std::string& decoded)
      : body_(body), parser_(parser), decoded_(decoded) {}

  Result<BodyFacts> run() {
    JsonMembers members(body_);
    facts_.is_empty = true;
    while (members.next()) {
      facts_.is_empty = false;
      if (auto read = read_field(members.key(), members.value()); !read) return tl::unexpected(read.error());
    }
    if (!members.is_object()) return refuse("", "The request body is not a JSON object; send one");
    if (!members.fine()) {
      return tl::unexpected(members.fault() == body_.size()
                                ? not_json("it breaks off or is not UTF-8")
                                : not_json("it is broken at byte " + std::to_string(members.fault())));
    }
    facts_.open = members.open();
    if (max_completion_tokens_) facts_.max_tokens = max_completion_tokens_;
    return facts_;
  }

 private:
  Range range_of(std::string_view token) const {
    const auto begin = static_cast<std::size_t>(token.data() - body_.data());
    return {begin, begin + token.size()};
  }

  Result<void> read_field(std::string_view key, std::string_view value) {
    const Member member = member_of(key);
    if (member == kNone)
      return key.find('\\') == std::string_view::npos ? Result<void>() : judge_escaped(key);
    if ((seen_ & member & kOnlyOnce) != 0) {
      return refuse(key, "The member is given more than once in the request body; give it once");
    }
    seen_ |= member;
    return read_member(member, value);
  }

  Result<void> judge_escaped(std::string_view key) {
    if (key.size() > kEscapedKeyMax) return {};
    if (auto decoded = decode({key.data() - 1, key.size() + 2}, decoded_key_); !decoded) return decoded;
    if ((member_of(decoded_key_) & kOnlyOnce) == 0) return {};
    return refuse(decoded_key_, "The member's name is written with escapes; write it plainly");
  }

  // A string with its quotes.
  Result<void> decode(std::string_view token, std::string& into) {
    const simdjson::padded_string copy(token);
    od::document document;
    std::string_view text;
    if (parser_.iterate(copy).get(document) != simdjson::SUCCESS ||
        document.get_string().get(text) != simdjson::SUCCESS) {
      return tl::unexpected(not_json("a string holds an escape that is none"));
    }
    into = text;
    return {};
  }

  Result<void> read_member(Member member, std::string_view token) {
    switch (member) {
      case kModel:
        return read_model(token);
      case kStream: {
        const auto flag = flag_of(token);
        if (!flag) return refuse("stream", "The value is not a boolean; use true or false");
        facts_.stream = *flag;
        return {};
      }
      case kStreamOptions:
        return read_stream_options(token);
      case kMaxTokens:
        facts_.max_tokens = count_of(token);
        return {};
      case kMaxCompletionTokens:
        max_completion_tokens_ = count_of(token);
        return {};
      case kN:
        facts_.n = count_of(token);
        return {};
      case kPrompt:
        facts_.prompt = range_of(token);
        return {};
      case kTools:
        facts_.tools = range_of(token);
        return {};
      case kCacheSalt:
        facts_.cache_salt = range_of(token);
        return {};
      case kLora:
        facts_.lora = range_of(token);
        return {};
      case kLoraPath:
        facts_.lora_path = range_of(token);
        return {};
      case kNone:
        return {};
    }
    return {};
  }

  Result<void> read_model(std::string_view token) {
    facts_.model_token = range_of(token);
    if (token == "null") return {};
    if (token.size() < 2 || token.front() != '"')
      return refuse("model", "The value is not a string; name a model");
    facts_.has_model = true;
    facts_.model = token.substr(1, token.size() - 2);
    if (facts_.model.find('\\') != std::string_view::npos) {
      if (auto decoded = decode(token, decoded_); !decoded) return decoded;
      facts_.model = decoded_;
    }
    if (facts_.model.empty()) return refuse("model", "The value is empty; name a model");
    if (facts_.model.size() > kModelBytesMax) {
      return refuse("model",
                    "The name is longer than " + std::to_string(kModelBytesMax) + " bytes; name a model");
    }
    return {};
  }

  Result<void> read_stream_options(std::string_view token) {
    facts_.stream_options = range_of(token);
    if (token == "null") return {};
    if (token.empty() || token.front() != '{') {
      return refuse("stream_options",
                    "The value is not an object; use {\"include_usage\": true} or leave it out");
    }
    facts_.stream_options_is_object = true;
    facts_.stream_options_is_empty = true;

    const std::size_t base = facts_.stream_options.begin;
    JsonCursor cursor(token);
    std::string_view refused;
    std::string_view why;
    cursor.each_member([&](std::string_view key) {
      facts_.stream_options_is_empty = false;
      if (key.find('\\') != std::string_view::npos)
        why = "A name in it is written with escapes; write it plainly";
      const std::string_view word = cursor.value();
      const std::size_t begin = base + cursor.at() - word.size();
      const auto take = [&](Flag& flag, Range& range) {
        const auto given = flag_of(word);
        if (flag != Flag::kAbsent || !given) refused = key;
        flag = given.value_or(Flag::kAbsent);
        range = {begin, begin + word.size()};
      };
      if (key == "include_usage") take(facts_.include_usage, facts_.include_usage_token);
      if (key == "continuous_usage_stats") take(facts_.continuous_usage, facts_.continuous_usage_token);
    });
    if (!cursor.at_end()) return tl::unexpected(not_json("stream_options nests too deeply"));
    if (!why.empty()) return refuse("stream_options", std::string(why));
    if (!refused.empty()) {
      return refuse("stream_options." + std::string(refused),
                    "The value is not one boolean; use true or false, once");
    }
    return {};
  }

  std::string_view body_;
  od::parser& parser_;
  std::string& decoded_;  // the model
  std::string decoded_key_;
  BodyFacts facts_;
  std::uint32_t seen_ = 0;
  std::optional<std::uint64_t> max_completion_tokens_;
};

}  // namespace

struct BodyReader::State {
  explicit State(std::size_t limit) : bytes_max(limit) {}
  std::size_t bytes_max;
  od::parser parser;
  std::string decoded;
};

BodyReader::BodyReader(std::size_t bytes_max) : state_(std::make_unique<State>(bytes_max)) {}
BodyReader::~BodyReader() = default;
BodyReader::BodyReader(BodyReader&&) noexcept = default;
BodyReader& BodyReader::operator=(BodyReader&&) noexcept = default;

Result<BodyFacts> BodyReader::read(std::string_view body) {
  if (body.size() > state_->bytes_max) {
    return fail(Code::kTooLarge,
                "The request body is longer than " + std::to_string(state_->bytes_max) + " bytes");
  }
  if (body.empty()) return tl::unexpected(not_json("it is empty"));
  return Pass(body, state_->parser, state_->decoded).run();
}

}  // namespace tidegate::dialect

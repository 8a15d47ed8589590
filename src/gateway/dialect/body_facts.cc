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

static_assert(kBodyPadding >= simdjson::SIMDJSON_PADDING);

// A parser that grew for one huge body is given back once bodies are small again.
constexpr std::size_t kKeepBytes = std::size_t{2} << 20;

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
};
// Engines and we agree on which of two prompts counts only by accident, but nothing is decided on it.
constexpr std::uint32_t kOnlyOnce =
    kModel | kStream | kStreamOptions | kMaxTokens | kMaxCompletionTokens | kN;

Member member_of(std::string_view key) {
  switch (key.size()) {
    case 1:
      return key == "n" ? kN : kNone;
    case 5:
      return key == "model" ? kModel : key == "input" ? kPrompt : kNone;
    case 6:
      return key == "stream" ? kStream : key == "prompt" ? kPrompt : kNone;
    case 8:
      return key == "messages" ? kPrompt : kNone;
    case 10:
      return key == "max_tokens" ? kMaxTokens : kNone;
    case 14:
      return key == "stream_options" ? kStreamOptions : kNone;
    case 21:
      return key == "max_completion_tokens" ? kMaxCompletionTokens : kNone;
    default:
      return kNone;
  }
}

// Longer keys are none of ours.
constexpr std::size_t kKeyMax = 32;

std::string_view trimmed(std::string_view token) {
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) {
    token.remove_suffix(1);
  }
  return token;
}

Error not_json(simdjson::error_code error) {
  const char* why = "its structure is broken";
  switch (error) {
    case simdjson::UTF8_ERROR:
      why = "it is not UTF-8";
      break;
    case simdjson::UNCLOSED_STRING:
      why = "a string is not closed";
      break;
    case simdjson::UNESCAPED_CHARS:
      why = "a string holds a control character that is not escaped";
      break;
    case simdjson::STRING_ERROR:
      why = "a string holds an escape that is none";
      break;
    case simdjson::EMPTY:
      why = "it is empty";
      break;
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      why = "a bracket is not closed";
      break;
    default:
      break;
  }
  return Error{Code::kInvalid, "",
               std::string("The request body is not valid JSON: ") + why + "; send one JSON object"};
}

Error broken_at(std::size_t place) {
  return Error{Code::kInvalid, "",
               "The request body is not valid JSON: its structure is broken at byte " +
                   std::to_string(place) + "; send one JSON object"};
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
  explicit Pass(std::string_view body) : body_(body) {}

  Result<BodyFacts> run(od::parser& parser) {
    if (const std::size_t fault = json_fault(body_); fault != kJsonFine)
      return tl::unexpected(broken_at(fault));
    od::document document;
    const auto parsed = parser.iterate(body_.data(), body_.size(), body_.size() + kBodyPadding).get(document);
    if (parsed != simdjson::SUCCESS) return tl::unexpected(not_json(parsed));
    od::object object;
    if (const auto error = document.get_object().get(object); error != simdjson::SUCCESS) {
      if (error == simdjson::INCORRECT_TYPE)
        return refuse("", "The request body is not a JSON object; send one");
      return tl::unexpected(not_json(error));
    }
    facts_.open = body_.find('{') + 1;
    facts_.is_empty = true;
    for (auto field : object) {
      if (field.error() != simdjson::SUCCESS) return tl::unexpected(not_json(field.error()));
      facts_.is_empty = false;
      if (auto read = read_field(field.value_unsafe()); !read) return tl::unexpected(read.error());
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      return tl::unexpected(not_json(simdjson::TAPE_ERROR));
    }
    if (!facts_.max_tokens || max_completion_tokens_) {
      facts_.max_tokens = max_completion_tokens_ ? max_completion_tokens_ : facts_.max_tokens;
    }
    return facts_;
  }

 private:
  Range range_of(std::string_view token) const {
    const auto begin = static_cast<std::size_t>(token.data() - body_.data());
    return {begin, begin + token.size()};
  }

  Result<void> read_field(od::field field) {
    const char* raw = field.key().raw();
    const std::size_t room = std::min(kKeyMax, static_cast<std::size_t>(body_.data() + body_.size() - raw));
    std::size_t length = 0;
    while (length < room && raw[length] != '"' && raw[length] != '\\') ++length;
    if (length == room)
      return {};  // too long to be ours, unless escapes make it so: each is at least two bytes
    if (raw[length] == '\\') return read_escaped_key(field);
    const Member member = member_of({raw, length});
    if (member == kNone) return {};
    if ((seen_ & member & kOnlyOnce) != 0) {
      return refuse({raw, length}, "The member is given more than once in the request body; give it once");
    }
    seen_ |= member;
    return read_member(member, field.value());
  }

  Result<void> read_escaped_key(od::field& field) const {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key); error != simdjson::SUCCESS) {
      return tl::unexpected(not_json(error));
    }
    if ((member_of(key) & kOnlyOnce) == 0) return {};
    return refuse(key, "The member's name is written with escapes; write it plainly");
  }

  Result<void> read_member(Member member, od::value value) {
    const std::string_view token = trimmed(value.raw_json_token());
    switch (member) {
      case kModel:
        return read_model(value, token);
      case kStream: {
        const auto flag = flag_of(token);
        if (!flag) return refuse("stream", "The value is not a boolean; use true or false");
        facts_.stream = *flag;
        return {};
      }
      case kStreamOptions:
        return read_stream_options(value, token);
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
        return read_prompt(value, token);
      case kNone:
        return {};
    }
    return {};
  }

  Result<void> read_model(od::value& value, std::string_view token) {
    facts_.model_token = range_of(token);
    if (token == "null") return {};
    if (token.size() < 2 || token.front() != '"')
      return refuse("model", "The value is not a string; name a model");
    facts_.has_model = true;
    facts_.model = token.substr(1, token.size() - 2);
    if (facts_.model.find('\\') != std::string_view::npos) {
      if (const auto error = value.get_string().get(facts_.model); error != simdjson::SUCCESS) {
        return tl::unexpected(not_json(error));
      }
    }
    if (facts_.model.empty()) return refuse("model", "The value is empty; name a model");
    if (facts_.model.size() > kModelBytesMax) {
      return refuse("model",
                    "The name is longer than " + std::to_string(kModelBytesMax) + " bytes; name a model");
    }
    return {};
  }

  // The characters of a container or scalar, which the iterator then has behind it.
  Result<std::string_view> whole(od::value& value, std::string_view token) const {
    std::string_view text = token;
    simdjson::error_code error = simdjson::SUCCESS;
    if (token.front() == '{') {
      od::object object;
      error = value.get_object().get(object);
      if (error == simdjson::SUCCESS) error = object.raw_json().get(text);
    } else if (token.front() == '[') {
      od::array array;
      error = value.get_array().get(array);
      if (error == simdjson::SUCCESS) error = array.raw_json().get(text);
    }
    if (error != simdjson::SUCCESS) return tl::unexpected(not_json(error));
    return trimmed(text);
  }

  Result<void> read_prompt(od::value& value, std::string_view token) {
    auto text = whole(value, token);
    if (!text) return tl::unexpected(text.error());
    facts_.prompt = range_of(*text);
    return {};
  }

  Result<void> read_stream_options(od::value& value, std::string_view token) {
    facts_.stream_options = range_of(token);
    if (token == "null") return {};
    if (token.empty() || token.front() != '{') {
      return refuse("stream_options",
                    "The value is not an object; use {\"include_usage\": true} or leave it out");
    }
    auto text = whole(value, token);
    if (!text) return tl::unexpected(text.error());
    facts_.stream_options = range_of(*text);
    facts_.stream_options_is_object = true;
    facts_.stream_options_is_empty = true;

    const std::size_t base = facts_.stream_options.begin;
    JsonCursor cursor(*text);
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
    if (!cursor.at_end()) return tl::unexpected(not_json(simdjson::TAPE_ERROR));
    if (!why.empty()) return refuse("stream_options", std::string(why));
    if (!refused.empty()) {
      return refuse("stream_options." + std::string(refused),
                    "The value is not one boolean; use true or false, once");
    }
    return {};
  }

  std::string_view body_;
  BodyFacts facts_;
  std::uint32_t seen_ = 0;
  std::optional<std::uint64_t> max_completion_tokens_;
};

}  // namespace

struct BodyReader::State {
  explicit State(std::size_t limit) : bytes_max(limit) {}
  std::size_t bytes_max;
  od::parser parser;
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
  if (body.empty()) return tl::unexpected(not_json(simdjson::EMPTY));
  if (state_->parser.capacity() > kKeepBytes && body.size() < kKeepBytes) state_->parser = od::parser();
  return Pass(body).run(state_->parser);
}

}  // namespace tidegate::dialect

#include "engine/serve/draft.h"

namespace tidegate::serve {
namespace {

// Documents above this are read with a parser that is thrown away, so that one large request does not stay in
// memory.
constexpr std::size_t kKeptBytesMax = 256 * 1024;

tl::unexpected<ApiError> not_json(simdjson::error_code code) {
  return bad_shape("json_invalid", "", std::string("JSON decode error: ") + simdjson::error_message(code));
}

}  // namespace

struct BodyReader::State {
  simdjson::dom::parser parser;
};

BodyReader::BodyReader() : state_(std::make_unique<State>()) {}
BodyReader::~BodyReader() = default;

namespace {

// Calls `read` with the root object of `body`.
template <typename T, typename Body>
ApiResult<T> with_object(simdjson::dom::parser& kept, std::string_view body, Body read) {
  std::unique_ptr<simdjson::dom::parser> large;
  if (body.size() > kKeptBytesMax) large = std::make_unique<simdjson::dom::parser>();
  simdjson::dom::parser& parser = large ? *large : kept;
  Json root;
  if (const auto code = parser.parse(body.data(), body.size()).get(root); code != simdjson::SUCCESS) {
    return not_json(code);
  }
  simdjson::dom::object object;
  if (root.get(object) != simdjson::SUCCESS) {
    return bad_shape("model_attributes_type", "", "Input should be a valid dictionary");
  }
  return read(object);
}

}  // namespace

ApiResult<GenerateRequest> BodyReader::generate(Api api, std::string_view body, const RequestRules& rules) {
  return with_object<GenerateRequest>(state_->parser, body,
                                      [&](simdjson::dom::object object) -> ApiResult<GenerateRequest> {
                                        Draft draft(api, rules);
                                        for (const auto& [name, value] : object) {
                                          if (auto read = read_field(draft, name, value); !read)
                                            return tl::unexpected(read.error());
                                        }
                                        return settle(std::move(draft));
                                      });
}

bool BodyReader::has_messages(std::string_view body) {
  const auto found =
      with_object<bool>(state_->parser, body, [](simdjson::dom::object object) -> ApiResult<bool> {
        return object.at_key("messages").error() == simdjson::SUCCESS;
      });
  return found && *found;
}

ApiResult<TokenizeRequest> BodyReader::tokenize(std::string_view body) {
  return with_object<TokenizeRequest>(
      state_->parser, body, [&](simdjson::dom::object object) -> ApiResult<TokenizeRequest> {
        TokenizeRequest request;
        bool messages = false;
        bool special_given = false;
        for (const auto& [name, value] : object) {
          ApiResult<void> read;
          if (name == "model") {
            read = read_text(value, name, request.model);
          } else if (name == "prompt") {
            request.prompt.emplace();
            read = read_text(value, name, *request.prompt);
          } else if (name == "messages") {
            messages = true;
            read = read_messages(request.chat, value, name);
          } else if (name == "add_special_tokens") {
            special_given = true;
            read = read_bool(value, name, request.add_special_tokens);
          } else if (name == "return_token_strs") {
            read = read_bool(value, name, request.return_token_strs);
          } else if (name == "add_generation_prompt") {
            read = read_bool(value, name, request.chat.add_generation_prompt);
          } else if (name == "continue_final_message") {
            read = read_bool(value, name, request.chat.continue_final_message);
          }
          if (!read) return tl::unexpected(read.error());
        }
        if (!request.prompt && !messages) return bad_shape("missing", "prompt", "Field required");
        if (!request.prompt && !special_given) request.add_special_tokens = false;
        return request;
      });
}

ApiResult<DetokenizeRequest> BodyReader::detokenize(std::string_view body, std::size_t vocabulary) {
  return with_object<DetokenizeRequest>(state_->parser, body,
                                        [&](simdjson::dom::object object) -> ApiResult<DetokenizeRequest> {
                                          DetokenizeRequest request;
                                          Json tokens;
                                          if (object.at_key("tokens").get(tokens) != simdjson::SUCCESS) {
                                            return bad_shape("missing", "tokens", "Field required");
                                          }
                                          auto ids = read_tokens(tokens, "tokens", vocabulary);
                                          if (!ids) return tl::unexpected(ids.error());
                                          request.tokens = *std::move(ids);
                                          Json model;
                                          if (object.at_key("model").get(model) == simdjson::SUCCESS) {
                                            if (auto read = read_text(model, "model", request.model); !read)
                                              return tl::unexpected(read.error());
                                          }
                                          return request;
                                        });
}

ApiResult<AdapterRequest> BodyReader::adapter(std::string_view body) {
  return with_object<AdapterRequest>(state_->parser, body,
                                     [&](simdjson::dom::object object) -> ApiResult<AdapterRequest> {
                                       AdapterRequest request;
                                       for (const auto& [name, value] : object) {
                                         ApiResult<void> read;
                                         if (name == "lora_name") read = read_text(value, name, request.name);
                                         if (name == "lora_path") read = read_text(value, name, request.path);
                                         if (name == "load_inplace")
                                           read = read_bool(value, name, request.load_inplace);
                                         if (!read) return tl::unexpected(read.error());
                                       }
                                       return request;
                                     });
}

}  // namespace tidegate::serve

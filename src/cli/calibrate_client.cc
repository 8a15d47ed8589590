#include "cli/calibrate_client.h"

#include <netdb.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "http/sse.h"
#include "net/tls.h"

namespace tidegate::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kQuotedMax = 200;
constexpr std::size_t kBodyBytesMax = 16 * 1024 * 1024;
constexpr std::size_t kTokensMax = 1'000'000;
constexpr Duration kPatience = std::chrono::seconds(120);
constexpr std::string_view kSampleText =
    "The quick harbor keeps small bridges open while seven busy markets move their orders, and every engine "
    "answers a different question about flights, hotels, prices, cities and dates before the tide comes in.";

Result<net::Address> resolve(const std::string& host, std::uint16_t port) {
  if (auto literal = net::Address::parse(host, port)) return literal;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0 || found == nullptr) {
    return fail(Code::kUnavailable, "names the host " + host + ", which cannot be resolved: " + gai_strerror(error),
                "--calibrate");
  }
  sockaddr_storage raw{};
  std::copy_n(reinterpret_cast<const char*>(found->ai_addr), std::min<std::size_t>(found->ai_addrlen, sizeof raw),
              reinterpret_cast<char*>(&raw));
  freeaddrinfo(found);
  return net::Address::from(raw);
}

http::ClientOptions options_of(const CalibrationTarget& target) {
  http::ClientOptions options;
  options.idle_per_address_max = 256;
  options.tls = target.tls;
  options.server_name = target.server_name;
  return options;
}

// The value of a label in the first sample of a series, as Prometheus' text has it.
std::optional<std::size_t> label_of(std::string_view page, std::string_view series, std::string_view label) {
  std::size_t at = page.find("\n" + std::string(series) + "{");
  if (at == std::string_view::npos) return {};
  std::string_view line = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
  const std::string wanted = std::string(label) + "=\"";
  at = line.find(wanted);
  if (at == std::string_view::npos) return {};
  line = line.substr(at + wanted.size());
  std::size_t value = 0;
  if (std::from_chars(line.data(), line.data() + line.size(), value).ec != std::errc()) return {};
  return value;
}

Result<void> read_models(const std::string& text, ServerFacts& facts) {
  const Json page = Json::parse(text, nullptr, false);
  const auto list = page.is_object() ? page.find("data") : page.end();
  if (!page.is_object() || list == page.end() || !list->is_array()) {
    return fail(Code::kInvalid, "/v1/models of the server is no list of models");
  }
  for (const Json& card : *list) {
    if (!card.is_object() || !card.contains("id") || !card["id"].is_string()) continue;
    const std::string id = card["id"].get<std::string>();
    if (card.contains("parent") && card["parent"].is_string()) {
      facts.adapters.push_back(id);
    } else if (facts.model.empty()) {
      facts.model = id;
      const auto most = card.find("max_model_len");
      if (most != card.end() && most->is_number_unsigned()) facts.context_max = most->get<std::size_t>();
    }
  }
  if (facts.model.empty()) return fail(Code::kInvalid, "/v1/models of the server names no base model");
  facts.context_max = std::min(facts.context_max, kTokensMax);
  return {};
}

Result<void> read_tokens(const std::string& text, ServerFacts& facts) {
  const Json page = Json::parse(text, nullptr, false);
  std::set<std::int32_t> tokens;
  if (page.is_object() && page.contains("tokens") && page["tokens"].is_array()) {
    for (const Json& token : page["tokens"]) {
      if (token.is_number_integer()) tokens.insert(token.get<std::int32_t>());
    }
  }
  constexpr std::size_t kFew = 8;
  if (tokens.size() < kFew) return fail(Code::kInvalid, "/tokenize of the server gave no tokens for a text");
  facts.tokens.assign(tokens.begin(), tokens.end());
  return {};
}

std::string body_of(const CalibrationAsk& ask) {
  const Json body = {{"model", ask.model},
                     {"prompt", ask.prompt},
                     {"max_tokens", ask.answer},
                     {"ignore_eos", true},
                     {"temperature", 0},
                     {"stream", true},
                     {"stream_options", {{"include_usage", true}, {"continuous_usage_stats", true}}}};
  return body.dump();
}

// Appends what an event of the stream says. False for an event that is an error.
bool note(std::string_view data, double ms, CalibrationTold& told) {
  const Json event = Json::parse(data, nullptr, false);
  if (!event.is_object() || event.contains("error")) return false;
  std::size_t tokens = told.events.empty() ? 1 : told.events.back().tokens + 1;
  const auto usage = event.find("usage");
  const bool counted = usage != event.end() && usage->is_object() && usage->contains("completion_tokens") &&
                       (*usage)["completion_tokens"].is_number_unsigned();
  if (counted) tokens = (*usage)["completion_tokens"].get<std::size_t>();
  const auto choices = event.find("choices");
  const bool speaks = choices != event.end() && choices->is_array() && !choices->empty();
  if (!speaks || tokens == 0) return true;
  if (told.events.empty() || tokens > told.events.back().tokens) told.events.push_back({ms, tokens});
  return true;
}

}  // namespace

Result<CalibrationTarget> target_of(std::string_view url, std::string_view api_key) {
  CalibrationTarget target;
  target.api_key = api_key;
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) {
    return invalid("--calibrate", "is \"" + std::string(url) + "\"; use a URL like http://127.0.0.1:8000");
  }
  url.remove_prefix(tls ? 8 : 7);
  const std::size_t slash = url.find('/');
  target.host = url.substr(0, slash);
  target.base = slash == std::string_view::npos ? "" : url.substr(slash);
  while (target.base.ends_with("/")) target.base.pop_back();
  if (target.base.ends_with("/v1")) target.base.resize(target.base.size() - 3);
  std::string name = target.host;
  std::uint16_t port = tls ? 443 : 80;
  const std::size_t colon = name.rfind(':');
  if (colon != std::string::npos && name.find(']', colon) == std::string::npos) {
    const char* const end = name.data() + name.size();
    const auto read = std::from_chars(name.data() + colon + 1, end, port);
    if (read.ec != std::errc() || read.ptr != end || port == 0) {
      return invalid("--calibrate", "has no port from 1 to 65535 after the colon");
    }
    name.resize(colon);
  }
  if (name.starts_with("[") && name.ends_with("]")) name = name.substr(1, name.size() - 2);
  if (name.empty()) return invalid("--calibrate", "names no host");
  const auto address = resolve(name, port);
  if (!address) return tl::unexpected(address.error());
  target.address = *address;
  if (tls) {
    auto made = net::TlsClient::make({});
    if (!made) return tl::unexpected(made.error());
    target.tls = *std::move(made);
    target.server_name = name;
  }
  return target;
}

CalibrationClient::CalibrationClient(net::Loop& loop, const Clock& clock, CalibrationTarget target)
    : clock_(clock), began_(clock.now()), target_(std::move(target)), client_(loop, options_of(target_)) {}

http::ClientRequest CalibrationClient::request(std::string method, const std::string& path, std::string body) const {
  http::ClientRequest made;
  made.method = std::move(method);
  made.target = target_.base + path;
  made.headers = {{"Host", target_.host}, {"User-Agent", "tidegate-calibrate"}};
  if (!body.empty()) made.headers.emplace_back("Content-Type", "application/json");
  if (!target_.api_key.empty()) made.headers.emplace_back("Authorization", "Bearer " + target_.api_key);
  made.body = std::move(body);
  return made;
}

net::Task<Result<std::string>> CalibrationClient::get(std::string method, std::string path, std::string body) {
  const http::ClientRequest asked = request(std::move(method), path, std::move(body));
  Result<http::Response> answer = co_await client_.fetch(target_.address, asked, clock_.now() + kPatience);
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->status != 200) {
    co_return fail(Code::kInvalid, path + " of the server answers " + std::to_string(answer->status) + ": " +
                                       answer->body.substr(0, kQuotedMax));
  }
  co_return std::move(answer->body);
}

net::Task<Result<ServerFacts>> CalibrationClient::facts() {
  ServerFacts facts;
  const Result<std::string> models = co_await get("GET", "/v1/models", "");
  if (!models) co_return tl::unexpected(models.error());
  if (auto read = read_models(*models, facts); !read) co_return tl::unexpected(read.error());
  const Json question = {{"model", facts.model}, {"prompt", kSampleText}, {"add_special_tokens", false}};
  std::string question_text = question.dump();
  const Result<std::string> tokens = co_await get("POST", "/tokenize", std::move(question_text));
  if (!tokens) co_return tl::unexpected(tokens.error());
  if (auto read = read_tokens(*tokens, facts); !read) co_return tl::unexpected(read.error());
  const Result<std::string> page = co_await get("GET", "/metrics", "");
  if (page) {
    facts.blocks = label_of(*page, "vllm:cache_config_info", "num_gpu_blocks");
    facts.block_tokens = label_of(*page, "vllm:cache_config_info", "block_size");
    facts.adapter_slots = label_of(*page, "vllm:lora_requests_info", "max_lora");
  }
  co_return facts;
}

net::Task<Result<CalibrationTold>> CalibrationClient::ask(const CalibrationAsk& ask) {
  const http::ClientRequest asked = request("POST", "/v1/completions", body_of(ask));
  const TimePoint deadline = clock_.now() + kPatience;
  CalibrationTold told;
  told.sent_ms = now_ms();
  Result<http::Exchange> exchange = co_await client_.open(target_.address, asked, deadline);
  if (!exchange) co_return tl::unexpected(exchange.error());
  const int status = exchange->head().status;
  http::SseScanner scanner;
  std::string refused;
  bool good = true;
  while (true) {
    const Result<std::string_view> piece = co_await exchange->read(deadline);
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    if (status != 200) {
      if (refused.size() + piece->size() <= kBodyBytesMax) refused += *piece;
      continue;
    }
    const double ms = now_ms();
    const Result<void> fed = scanner.feed(*piece, [&](const http::SseScanner::Event& event) {
      if (event.data.empty() || event.data == "[DONE]") return;
      if (!note(event.data, ms, told)) {
        good = false;
        refused = event.data.substr(0, kQuotedMax);
      }
    });
    if (!fed) co_return tl::unexpected(fed.error());
  }
  if (status != 200 || !good) {
    co_return fail(Code::kInvalid, "the server answers " + std::to_string(status) + ": " + refused.substr(0, kQuotedMax));
  }
  if (told.events.empty()) co_return fail(Code::kInvalid, "the server's stream held no tokens");
  co_return told;
}

}  // namespace tidegate::cli

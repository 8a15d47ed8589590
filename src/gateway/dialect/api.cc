#include "gateway/dialect/api.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/ascii.h"

namespace tidegate::dialect {
namespace {

// Longer paths are none of ours.
constexpr std::size_t kPathMax = 128;

struct Known {
  std::string_view path;
  Api api;
};

// Of POST.
constexpr std::array kInference = {
    Known{"/v1/chat/completions", Api::kChat},
    Known{"/v1/completions", Api::kCompletions},
    Known{"/v1/responses", Api::kResponses},
    Known{"/v1/messages", Api::kMessages},
    Known{"/v1/messages/count_tokens", Api::kTokenize},
    Known{"/v1/embeddings", Api::kEmbeddings},
    Known{"/v1/pooling", Api::kEmbeddings},
    Known{"/v1/score", Api::kEmbeddings},
    Known{"/v1/rerank", Api::kEmbeddings},
    Known{"/v2/rerank", Api::kEmbeddings},
    Known{"/v1/classify", Api::kEmbeddings},
    Known{"/pooling", Api::kEmbeddings},
    Known{"/score", Api::kEmbeddings},
    Known{"/rerank", Api::kEmbeddings},
    Known{"/classify", Api::kEmbeddings},
    Known{"/v1/audio/transcriptions", Api::kMedia},
    Known{"/v1/audio/translations", Api::kMedia},
    Known{"/v1/audio/speech", Api::kMedia},
    Known{"/v1/images/generations", Api::kMedia},
    Known{"/v1/images/edits", Api::kMedia},
    Known{"/v1/images/variations", Api::kMedia},
    Known{"/tokenize", Api::kTokenize},
    Known{"/detokenize", Api::kTokenize},
};

// Of any method. Only names the reason: what is on no list is refused as well (kOther).
constexpr std::array<std::string_view, 26> kAdministration = {
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/sleep",
    "/wake_up",
    "/is_sleeping",
    "/pause",
    "/resume",
    "/is_paused",
    "/reset_prefix_cache",
    "/reset_mm_cache",
    "/reset_encoder_cache",
    "/server_info",
    "/collective_rpc",
    "/metrics",
    "/load",
    "/health",
    "/ping",
    "/version",
    "/invocations",
    "/start_profile",
    "/stop_profile",
    "/tokenizer_info",
    "/scale_elastic_ep",
    "/is_scaling_elastic_ep",
    "/abort_requests",
    "/admin/config",
};

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = ascii::lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

// Decoded, "//" folded, without closing "/". Empty if too long.
std::string_view plain_path(std::string_view target, std::array<char, kPathMax>& buffer) {
  target = target.substr(0, std::min(target.find('?'), target.find('#')));
  std::size_t length = 0;
  for (std::size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%' && i + 2 < target.size() && hex(target[i + 1]) >= 0 && hex(target[i + 2]) >= 0) {
      c = static_cast<char>(hex(target[i + 1]) * 16 + hex(target[i + 2]));
      i += 2;
    }
    if (c == '/' && length > 0 && buffer[length - 1] == '/') continue;
    if (length == buffer.size()) return {};
    buffer[length++] = c;
  }
  while (length > 1 && buffer[length - 1] == '/') --length;
  return {buffer.data(), length};
}

}  // namespace

Api classify(std::string_view method, std::string_view target) {
  if (method == "POST") {
    // As clients write it, nearly always: no decoding needed.
    for (const Known& known : kInference) {
      if (target == known.path) return known.api;
    }
  }
  std::array<char, kPathMax> buffer;
  const std::string_view path = plain_path(target, buffer);
  if (method == "POST") {
    for (const Known& known : kInference) {
      if (path == known.path) return known.api;
    }
  }
  if ((method == "GET" || method == "HEAD") && (path == "/v1/models" || path.starts_with("/v1/models/"))) {
    return Api::kModels;
  }
  const auto same = [&](std::string_view name) { return ascii::equals_ignoring_case(name, path); };
  if (std::any_of(kAdministration.begin(), kAdministration.end(), same)) return Api::kAdmin;
  return Api::kOther;
}

std::string_view name_of(Api api) {
  switch (api) {
    case Api::kCompletions:
      return "completions";
    case Api::kChat:
      return "chat";
    case Api::kResponses:
      return "responses";
    case Api::kMessages:
      return "messages";
    case Api::kEmbeddings:
      return "embeddings";
    case Api::kMedia:
      return "media";
    case Api::kTokenize:
      return "tokenize";
    case Api::kModels:
      return "models";
    case Api::kAdmin:
      return "admin";
    case Api::kOther:
      return "other";
  }
  return "other";
}

}  // namespace tidegate::dialect

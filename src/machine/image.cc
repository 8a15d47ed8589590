#include "machine/image.h"

#include <algorithm>

namespace tidegate::machine {
namespace {

std::vector<ImageRule> built_in_rules() {
  return {
      {"*/vllm*", RunAs::kEngine, {}},
      {"vllm*", RunAs::kEngine, {}},
      {"*vllm-openai*", RunAs::kEngine, {}},
      {"*lora-syncer*", RunAs::kSkip, "adapters are loaded from the engine's own flags here"},
  };
}

bool starts_vllm(const std::vector<std::string>& words) {
  const bool serve = words.size() >= 2 && words[0] == "vllm" && words[1] == "serve";
  return serve || std::any_of(words.begin(), words.end(), [](const std::string& word) {
           return word.find("vllm.entrypoints.openai.api_server") != std::string::npos ||
                  word.find("vllm serve ") != std::string::npos;
         });
}

}  // namespace

std::string_view describe(EngineMode mode) {
  switch (mode) {
    case EngineMode::kSimulate:
      return "tidegate engine --simulate";
    case EngineMode::kCpu:
      return "tidegate engine";
    case EngineMode::kVllm:
      return "the vllm on PATH";
  }
  return {};
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view image_repository(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const std::size_t slash = image.rfind('/');
  const std::size_t colon = image.rfind(':');
  const bool tagged = colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  return tagged ? image.substr(0, colon) : image;
}

Result<ImageMap> ImageMap::make(EngineMode mode, const std::vector<std::string>& user_rules) {
  std::vector<ImageRule> rules;
  for (const std::string& text : user_rules) {
    const std::size_t equals = text.rfind('=');
    const std::string word = equals == std::string::npos ? "" : text.substr(equals + 1);
    ImageRule rule{text.substr(0, equals), RunAs::kUnknown, {}};
    if (word == "engine") rule.run_as = RunAs::kEngine;
    if (word == "host") rule.run_as = RunAs::kHost;
    if (word == "skip") rule.run_as = RunAs::kSkip;
    if (rule.pattern.empty() || rule.run_as == RunAs::kUnknown) {
      return invalid("--image",
                     "'" + text + "' is no rule; write PATTERN=engine, PATTERN=host or PATTERN=skip");
    }
    rules.push_back(std::move(rule));
  }
  for (ImageRule& rule : built_in_rules()) rules.push_back(std::move(rule));
  return ImageMap(mode, std::move(rules));
}

ImageChoice ImageMap::choose(std::string_view image, const std::vector<std::string>& words) const {
  const std::string_view repository = image_repository(image);
  for (const ImageRule& rule : rules_) {
    if (!matches_pattern(rule.pattern, repository)) continue;
    std::string why = "matches " + rule.pattern + ": ";
    switch (rule.run_as) {
      case RunAs::kEngine:
        why += "runs as " + std::string(describe(mode_));
        break;
      case RunAs::kHost:
        why += "runs its command with this machine's programs";
        break;
      case RunAs::kSkip:
        why += "is not run";
        break;
      case RunAs::kUnknown:
        break;
    }
    if (!rule.why.empty()) why += "; " + rule.why;
    return {rule.run_as, std::move(why)};
  }
  if (starts_vllm(words)) {
    return {RunAs::kEngine, "starts vLLM's server: runs as " + std::string(describe(mode_))};
  }
  return {RunAs::kUnknown,
          "no rule says how image \"" + std::string(image) + "\" runs on this machine; add --image '" +
              std::string(repository) +
              "=host' to run its command with local programs, '=engine' to answer for it as vLLM, or "
              "'=skip' to leave it out"};
}

}  // namespace tidegate::machine

// What constrains an output: whatever comes is refused with a reason, or whoever follows its masks token by
// token is never stuck. The first byte chooses the kind of source, the second how tokens are chosen.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/random.h"
#include "engine/guide/guide.h"

using namespace tidegate;
using namespace tidegate::guide;

namespace {

constexpr Token kEos = 256;

// All bytes, an end, and some longer tokens.
std::shared_ptr<const Vocabulary> vocabulary() {
  static const auto made = [] {
    constexpr std::string_view kLonger[] = {"{\"", "\":", "true", "null", "}]",
                                            "abc", "ab",  "日",   "\n  ", "12"};
    const auto bytes = [=](Token token) {
      if (token < kEos) return std::string(1, static_cast<char>(token));
      return token == kEos ? std::string() : std::string(kLonger[token - kEos - 1]);
    };
    return std::make_shared<const Vocabulary>(kEos + 1 + std::size(kLonger), bytes, std::span(&kEos, 1));
  }();
  return made;
}

void follow(const Source& source, std::uint64_t seed) {
  auto made = Guide::make(source, vocabulary());
  if (!made) {
    TG_CHECK(made.error().code == Code::kInvalid && !describe(made.error()).empty());
    return;
  }
  Random random(seed);
  Follower follower;
  std::size_t work = kRequestWork;
  std::vector<Token> output;
  std::string text;
  for (int step = 0; step < 60; ++step) {
    const auto mask = follower.next(1, **made, output, work);
    if (!mask) {
      TG_CHECK(mask.error().message.starts_with("is too ambiguous"));
      return;
    }
    TG_CHECK((*mask)->count > 0);
    auto token = static_cast<Token>(random.below(vocabulary()->size()));
    while (!(*mask)->allows(token)) token = (token + 1) % static_cast<Token>(vocabulary()->size());
    if (token == kEos) {
      const bool json = source.kind == Source::Kind::kJsonObject || source.kind == Source::Kind::kJsonSchema;
      TG_CHECK(!json || nlohmann::json::accept(text));
      return;
    }
    output.push_back(token);
    text += vocabulary()->bytes(token);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Source source{static_cast<Source::Kind>(data[0] % 4),
                      std::string(reinterpret_cast<const char*>(data) + 2, size - 2), data[1] % 2 == 0};
  follow(source, data[1]);
  return 0;
}

#include "engine/latency/step_model.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

namespace tidegate::latency {
namespace {

struct Figure {
  std::string_view name;
  double Profile::*member;
  double most;
};

constexpr double kHourMs = 3'600'000;
constexpr std::array<Figure, 10> kFigures = {{{"fixed-ms", &Profile::fixed_ms, kHourMs},
                                              {"context-us", &Profile::context_us, kHourMs},
                                              {"square-ms", &Profile::prefill_square_ms, kHourMs},
                                              {"sequence-ms", &Profile::sequence_ms, kHourMs},
                                              {"prefill-ms", &Profile::prefill_fixed_ms, kHourMs},
                                              {"adapter-base", &Profile::adapter_base, 1000},
                                              {"adapter-each", &Profile::adapter_each, 1000},
                                              {"slot-load-ms", &Profile::slot_load_ms, kHourMs},
                                              {"adapter-read-ms", &Profile::adapter_read_ms, kHourMs},
                                              {"jitter", &Profile::jitter, 2}}};
constexpr std::string_view kLinear = "linear-ms";

std::optional<double> number(std::string_view text, double most) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= most)) return {};
  return value;
}

std::string_view cut(std::string_view& rest, char mark) {
  const std::size_t at = rest.find(mark);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return part;
}

Result<void> read_linear(Profile& profile, std::string_view text) {
  profile.linear = {};
  std::size_t count = 0;
  double before = 0;
  while (!text.empty()) {
    std::string_view ms = cut(text, '/');
    const auto tokens = number(cut(ms, ':'), 1e9);
    const auto time = number(ms, kHourMs);
    if (!tokens || !time || *tokens <= before || count == profile.linear.size()) {
      return invalid(std::string(kLinear),
                     "must be up to 9 points tokens:ms with rising tokens, like 1:9.3/64:9.7/512:33.4");
    }
    profile.linear[count++] = {*tokens, *time};
    before = *tokens;
  }
  return {};
}

// Short, and the same number again to six digits.
std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string names() {
  std::string all(kLinear);
  for (const Figure& figure : kFigures) all += ", " + std::string(figure.name);
  return all;
}

}  // namespace

Result<Profile> with_step_model(Profile profile, std::string_view text) {
  while (!text.empty()) {
    std::string_view value = cut(text, ',');
    const std::string_view name = cut(value, '=');
    if (name == kLinear) {
      if (auto read = read_linear(profile, value); !read) return tl::unexpected(read.error());
      continue;
    }
    const Figure* known = nullptr;
    for (const Figure& figure : kFigures) {
      if (figure.name == name) known = &figure;
    }
    if (known == nullptr) return invalid("\"" + std::string(name) + "\"", "is no figure of the model; use " + names());
    const auto read = number(value, known->most);
    if (!read) {
      return invalid(std::string(name), "is \"" + std::string(value) + "\"; use a number from 0 to " + text_of(known->most));
    }
    profile.*(known->member) = *read;
  }
  return profile;
}

std::string step_model_text(const Profile& profile) {
  std::string points;
  for (const LinearPoint& point : profile.linear) {
    if (point.tokens <= 0) break;
    points += (points.empty() ? "" : "/") + text_of(point.tokens) + ":" + text_of(point.ms);
  }
  std::string text = std::string(kLinear) + "=" + points;
  for (const Figure& figure : kFigures) {
    text += "," + std::string(figure.name) + "=" + text_of(profile.*(figure.member));
  }
  return text;
}

}  // namespace tidegate::latency

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "base/random.h"
#include "resource/json.h"

namespace tidegate::resource {
namespace {

std::string by_library(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

TEST(JsonText, SaysWhatTheLibrarySays) {
  const Json values = {
      nullptr,
      true,
      false,
      0,
      -1,
      std::numeric_limits<std::int64_t>::min(),
      std::numeric_limits<std::uint64_t>::max(),
      0.1,
      -0.0,
      1e300,
      5e-324,
      3.0,
      std::numeric_limits<double>::infinity(),
      "",
      "plain",
      Json::array(),
      Json::object(),
      {1, {2, {3}}},
      {{"a", {{"b", Json::array()}, {"", "empty key"}}}, {"quo\"ted", {"x", "y"}}},
      "\xc3\xa9t\xc3\xa9 \xf0\x9f\x8c\x8a",  // UTF-8
      "cut \xf0\x9f\x8c",
      "\xff\xfe",
      "\xc0\xaf",  // and not
  };
  for (const Json& value : values) EXPECT_EQ(to_text(value), by_library(value));
  EXPECT_EQ(to_text(values), by_library(values));
}

TEST(JsonText, EveryByteInsideAString) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = std::string("before") + static_cast<char>(byte) + "behind";
    EXPECT_EQ(to_text(text), by_library(text)) << byte;
    EXPECT_EQ(to_text(Json{{text, 1}}), by_library(Json{{text, 1}})) << byte;
  }
}

TEST(JsonText, RandomBytes) {
  Random random(7);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    const std::uint64_t kinds = random.below(2) == 0 ? 256 : 0x60;
    for (std::uint64_t left = random.below(40); left > 0; --left) {
      text += static_cast<char>((kinds == 256 ? 0 : 0x20) + random.below(kinds));
    }
    EXPECT_EQ(to_text(text), by_library(text));
  }
}

// The buffer that is kept between calls starts empty each time, also after one that was too large to keep.
TEST(JsonText, OneAfterTheOther) {
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(to_text(large).size(), large.size() + 2);
  EXPECT_EQ(to_text(1), "1");
  EXPECT_EQ(to_text("a"), "\"a\"");
}

}  // namespace
}  // namespace tidegate::resource

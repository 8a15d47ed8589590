#include "engine/batch/text.h"

#include <gtest/gtest.h>

#include "engine/batch/testing/fake_model.h"

namespace tidegate::batch {
namespace {

struct Shown {
  std::vector<std::string> deltas;
  std::string stopped_by;
};

Shown show(const std::string& text, StopRules stop, std::size_t search_from = 0) {
  const testing::FakeTokenizer tokenizer;
  OutputText output(tokenizer.decoder({}, true), stop);
  Shown shown;
  std::size_t count = 0;
  for (const Token token : tokenizer.encode(text, false)) {
    std::string delta;
    const std::string* match = output.push(token, ++count >= search_from, delta);
    shown.deltas.push_back(delta);
    if (match != nullptr) {
      shown.stopped_by = *match;
      return shown;
    }
  }
  shown.deltas.emplace_back();
  output.finish(shown.deltas.back());
  return shown;
}

using Deltas = std::vector<std::string>;

TEST(OutputText, WithoutStopStringsNothingIsHeldBack) {
  EXPECT_EQ(show("abc", {}).deltas, (Deltas{"a", "b", "c", ""}));
}

TEST(OutputText, HoldsBackOnlyWhatCouldBecomeAStop) {
  const Shown shown = show("xabxabc", {.strings = {"abc"}});
  EXPECT_EQ(shown.deltas, (Deltas{"x", "", "", "abx", "", "", ""}));
  EXPECT_EQ(shown.stopped_by, "abc");
}

TEST(OutputText, ShowsWhatWasHeldWhenTheSequenceEndsOtherwise) {
  EXPECT_EQ(show("xab", {.strings = {"abc"}}).deltas, (Deltas{"x", "", "", "ab"}));
}

TEST(OutputText, OverlappingBeginningsAreFound) {
  EXPECT_EQ(show("aabaabc", {.strings = {"aabc"}}).stopped_by, "aabc");
}

TEST(OutputText, TheEarliestMatchWins) {
  const Shown shown = show("zabcd", {.strings = {"cd", "bc"}});
  EXPECT_EQ(shown.stopped_by, "bc");
  std::string text;
  for (const std::string& delta : shown.deltas) text += delta;
  EXPECT_EQ(text, "za");
}

TEST(OutputText, MayShowTheStopItself) {
  EXPECT_EQ(show("ab", {.strings = {"b"}, .include_in_output = true}).deltas, (Deltas{"a", "b"}));
}

TEST(OutputText, TextBeforeTheMinimumIsNotSearched) {
  const Shown shown = show("abab", {.strings = {"ab"}}, 3);
  EXPECT_EQ(shown.deltas, (Deltas{"a", "b", "", ""}));
  EXPECT_EQ(shown.stopped_by, "ab");
}

}  // namespace
}  // namespace tidegate::batch

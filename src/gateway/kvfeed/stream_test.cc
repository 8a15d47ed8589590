#include "gateway/kvfeed/stream.h"

#include <gtest/gtest.h>

#include <numeric>

#include "gateway/pick/token_chain.h"

namespace tidegate::kvfeed {
namespace {

using kvwire::AllBlocksCleared;
using kvwire::BlockRemoved;
using kvwire::BlockStored;
using kvwire::Event;
using pick::Trust;

constexpr std::uint32_t kBlock = 4;

std::vector<std::uint32_t> tokens_of(std::uint32_t seed, std::size_t blocks) {
  std::vector<std::uint32_t> tokens(blocks * kBlock);
  std::iota(tokens.begin(), tokens.end(), seed * 1000);
  return tokens;
}

BlockStored stored(std::uint32_t seed, std::size_t blocks, std::string adapter = {}) {
  BlockStored event;
  for (std::size_t i = 0; i < blocks; ++i) event.hashes.push_back(seed * 100 + i);
  event.tokens = tokens_of(seed, blocks);
  event.block_tokens = kBlock;
  if (!adapter.empty()) event.lora_id = 1;
  event.lora_name = std::move(adapter);
  event.medium = "GPU";
  return event;
}

// An engine that numbers and keeps what it says.
class Engine {
 public:
  explicit Engine(double begun) : time_(begun) {}

  std::size_t say(std::vector<Event> events) {
    kept_.push_back(kvwire::encode({time_ += 1, std::move(events), 0}));
    return kept_.size() - 1;
  }
  const std::string& payload(std::size_t number) const { return kept_[number]; }
  std::size_t said() const { return kept_.size(); }
  std::size_t forgotten = 0;  // of the first batches

  void hear(Stream& stream, std::size_t number) const { stream.hear(number, kept_[number]); }
  void answer(Stream& stream) const {
    const auto from = stream.missing();
    ASSERT_TRUE(from.has_value());
    stream.ask();
    EXPECT_FALSE(stream.missing().has_value());
    for (std::size_t number = std::max<std::size_t>(*from, forgotten); number < kept_.size(); ++number)
      stream.replay(number, kept_[number]);
    stream.replay_ends();
  }

 private:
  double time_;
  std::vector<std::string> kept_;
};

class Streams : public testing::Test {
 protected:
  // Blocks of that prompt that the index says the endpoint holds.
  std::size_t held(std::uint32_t seed, std::size_t blocks, std::string_view adapter = {}) {
    pick::TokenPoints points;
    pick::TokenChain chain = pick::TokenChain::from_beginning(adapter);
    const auto tokens = tokens_of(seed, blocks);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      chain.add(tokens[i]);
      if ((i + 1) % kBlock == 0)
        points.push(chain.key(), static_cast<std::uint32_t>(i), static_cast<std::uint16_t>(i / kBlock),
                    false);
    }
    pick::PrefixMatch match;
    index_.match(points, TimePoint(), match);
    return match.blocks(3);
  }

  pick::BlockIndex index_;
  Heard heard_;
};

TEST_F(Streams, WhatIsToldFromTheBeginningIsTrustedWhole) {
  Stream stream(index_, 3, false, heard_);
  EXPECT_EQ(index_.trust(3), Trust::kNone);
  Engine engine(100);
  engine.hear(stream, engine.say({stored(1, 5), stored(2, 3, "sql")}));
  EXPECT_EQ(index_.trust(3), Trust::kWhole);
  EXPECT_EQ(held(1, 6), 5U);
  EXPECT_EQ(held(2, 3, "sql"), 3U);
  EXPECT_EQ(held(2, 3), 0U);         // the same text without the adapter
  EXPECT_EQ(held(1, 5, "sql"), 0U);  // and with another
  EXPECT_EQ(index_.block_tokens(3), kBlock);
  BlockStored more = stored(7, 1);
  more.parent = 104;  // the fifth block of the first prompt
  more.hashes = {105};
  more.tokens = {1020, 1021, 1022, 1023};
  engine.hear(stream, engine.say({more}));
  EXPECT_EQ(held(1, 6), 6U);
  engine.hear(stream, engine.say({BlockRemoved{{104, 105, 999}, "GPU", 0}}));
  EXPECT_EQ(held(1, 6), 4U);
  EXPECT_EQ(stream.blocks(), 7U);
  EXPECT_EQ(index_.blocks(), 7U);
  engine.hear(stream, engine.say({AllBlocksCleared{}}));
  EXPECT_EQ(held(1, 6), 0U);
  EXPECT_EQ(index_.blocks(), 0U);
  EXPECT_EQ(index_.trust(3), Trust::kWhole);
}

TEST_F(Streams, TheFirstWordIsARequestForAllThatWasToldBefore) {
  Engine engine(100);
  engine.say({stored(1, 5)});
  engine.say({stored(2, 2)});
  Stream stream(index_, 3, true, heard_);
  EXPECT_EQ(stream.missing(), 0U);
  engine.hear(stream, 1);  // before the answer
  engine.answer(stream);
  EXPECT_EQ(index_.trust(3), Trust::kWhole);
  EXPECT_EQ(held(1, 5), 5U);
  EXPECT_EQ(held(2, 2), 2U);
  EXPECT_FALSE(stream.missing());
  engine.hear(stream, 1);  // heard late: the replay had it
  EXPECT_EQ(heard_.restarts, 0U);
  EXPECT_EQ(heard_.batches, 2U);
}

TEST_F(Streams, AnEngineThatKeepsTheLatestOnlyIsTrustedInPart) {
  Engine engine(100);
  for (std::uint32_t i = 1; i <= 5; ++i) engine.say({stored(i, 2)});
  engine.forgotten = 3;
  Stream stream(index_, 3, true, heard_);
  engine.answer(stream);
  EXPECT_EQ(index_.trust(3), Trust::kPart);
  EXPECT_EQ(held(1, 2), 0U);
  EXPECT_EQ(held(5, 2), 2U);
  stream.check();
  engine.answer(stream);  // nothing new
  EXPECT_EQ(held(5, 2), 2U);
  engine.hear(stream, engine.say({AllBlocksCleared{}}));
  EXPECT_EQ(index_.trust(3), Trust::kWhole);
}

TEST_F(Streams, AGapIsClosedByAReplay) {
  Engine engine(100);
  Stream stream(index_, 3, true, heard_);
  engine.answer(stream);
  EXPECT_EQ(index_.trust(3), Trust::kWhole);  // it has told nothing: it holds nothing
  engine.hear(stream, engine.say({stored(1, 2)}));
  engine.say({stored(2, 2)});
  engine.say({BlockRemoved{{101}, "GPU", 0}});
  engine.hear(stream, engine.say({stored(3, 2)}));
  EXPECT_EQ(held(3, 2), 0U);  // it waits
  EXPECT_EQ(stream.missing(), 0U);
  engine.hear(stream, engine.say({stored(4, 2)}));
  engine.answer(stream);
  EXPECT_EQ(index_.trust(3), Trust::kWhole);
  EXPECT_EQ(held(1, 2), 1U);
  EXPECT_EQ(held(2, 2), 2U);
  EXPECT_EQ(held(3, 2), 2U);
  EXPECT_EQ(held(4, 2), 2U);
  EXPECT_EQ(heard_.gaps, 1U);
  EXPECT_EQ(heard_.lost, 0U);
  EXPECT_EQ(heard_.batches, 5U);
}

TEST_F(Streams, AGapThatNothingClosesLosesWhatWasHeld) {
  Engine engine(100);
  Stream stream(index_, 3, false, heard_);
  engine.hear(stream, engine.say({stored(1, 2)}));
  engine.say({BlockRemoved{{100}, "GPU", 0}});
  engine.hear(stream, engine.say({stored(3, 2)}));
  EXPECT_EQ(index_.trust(3), Trust::kPart);
  EXPECT_EQ(held(1, 2), 0U);
  EXPECT_EQ(held(3, 2), 2U);
  EXPECT_EQ(heard_.lost, 1U);
}

TEST_F(Streams, AGapBeyondWhatTheEngineKeepsLosesWhatWasHeld) {
  Engine engine(100);
  Stream stream(index_, 3, true, heard_);
  engine.hear(stream, engine.say({stored(1, 2)}));
  engine.answer(stream);
  for (std::uint32_t i = 2; i <= 6; ++i) engine.say({stored(i, 2)});
  engine.forgotten = 4;
  engine.hear(stream, 5);
  engine.answer(stream);
  EXPECT_EQ(index_.trust(3), Trust::kPart);
  EXPECT_EQ(held(1, 2), 0U);
  EXPECT_EQ(held(4, 2), 0U);
  EXPECT_EQ(held(5, 2), 2U);
  EXPECT_EQ(held(6, 2), 2U);
}

TEST_F(Streams, AnEngineThatBeginsAnewHoldsNothingOfBefore) {
  for (const bool replays : {false, true}) {
    Engine before(100);
    Stream stream(index_, 3, replays, heard_);
    before.say({stored(1, 2)});
    before.say({stored(2, 2)});
    if (replays) before.answer(stream);
    for (std::size_t i = 0; i < 2 && !replays; ++i) before.hear(stream, i);
    EXPECT_EQ(held(1, 2), 2U);
    Engine after(200);
    after.hear(stream, after.say({stored(9, 2)}));
    EXPECT_EQ(index_.trust(3), Trust::kWhole);
    EXPECT_EQ(held(1, 2), 0U);
    EXPECT_EQ(held(9, 2), 2U);
  }
  EXPECT_EQ(heard_.restarts, 2U);
}

// It may have said so much until it is heard again that the numbers go on.
TEST_F(Streams, AnotherEngineIsToldByItsLastBatch) {
  for (const std::size_t said : {0U, 1U, 2U, 3U, 7U}) {
    Engine before(100);
    Stream stream(index_, 3, true, heard_);
    before.say({stored(1, 2)});
    before.say({stored(2, 2)});
    before.answer(stream);
    Engine after(200);
    for (std::uint32_t i = 0; i < said; ++i) after.say({stored(10 + i, 2)});
    if (said > 3) {
      after.hear(stream, said - 1);
    } else {
      stream.suspect();
      EXPECT_EQ(index_.trust(3), Trust::kNone);
    }
    after.answer(stream);
    EXPECT_EQ(held(1, 2), 0U) << said;
    after.answer(stream);  // from the beginning
    EXPECT_EQ(index_.trust(3), Trust::kWhole);
    EXPECT_EQ(held(1, 2), 0U);
    for (std::uint32_t i = 0; i < said; ++i) EXPECT_EQ(held(10 + i, 2), 2U) << said;
  }
}

TEST_F(Streams, WhoDoesNotAnswerIsHeardAsIfNobodyCouldBeAsked) {
  Engine engine(100);
  Stream stream(index_, 3, true, heard_);
  stream.ask();
  stream.replay_fails();
  EXPECT_EQ(index_.trust(3), Trust::kNone);
  EXPECT_FALSE(stream.missing());
  engine.say({stored(1, 2)});
  engine.hear(stream, engine.say({stored(2, 2)}));
  EXPECT_EQ(index_.trust(3), Trust::kPart);
  stream.check();
  stream.ask();
  stream.replay_fails();
  EXPECT_EQ(index_.trust(3), Trust::kNone);
  stream.check();
  engine.answer(stream);  // now it does, and everything from the beginning on is known
  EXPECT_EQ(index_.trust(3), Trust::kWhole);
  EXPECT_EQ(held(1, 2), 2U);
  EXPECT_EQ(held(2, 2), 2U);
}

TEST_F(Streams, AnEngineThatKeepsNothingIsNotAskedForEver) {
  Engine engine(100);
  for (std::uint32_t i = 0; i < 9; ++i) engine.say({stored(i, 1)});
  engine.forgotten = 1000;
  Stream stream(index_, 3, true, heard_);
  engine.hear(stream, 7);
  engine.answer(stream);
  EXPECT_FALSE(stream.missing());
  EXPECT_EQ(index_.trust(3), Trust::kPart);
  engine.hear(stream, 8);
  EXPECT_EQ(held(8, 1), 1U);
}

TEST_F(Streams, SaltsAndAdaptersWithoutANameAreLeftOut) {
  Stream stream(index_, 3, false, heard_);
  Engine engine(100);
  BlockStored salted = stored(1, 2);
  salted.salt = "tenant";
  BlockStored nameless = stored(2, 2);
  nameless.lora_id = 4;
  BlockStored orphan = stored(3, 2);
  orphan.parent = 100;
  engine.hear(stream, engine.say({salted, nameless, orphan}));
  EXPECT_EQ(stream.blocks(), 0U);
  EXPECT_EQ(heard_.unknown, 4U);
  EXPECT_EQ(index_.trust(3), Trust::kWhole);
}

TEST_F(Streams, BlocksThatMoveToAnotherMediumAreHeldOn) {
  Stream stream(index_, 3, false, heard_);
  Engine engine(100);
  engine.hear(stream, engine.say({stored(1, 2)}));
  BlockStored offloaded = stored(1, 2);
  offloaded.tokens.clear();
  offloaded.medium = "CPU";
  engine.hear(stream, engine.say({offloaded, BlockRemoved{{100, 101}, "GPU", 0}}));
  EXPECT_EQ(held(1, 2), 2U);
  engine.hear(stream, engine.say({BlockRemoved{{101}, "CPU", 0}}));
  EXPECT_EQ(held(1, 2), 1U);
}

TEST_F(Streams, WhatCannotBeReadIsAsGoodAsLost) {
  Stream stream(index_, 3, false, heard_);
  Engine engine(100);
  engine.hear(stream, engine.say({stored(1, 2)}));
  stream.hear(1, "nonsense");
  EXPECT_EQ(index_.trust(3), Trust::kPart);
  EXPECT_EQ(held(1, 2), 0U);
  EXPECT_EQ(heard_.unreadable, 1U);
}

TEST_F(Streams, WithoutRoomTheRestIsNotKnown) {
  pick::BlockIndex small(128);
  Stream stream(small, 3, false, heard_);
  Engine engine(100);
  for (std::uint32_t i = 0; i < 20; ++i) engine.hear(stream, engine.say({stored(i, 10)}));
  EXPECT_EQ(small.trust(3), Trust::kPart);
  EXPECT_LE(small.blocks(), 128U);
  EXPECT_EQ(heard_.stored + heard_.turned_away, 200U);
}

TEST_F(Streams, AnEndpointThatLeavesHoldsNothing) {
  {
    Stream stream(index_, 3, false, heard_);
    Engine engine(100);
    engine.hear(stream, engine.say({stored(1, 2)}));
    EXPECT_EQ(held(1, 2), 2U);
  }
  EXPECT_EQ(held(1, 2), 0U);
  EXPECT_EQ(index_.blocks(), 0U);
  EXPECT_EQ(index_.trust(3), Trust::kNone);
}

}  // namespace
}  // namespace tidegate::kvfeed

#include "gateway/kvfeed/follower.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "gateway/pick/token_chain.h"
#include "kvwire/zmq.h"

namespace tidegate::kvfeed {
namespace {

using namespace std::chrono_literals;

// An engine's two sockets, answering replays from what it has said.
class Engine {
 public:
  explicit Engine(bool replays) : context_(*kvwire::Context::make()) {
    publish_.emplace(*kvwire::Socket::make(context_, kvwire::Socket::Type::kPublish, {}));
    EXPECT_TRUE(publish_->bind("tcp://127.0.0.1:*"));
    if (!replays) return;
    router_.emplace(*kvwire::Socket::make(context_, kvwire::Socket::Type::kRouter, {}));
    EXPECT_TRUE(router_->bind("tcp://127.0.0.1:*"));
  }

  Source source(pick::PrefixId id) const {
    return {id, "engine", publish_->endpoint(), router_ ? router_->endpoint() : std::string(), nullptr};
  }
  void say(std::uint32_t prompt, bool aloud = true) {
    kvwire::BlockStored stored;
    stored.hashes = {prompt};
    stored.tokens = {prompt, 1, 2, 3};
    stored.block_tokens = 4;
    kept_.push_back(kvwire::encode({static_cast<double>(kept_.size() + 1), {stored}, 0}));
    if (aloud) send(kept_.size() - 1);
  }
  void answer() {
    std::vector<std::string> question;
    while (router_ && router_->receive(question)) {
      for (std::size_t i = kvwire::sequence_of(question.at(2)).value(); i < kept_.size(); ++i) {
        const std::string number = kvwire::sequence_frame(i);
        router_->send(std::array<std::string_view, 4>{question[0], "", number, kept_[i]});
      }
      const std::string end = kvwire::sequence_frame(kvwire::kReplayEnd);
      router_->send(std::array<std::string_view, 4>{question[0], "", end, ""});
    }
  }
  std::size_t said() const { return kept_.size(); }

 private:
  void send(std::size_t i) {
    const std::string number = kvwire::sequence_frame(i);
    publish_->send(std::array<std::string_view, 3>{"kv@x", number, kept_[i]});
  }
  std::shared_ptr<kvwire::Context> context_;
  std::optional<kvwire::Socket> publish_;
  std::optional<kvwire::Socket> router_;
  std::vector<std::string> kept_;
};

class Following : public testing::Test {
 protected:
  bool holds(pick::PrefixId id, std::uint32_t prompt) {
    pick::TokenChain chain = pick::TokenChain::from_beginning("");
    for (const std::uint32_t token : {prompt, 1U, 2U, 3U}) chain.add(token);
    pick::TokenPoints points;
    points.push(chain.key(), 1, 0, false);
    pick::PrefixMatch match;
    index_.match(points, TimePoint(), match);
    return match.blocks(id) == 1;
  }
  template <typename Condition>
  bool comes_true(Engine& engine, Condition condition) {
    for (int i = 0; i < 2000; ++i) {
      engine.answer();
      if (condition()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

  pick::PrefixIndex prefixes_;
  pick::BlockIndex index_;
  Follower follower_{index_, prefixes_};
};

TEST_F(Following, AnEngineIsHeardAndAskedForWhatItSaidBefore) {
  pick::PrefixSlot slot = prefixes_.add();
  Engine engine(true);
  engine.say(1);
  follower_.set({engine.source(slot.id())});
  ASSERT_TRUE(comes_true(engine, [&] { return holds(slot.id(), 1); }));
  // Its word counts when the answer has ended.
  ASSERT_TRUE(comes_true(engine, [&] { return index_.trust(slot.id()) == pick::Trust::kWhole; }));
  // It is heard live as well, once the subscription is there.
  ASSERT_TRUE(comes_true(engine, [&] {
    engine.say(static_cast<std::uint32_t>(engine.said() + 1));
    return holds(slot.id(), static_cast<std::uint32_t>(engine.said() - 1));
  }));
  engine.say(70'001, false);  // gets lost
  engine.say(70'002);
  ASSERT_TRUE(comes_true(engine, [&] { return holds(slot.id(), 70'001) && holds(slot.id(), 70'002); }));
  EXPECT_GT(follower_.heard().gaps, 0U);
  ASSERT_TRUE(comes_true(engine, [&] { return follower_.states()[slot.id()].blocks == engine.said(); }));
  // It could not be reached: until it answers nothing is sure.
  slot.forget();
  ASSERT_TRUE(comes_true(engine, [&] { return follower_.heard().replays >= 3; }));
  ASSERT_TRUE(comes_true(engine, [&] { return index_.trust(slot.id()) == pick::Trust::kWhole; }));
  EXPECT_TRUE(holds(slot.id(), 1));
  follower_.set({});
  ASSERT_TRUE(comes_true(engine, [&] { return !holds(slot.id(), 1); }));
  ASSERT_TRUE(comes_true(engine, [&] { return index_.trust(slot.id()) == pick::Trust::kNone; }));
}

TEST_F(Following, WithoutReplaysItIsTrustedFromNowOn) {
  const pick::PrefixSlot slot = prefixes_.add();
  Engine engine(false);
  engine.say(1);
  follower_.set({engine.source(slot.id())});
  ASSERT_TRUE(comes_true(engine, [&] {
    engine.say(static_cast<std::uint32_t>(engine.said() + 1));
    return index_.trust(slot.id()) != pick::Trust::kNone;
  }));
  EXPECT_FALSE(holds(slot.id(), 1));
}

TEST_F(Following, AHundredEnginesAtOnce) {
  std::vector<std::unique_ptr<Engine>> engines;
  std::vector<pick::PrefixSlot> slots;
  std::vector<Source> sources;
  for (std::uint32_t i = 0; i < 100; ++i) {
    engines.push_back(std::make_unique<Engine>(true));
    engines.back()->say(i);
    slots.push_back(prefixes_.add());
    sources.push_back(engines.back()->source(slots.back().id()));
  }
  follower_.set(sources);
  for (std::uint32_t i = 0; i < 100; ++i)
    ASSERT_TRUE(comes_true(*engines[i], [&] { return holds(slots[i].id(), i); })) << i;
}

TEST(StreamAt, AddressesOfBothFamilies) {
  EXPECT_EQ(stream_at("10.0.0.5", 5557), "tcp://10.0.0.5:5557");
  EXPECT_EQ(stream_at("fd00::5", 5557), "tcp://[fd00::5]:5557");
}

}  // namespace
}  // namespace tidegate::kvfeed

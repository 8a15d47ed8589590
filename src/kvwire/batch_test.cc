#include "kvwire/batch.h"

#include <gtest/gtest.h>

#include <chrono>

#include "kvwire/msgpack.h"

namespace tidegate::kvwire {
namespace {

BlockStored stored(std::vector<std::uint64_t> hashes, std::optional<std::uint64_t> parent = {}) {
  BlockStored event;
  event.parent = parent;
  event.block_tokens = 2;
  for (std::size_t i = 0; i < hashes.size() * 2; ++i)
    event.tokens.push_back(static_cast<std::uint32_t>(i * 40'000));
  event.plain = static_cast<std::uint32_t>(hashes.size());
  event.hashes = std::move(hashes);
  event.medium = "GPU";
  return event;
}

TEST(Batch, WhatIsWrittenIsRead) {
  Batch batch;
  batch.time = 1'790'000'000.25;
  batch.rank = 3;
  batch.events.emplace_back(stored({1, 0xFFFF'FFFF'FFFF'FFFF}, 7));
  BlockStored adapter = stored({5});
  adapter.lora_id = 2;
  adapter.lora_name = "sql-lora";
  batch.events.emplace_back(adapter);
  batch.events.emplace_back(BlockRemoved{{1, 300, 70'000, std::uint64_t{1} << 40}, "GPU", 0});
  batch.events.emplace_back(AllBlocksCleared{});
  const Result<Batch> read = decode(encode(batch));
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(read->time, batch.time);
  EXPECT_EQ(read->rank, 3);
  EXPECT_EQ(read->events, batch.events);
}

TEST(Batch, ASaltedBlockIsNotPlain) {
  for (const char* name : {"", "sql-lora"}) {
    BlockStored event = stored({1, 2, 3});
    event.salt = "tenant";
    event.lora_name = name;
    const Result<Batch> read = decode(encode({0, {event}, 0}));
    ASSERT_TRUE(read) << describe(read.error());
    EXPECT_EQ(std::get<BlockStored>(read->events[0]).plain, 0U) << name;
  }
}

// msgspec's map form, with members that nobody knows here and 32-byte hashes.
std::string newer_form() {
  std::string bytes;
  Packer out(bytes);
  bytes += '\x82';  // a map of two
  out.text("events");
  out.array(2);
  bytes += '\x88';
  out.text("surprise");
  bytes += "\x81\x01\x93\xc0\xc3\xca";
  bytes.append(4, '\0');
  out.text("token_ids");
  out.array(2);
  out.whole(9);
  out.whole(8);
  out.text("type");
  out.text("BlockStored");
  out.text("block_size");
  out.whole(2);
  out.text("block_hashes");
  out.array(1);
  bytes += "\xc4\x20";
  bytes.append(24, 'x');
  bytes.append(7, '\0');
  bytes += '\x05';
  out.text("parent_block_hash");
  out.nil();
  out.text("lora_name");
  out.text("a");
  out.text("extra_keys");
  out.array(1);
  out.array(1);
  out.text("a");
  bytes += '\x81';
  out.text("type");
  out.text("SomethingNew");
  out.text("ts");
  out.real(5);
  return bytes;
}

TEST(Batch, TheNewerFormIsReadByNames) {
  const Result<Batch> read = decode(newer_form());
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(read->time, 5);
  ASSERT_EQ(read->events.size(), 1U);  // what is not known is left out
  const auto& event = std::get<BlockStored>(read->events[0]);
  EXPECT_EQ(event.hashes, std::vector<std::uint64_t>{5});
  EXPECT_EQ(event.tokens, (std::vector<std::uint32_t>{9, 8}));
  EXPECT_EQ(event.lora_name, "a");
  EXPECT_EQ(event.plain, 1U);
}

TEST(Batch, EveryCutIsAnErrorAndNoMore) {
  const std::string whole = encode({1, {stored({1, 2}), BlockRemoved{{3}, "", 0}, AllBlocksCleared{}}, 0});
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode(whole.substr(0, size))) << size;
  EXPECT_FALSE(decode(whole + "x"));
  const std::string newer = newer_form();
  for (std::size_t size = 0; size < newer.size(); ++size) EXPECT_FALSE(decode(newer.substr(0, size))) << size;
}

TEST(Batch, HostileInputEndsAtOnce) {
  const auto begun = std::chrono::steady_clock::now();
  // Nested as deep as it is long; arrays that promise four thousand million items.
  EXPECT_FALSE(decode(std::string(8 << 20, '\x91')));
  std::string deep;
  Packer out(deep);
  out.array(3);
  out.real(1);
  out.array(1);
  out.array(2);
  out.text("Unknown");
  deep += std::string(8 << 20, '\x91');
  EXPECT_FALSE(decode(deep));
  std::string wide;
  Packer wider(wide);
  wider.array(3);
  wider.real(1);
  wide += "\xdd\xff\xff\xff\xff";
  EXPECT_FALSE(decode(wide));
  for (const char* text : {"\xc1", "", "\x93", "\xa1x", "\x80", "\x90"}) static_cast<void>(decode(text));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

TEST(Batch, TokensThatDoNotFitTheBlocksAreRefused) {
  BlockStored event = stored({1, 2});
  event.tokens.pop_back();
  const Result<Batch> read = decode(encode({0, {event}, 0}));
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("token_ids"), std::string::npos);
  event.tokens.clear();  // blocks that were told before go to another medium
  event.medium = "CPU";
  EXPECT_TRUE(decode(encode({0, {event}, 0})));
  event = stored({1});
  event.block_tokens = 0;
  EXPECT_FALSE(decode(encode({0, {event}, 0})));
}

TEST(Batch, SequenceNumbersAreEightBytes) {
  EXPECT_EQ(sequence_of(sequence_frame(258)), 258U);
  EXPECT_EQ(sequence_frame(258), std::string("\0\0\0\0\0\0\1\2", 8));
  EXPECT_FALSE(sequence_of("1234567"));
  EXPECT_EQ(sequence_of(std::string(8, '\xff')), kReplayEnd);
}

TEST(Msgpack, NumbersOfEverySize) {
  for (const std::uint64_t value : {0ULL, 127ULL, 128ULL, 255ULL, 256ULL, 65'535ULL, 65'536ULL,
                                    0xFFFF'FFFFULL, 0x1'0000'0000ULL, ~0ULL}) {
    std::string bytes;
    Packer(bytes).whole(value);
    Packed read;
    ASSERT_TRUE(Unpacker(bytes).next(read));
    EXPECT_EQ(read.number, value);
  }
  for (const char* bytes : {"\xff", "\xd0\xff", "\xd1\xff\xff", "\xd2\xff\xff\xff\xff"}) {
    Packed read;
    ASSERT_TRUE(Unpacker(bytes).next(read));
    EXPECT_EQ(static_cast<std::int64_t>(read.number), -1);
  }
}

}  // namespace
}  // namespace tidegate::kvwire

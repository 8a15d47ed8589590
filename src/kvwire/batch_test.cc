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

std::string from_hex(std::string_view hex) {
  std::string bytes;
  int half = -1;
  for (const char digit : hex) {
    if (digit == ' ') continue;
    const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
    if (half >= 0) bytes += static_cast<char>(half << 4 | value);
    half = half >= 0 ? -1 : value;
  }
  return bytes;
}

// Byte by byte as vLLM's structs lie on the wire: tagged arrays in the order of their members, what is left
// at its default at the end left out.
TEST(Batch, VllmsOwnBytesAreRead) {
  const std::string hex =
      "93 cb 41da9a3b00000000"        // [ts 1785261056.0,
      "94"                            // four events
      "9a ab 426c6f636b53746f726564"  // BlockStored
      "92 c420 000102030405060708090a0b0c0d0e0f1011121314151617 0000000000000007"
      "c420 202122232425262728292a2b2c2d2e2f3031323334353637 ffffffffffffffff"
      "c0"                                                 // no parent
      "94 01 cc80 cd0100 ce00010000"                       // tokens 1, 128, 256, 65536
      "02 01 a3 475055"                                    // block size 2, lora_id 1, GPU
      "a3 73716c"                                          // lora_name sql
      "92 91 a3 73716c 91 a3 73716c"                       // extra_keys
      "00"                                                 // group_idx
      "98 ab 426c6f636b53746f726564"                       // BlockStored of an older engine
      "91 d3 fffffffffffffffe"                             // a signed hash, -2
      "cf ffffffffffffffff"                                // its parent
      "92 05 06 02 c0 c0 c0"                               // tokens, size, no lora, no medium, no name
      "94 ac 426c6f636b52656d6f766564 91 07 a3 475055 01"  // BlockRemoved of group 1
      "91 b0 416c6c426c6f636b73436c6561726564"             // AllBlocksCleared
      "c0";                                                // no rank]
  const Result<Batch> read = decode(from_hex(hex));
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(read->time, 1785261056.0);
  ASSERT_EQ(read->events.size(), 4U);
  const auto& adapter = std::get<BlockStored>(read->events[0]);
  EXPECT_EQ(adapter.hashes, (std::vector<std::uint64_t>{7, 0xFFFF'FFFF'FFFF'FFFF}));
  EXPECT_FALSE(adapter.parent);
  EXPECT_EQ(adapter.tokens, (std::vector<std::uint32_t>{1, 128, 256, 65'536}));
  EXPECT_EQ(adapter.lora_id, 1);
  EXPECT_EQ(adapter.lora_name, "sql");
  EXPECT_EQ(adapter.plain, 2U);
  const auto& older = std::get<BlockStored>(read->events[1]);
  EXPECT_EQ(older.hashes, std::vector<std::uint64_t>{0xFFFF'FFFF'FFFF'FFFE});
  EXPECT_EQ(older.parent, 0xFFFF'FFFF'FFFF'FFFF);
  EXPECT_FALSE(older.lora_id);
  EXPECT_EQ(older.plain, 1U);
  const auto& removed = std::get<BlockRemoved>(read->events[2]);
  EXPECT_EQ(removed.hashes, std::vector<std::uint64_t>{7});
  EXPECT_EQ(removed.group, 1U);
  EXPECT_TRUE(std::holds_alternative<AllBlocksCleared>(read->events[3]));
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

#include "engine/kv/hash.h"

#include <gtest/gtest.h>

namespace tidegate::kv {
namespace {

std::string hex(const BlockHash& hash) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : hash.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// Expected values from an independent encoder and SHA-256 (Python's hashlib) over the same canonical CBOR.
TEST(BlockHasher, IsSha256OfCanonicalCbor) {
  BlockHasher hasher("0");
  EXPECT_EQ(hex(hasher.none()), "4e1195df020de59e0d65a33a4279f1183e7ae4e5d980e309f8b55adff2e61c3e");
  const std::vector<std::int32_t> first = {1, 23, 24, 300, 70000};
  const BlockHash h1 = hasher.block(hasher.none(), first, "", "");
  EXPECT_EQ(hex(h1), "2acd50a0f874dd8a64182afdcf7da7403878249cedbbed7257b1ebc83c5c7566");
  const BlockHash h2 = hasher.block(h1, std::vector<std::int32_t>{5, 6, 7, 8, 9}, "digest", "");
  EXPECT_EQ(hex(h2), "716ea9103d9d83db18b52402dd7875ee9d585327fc72eb6cef8fe8055766b0f3");
  const BlockHash h3 = hasher.block(hasher.none(), first, "digest", "salt");
  EXPECT_EQ(hex(h3), "2fcfbb66c3f25e7240e33ded3516fef5faacebbd6bb2ec0487de8b51d9ad9097");
  EXPECT_EQ(h1.low64(), 0x57b1ebc83c5c7566u);
}

TEST(BlockHasher, RandomSeedsDiffer) { EXPECT_NE(hex(BlockHasher().none()), hex(BlockHasher().none())); }

TEST(BlockHasher, ExtendsOnlyOverFullBlocksAndKeepsWhatIsThere) {
  BlockHasher hasher("0");
  std::vector<std::int32_t> history = {1, 2, 3, 4, 5, 6, 7};
  std::vector<BlockHash> chain;
  hasher.extend(chain, history, 4, "", "");
  ASSERT_EQ(chain.size(), 1u);
  const BlockHash first = chain[0];
  history.push_back(8);
  hasher.extend(chain, history, 4, "", "");
  ASSERT_EQ(chain.size(), 2u);
  EXPECT_EQ(chain[0], first);
  EXPECT_EQ(chain[1], hasher.block(first, std::span(history).subspan(4), "", ""));
}

TEST(BlockHasher, AdapterAndSaltSeparateEqualTokens) {
  BlockHasher hasher("0");
  const std::vector<std::int32_t> history(32, 9);
  std::vector<BlockHash> base, adapter, salted;
  hasher.extend(base, history, 16, "", "");
  hasher.extend(adapter, history, 16, "a", "");
  hasher.extend(salted, history, 16, "", "s");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NE(base[i], adapter[i]);
    EXPECT_NE(base[i], salted[i]) << "the salt reaches later blocks through their parents";
  }
}

}  // namespace
}  // namespace tidegate::kv

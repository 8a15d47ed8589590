#include "engine/kv/hash.h"

#include <openssl/evp.h>

#include <string>

#include "base/check.h"
#include "base/random.h"

namespace tidegate::kv {
namespace {

enum Major : std::uint8_t { kUnsigned = 0, kNegative = 1, kBytes = 2, kText = 3, kArray = 4 };
constexpr std::uint8_t kNull = 0xf6;

// RFC 8949, section 3: the shortest head for `value`.
void put_head(std::vector<std::uint8_t>& out, Major major, std::uint64_t value) {
  const auto type = static_cast<std::uint8_t>(major << 5);
  int width = 0;
  if (value < 24) {
    out.push_back(static_cast<std::uint8_t>(type | value));
    return;
  }
  if (value <= 0xff) {
    out.push_back(type | 24);
    width = 1;
  } else if (value <= 0xffff) {
    out.push_back(type | 25);
    width = 2;
  } else if (value <= 0xffff'ffff) {
    out.push_back(type | 26);
    width = 4;
  } else {
    out.push_back(type | 27);
    width = 8;
  }
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}

void put_text(std::vector<std::uint8_t>& out, std::string_view text) {
  put_head(out, kText, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

void put_int(std::vector<std::uint8_t>& out, std::int32_t value) {
  if (value >= 0) {
    put_head(out, kUnsigned, static_cast<std::uint64_t>(value));
  } else {
    put_head(out, kNegative, static_cast<std::uint64_t>(-(static_cast<std::int64_t>(value) + 1)));
  }
}

}  // namespace

struct BlockHasher::Digest {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);

  Digest() { TG_CHECK(context != nullptr && sha256 != nullptr); }
  ~Digest() {
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
  }
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
};

std::uint64_t BlockHash::low64() const {
  std::uint64_t value = 0;
  for (std::size_t i = 24; i < 32; ++i) value = value << 8 | bytes[i];
  return value;
}

BlockHasher::BlockHasher(std::string_view seed) : digest_(std::make_unique<Digest>()) {
  if (seed.empty()) {
    const std::string random = secure_bytes(none_.bytes.size());
    std::memcpy(none_.bytes.data(), random.data(), none_.bytes.size());
  } else {
    put_text(cbor_, seed);
    none_ = sha256(cbor_);
  }
}

BlockHasher::~BlockHasher() = default;
BlockHasher::BlockHasher(BlockHasher&&) noexcept = default;

BlockHash BlockHasher::sha256(std::span<const std::uint8_t> bytes) {
  BlockHash result;
  unsigned size = 0;
  const bool done = EVP_DigestInit_ex2(digest_->context, digest_->sha256, nullptr) == 1 &&
                    EVP_DigestUpdate(digest_->context, bytes.data(), bytes.size()) == 1 &&
                    EVP_DigestFinal_ex(digest_->context, result.bytes.data(), &size) == 1;
  TG_CHECK(done && size == result.bytes.size());
  return result;
}

BlockHash BlockHasher::block(const BlockHash& parent, std::span<const std::int32_t> tokens,
                             std::string_view adapter, std::string_view salt) {
  cbor_.clear();
  put_head(cbor_, kArray, 3);
  put_head(cbor_, kBytes, parent.bytes.size());
  cbor_.insert(cbor_.end(), parent.bytes.begin(), parent.bytes.end());
  put_head(cbor_, kArray, tokens.size());
  for (const std::int32_t token : tokens) put_int(cbor_, token);
  if (adapter.empty() && salt.empty()) {
    cbor_.push_back(kNull);
  } else {
    put_head(cbor_, kArray, (adapter.empty() ? 0u : 1u) + (salt.empty() ? 0u : 1u));
    if (!adapter.empty()) put_text(cbor_, adapter);
    if (!salt.empty()) put_text(cbor_, salt);
  }
  return sha256(cbor_);
}

void BlockHasher::extend(std::vector<BlockHash>& chain, std::span<const std::int32_t> history,
                         std::size_t block_tokens, std::string_view adapter, std::string_view salt) {
  const std::size_t full = history.size() / block_tokens;
  while (chain.size() < full) {
    const std::size_t i = chain.size();
    const BlockHash parent = i == 0 ? none_ : chain.back();
    chain.push_back(block(parent, history.subspan(i * block_tokens, block_tokens), adapter,
                          i == 0 ? salt : std::string_view{}));
  }
}

}  // namespace tidegate::kv

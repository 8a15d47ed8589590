#include "gateway/guard/ring.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "base/ascii.h"

namespace tidegate::guard {

ModelRules ModelRules::parse(std::string_view text) {
  std::vector<std::string> patterns;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view one = ascii::trim(text.substr(0, comma));
    if (!one.empty()) patterns.emplace_back(one);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return ModelRules(std::move(patterns));
}

bool ModelRules::allows(std::string_view model) const {
  return patterns_.empty() || std::ranges::any_of(patterns_, [&](const std::string& pattern) {
           if (!pattern.ends_with('*')) return model == pattern;
           return model.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
         });
}

Ring::Digest Ring::digest_of(std::string_view key) {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

std::uint64_t Ring::bucket_of(const Digest& digest) {
  std::uint64_t bucket = 0;
  std::memcpy(&bucket, digest.data(), sizeof bucket);
  return bucket;
}

bool Ring::add(std::string_view key, std::shared_ptr<const Client> client) {
  if (key.size() < kKeyBytesMin || key.size() > kKeyBytesMax) return false;
  const Digest digest = digest_of(key);
  entries_.try_emplace(bucket_of(digest), Entry{digest, std::move(client)});
  return true;
}

// What a guesser learns from the time of the look-up is something about digests, which leads to no key.
const Client* Ring::find(std::string_view key) const {
  if (key.empty() || key.size() > kKeyBytesMax) return nullptr;
  const Digest digest = digest_of(key);
  const auto found = entries_.find(bucket_of(digest));
  if (found == entries_.end()) return nullptr;
  const bool same = CRYPTO_memcmp(found->second.digest.data(), digest.data(), digest.size()) == 0;
  return same ? found->second.client.get() : nullptr;
}

}  // namespace tidegate::guard

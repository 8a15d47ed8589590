#include "engine/serve/guides.h"

#include <algorithm>

namespace tidegate::serve {
namespace {

// Each may hold some 32 MiB.
constexpr std::size_t kKept = 16;

}  // namespace

Result<std::shared_ptr<guide::Guide>> Guides::get(const guide::Source& source) {
  const auto known =
      std::find_if(recent_.begin(), recent_.end(), [&](const auto& entry) { return entry.first == source; });
  if (known != recent_.end()) {
    std::rotate(known, known + 1, recent_.end());
    return recent_.back().second;
  }
  if (!vocabulary_) {
    const auto bytes_of = [this](batch::Token token) {
      return tokenizer_.special(token) ? std::string() : tokenizer_.bytes(token);
    };
    vocabulary_ = std::make_shared<guide::Vocabulary>(vocabulary_size_, bytes_of, tokenizer_.eos());
  }
  auto made = guide::Guide::make(source, vocabulary_);
  if (!made) return made;
  if (recent_.size() == kKept) recent_.erase(recent_.begin());
  recent_.emplace_back(source, *made);
  return made;
}

}  // namespace tidegate::serve

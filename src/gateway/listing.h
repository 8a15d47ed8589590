// Which of a pool's endpoints answer for which model, as far as they differ: what each engine lists at
// /v1/models, turned into one row of bits for every model that only some of them list.
//
//   listed by some         only those are asked, and those that have not said yet what they serve
//   listed by nobody       all may be asked: the engine is the judge. But one that goes by a member of the body
//                          is not, as it would answer with its base model and say nothing
//
// Thread: immutable once made; any thread.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/dialect/answer.h"

namespace tidegate::gateway {

class Listing {
 public:
  struct Endpoint {
    const std::vector<dialect::ServedModel>* models = nullptr;  // null: it has not said yet
    bool by_member = false;  // it takes adapters by a member of the body, not by the model's name
  };

  // One bit per endpoint, in the order given: it must not be asked.
  class Lacking {
   public:
    Lacking() = default;
    explicit Lacking(std::span<const std::uint64_t> words) : words_(words) {}
    bool operator[](std::size_t endpoint) const {
      return !words_.empty() && (words_[endpoint / 64] >> endpoint % 64 & 1) != 0;
    }

   private:
    std::span<const std::uint64_t> words_;  // empty: nobody
  };

  // Null if every endpoint may be asked for everything.
  static std::shared_ptr<const Listing> make(std::span<const Endpoint> endpoints);

  // Who must not be asked for it; lives as long as the listing.
  Lacking lacking(std::string_view model) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Row = std::vector<std::uint64_t>;
  std::unordered_map<std::string, Row, Hash, std::equal_to<>> rows_;  // by model
  Row unlisted_;  // for every other model; where it is not empty, all that are listed have a row
};

}  // namespace tidegate::gateway

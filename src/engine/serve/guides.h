// The guides of the requests of late: who asks for the same output again finds what was worked out before.
//
// Thread: the loop's own; the guides themselves belong to the engine thread once they have been submitted.

#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "engine/batch/tokenizer.h"
#include "engine/guide/guide.h"

namespace tidegate::serve {

class Guides {
 public:
  // Of tokens 0 to vocabulary - 1. The tokenizer outlives this.
  Guides(const batch::Tokenizer& tokenizer, std::size_t vocabulary)
      : tokenizer_(tokenizer), vocabulary_size_(vocabulary) {}

  // Errors: Guide::make's.
  Result<std::shared_ptr<guide::Guide>> get(const guide::Source& source);

 private:
  const batch::Tokenizer& tokenizer_;
  const std::size_t vocabulary_size_;
  std::shared_ptr<const guide::Vocabulary> vocabulary_;                          // made when first needed
  std::vector<std::pair<guide::Source, std::shared_ptr<guide::Guide>>> recent_;  // the latest last
};

}  // namespace tidegate::serve

// The text of one sequence as it may be shown: detokenised, cut at stop strings.
//
// While the end of the text could still become a stop string, that end is held back, so that nothing is shown
// that must be taken away again. Text before min_tokens is never searched.
//
// Thread: one owner.
// Source: vLLM v1/engine/detokenizer.py; reference model-server.md section 7.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "engine/batch/request.h"
#include "engine/batch/tokenizer.h"

namespace tidegate::batch {

class OutputText {
 public:
  // `stop` must outlive this.
  OutputText(std::unique_ptr<Decoder> decoder, const StopRules& stop)
      : decoder_(std::move(decoder)), stop_(stop) {}

  // Adds a token; what may now be shown is appended to `shown`. Returns the stop string that matched, or
  // null. After a match nothing more may be pushed.
  const std::string* push(Token token, bool search, std::string& shown);

  // The sequence ended otherwise: shows what was held back.
  void finish(std::string& shown);

 private:
  std::size_t could_begin_stop() const;

  std::unique_ptr<Decoder> decoder_;
  const StopRules& stop_;
  std::string held_;  // decoded, not yet shown
};

}  // namespace tidegate::batch

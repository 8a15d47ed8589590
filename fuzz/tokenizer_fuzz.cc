// A tokenizer.json and a text, parted by the first zero byte. What loads must encode any text and decode to
// valid UTF-8; a byte-level vocabulary that holds all bytes gives valid text back unchanged unless the file
// changes text on purpose.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/clock.h"
#include "engine/tokenizer/bpe_tokenizer.h"
#include "engine/unicode/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  static const SystemClock clock;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = input.find('\0');
  auto spec = tokenizer::parse_tokenizer_json(input.substr(0, cut));
  if (!spec) return 0;
  const std::string_view text = cut == std::string_view::npos ? "a b" : input.substr(cut + 1);
  auto made = tokenizer::BpeTokenizer::make(*std::move(spec), {}, clock);
  if (!made) return 0;
  const auto ids = (*made)->encode(text, true);
  for (const auto id : ids) {
    if (id < 0) std::abort();
  }
  std::string out;
  auto decoder = (*made)->decoder({}, false);
  for (const auto id : ids) {
    decoder->push(id, out);
    if (!unicode::is_valid_utf8(out)) std::abort();
  }
  decoder->finish(out);
  if (!unicode::is_valid_utf8(out)) std::abort();
  return 0;
}

#include "engine/latency/pseudo_tokenizer.h"

#include <algorithm>
#include <array>

#include "engine/latency/words.h"

namespace tidegate::latency {
namespace {

using batch::Token;

constexpr std::array<std::string_view, 5> kSpecials = {"<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"};
constexpr std::array<Token, 2> kEnds = {PseudoTokenizer::kEos, PseudoTokenizer::kMessageEnd};

// One way to write a short run of characters as a number: the first character from one alphabet, up to `more`
// others from a second, shorter runs first.
struct Family {
  char first;         // 'a', 'A' or '0'
  char rest;          // of the following characters
  std::size_t base;   // size of both alphabets
  std::size_t least;  // characters
  std::size_t most;
  Token start;  // id of the first member, without a space
  Token count;  // members; those with a space follow
};

constexpr Token power(std::size_t base, std::size_t exponent) {
  Token result = 1;
  for (std::size_t i = 0; i < exponent; ++i) result *= static_cast<Token>(base);
  return result;
}

constexpr Token members(std::size_t base, std::size_t least, std::size_t most) {
  Token sum = 0;
  for (std::size_t size = least; size <= most; ++size) sum += power(base, size);
  return sum;
}

constexpr Token kBytes = 16;
constexpr Token kWordStart = kBytes + 256;

struct Layout {
  Token words = static_cast<Token>(common_words().size());
  std::array<Family, 4> families;
  Token spaces;
  Token end;

  Layout() {
    Token next = kWordStart + 2 * words;
    const auto family = [&next](char first, char rest, std::size_t base, std::size_t least,
                                std::size_t most) {
      const Family made{first, rest, base, least, most, next, members(base, least, most)};
      next += 2 * made.count;
      return made;
    };
    families = {family('a', 'a', 26, 1, 3), family('A', 'a', 26, 1, 3), family('A', 'A', 26, 2, 3),
                family('0', '0', 10, 1, 3)};
    spaces = next;
    end = spaces + 15;
  }
};

const Layout& layout() {
  static const Layout made;
  return made;
}

bool lower(char c) { return c >= 'a' && c <= 'z'; }
bool upper(char c) { return c >= 'A' && c <= 'Z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool word_character(char c) { return lower(c) || upper(c) || digit(c); }

Token member(const Family& family, std::string_view run) {
  Token index = 0;
  for (std::size_t size = family.least; size < run.size(); ++size) index += power(family.base, size);
  Token number = run[0] - family.first;
  for (std::size_t i = 1; i < run.size(); ++i)
    number = number * static_cast<Token>(family.base) + (run[i] - family.rest);
  return index + number;
}

std::string run_of(const Family& family, Token index) {
  std::size_t size = family.least;
  while (index >= power(family.base, size)) index -= power(family.base, size++);
  std::string run(size, family.first);
  for (std::size_t i = size; i-- > 0;) {
    const auto step = static_cast<char>(index % static_cast<Token>(family.base));
    run[i] = static_cast<char>((i == 0 ? family.first : family.rest) + step);
    index /= static_cast<Token>(family.base);
  }
  return run;
}

// Length of the run at the start of `text` for which `is` holds, at most `most`.
template <typename Is>
std::size_t run_length(std::string_view text, std::size_t most, Is is) {
  std::size_t size = 0;
  while (size < text.size() && size < most && is(text[size])) ++size;
  return size;
}

// The token at the start of `text`, which begins with a letter or digit.
std::pair<Token, std::size_t> word_token(std::string_view text, bool spaced) {
  const Layout& ids = layout();
  constexpr std::size_t kLongest = 24;
  const std::size_t letters = run_length(text, kLongest + 1, [](char c) { return lower(c) || upper(c); });
  if (letters >= 2 && letters <= kLongest) {
    const auto words = common_words();
    const auto found = std::lower_bound(words.begin(), words.end(), text.substr(0, letters));
    if (found != words.end() && *found == text.substr(0, letters)) {
      return {kWordStart + static_cast<Token>(found - words.begin()) + (spaced ? ids.words : 0), letters};
    }
  }
  std::size_t kind = 0;
  std::size_t size = 0;
  if (lower(text[0])) {
    size = run_length(text, 3, lower);
  } else if (digit(text[0])) {
    kind = 3;
    size = run_length(text, 3, digit);
  } else if (text.size() > 1 && upper(text[1])) {
    kind = 2;
    size = run_length(text, 3, upper);
  } else {
    kind = 1;
    size = 1 + run_length(text.substr(1), 2, lower);
  }
  const Family& family = ids.families[kind];
  return {family.start + member(family, text.substr(0, size)) + (spaced ? family.count : 0), size};
}

std::pair<Token, std::size_t> special_token(std::string_view text) {
  for (std::size_t i = 0; i < kSpecials.size(); ++i) {
    if (text.substr(0, kSpecials[i].size()) == kSpecials[i])
      return {static_cast<Token>(i), kSpecials[i].size()};
  }
  return {0, 0};
}

std::pair<Token, std::size_t> token_at(std::string_view text) {
  const char c = text[0];
  if (word_character(c)) return word_token(text, false);
  if (c == ' ' && text.size() > 1) {
    if (word_character(text[1])) {
      const auto [token, size] = word_token(text.substr(1), true);
      return {token, size + 1};
    }
    std::size_t spaces = run_length(text, 16, [](char other) { return other == ' '; });
    // The last space belongs to the word after it.
    if (spaces < text.size() && word_character(text[spaces])) --spaces;
    if (spaces >= 2) return {layout().spaces + static_cast<Token>(spaces) - 2, spaces};
  }
  if (c == '<') {
    if (const auto [token, size] = special_token(text); size > 0) return {token, size};
  }
  return {kBytes + static_cast<unsigned char>(c), 1};
}

// Length of the UTF-8 sequence that starts with `lead`; 0 if none can.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  if (lead >= 0xf0 && lead < 0xf5) return 4;
  return 0;
}

// Whether `second` may follow `lead`: rules out overlong forms, surrogates and what lies beyond Unicode.
bool second_fits(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0;
    case 0xed:
      return second < 0xa0;
    case 0xf0:
      return second >= 0x90;
    case 0xf4:
      return second < 0x90;
    default:
      return true;
  }
}

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Bytes to characters: holds an unfinished one back, replaces a broken one.
class Assembler final : public batch::Decoder {
 public:
  Assembler(const PseudoTokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}

  void push(Token token, std::string& text) override {
    if (skip_special_ && tokenizer_.special(token)) return;
    if (token < kBytes || token >= kWordStart) {
      flush(text);
      text += tokenizer_.bytes(token);
      return;
    }
    const auto byte = static_cast<unsigned char>(token - kBytes);
    if (size_ > 0 && (byte & 0xc0) != 0x80) flush(text);
    if (size_ == 1 && !second_fits(static_cast<unsigned char>(held_[0]), byte)) flush(text);
    if (size_ == 0) {
      needed_ = sequence_length(byte);
      if (needed_ == 0) {
        text += kReplacement;
        return;
      }
    }
    held_[size_++] = static_cast<char>(byte);
    if (size_ == needed_) {
      text.append(held_.data(), size_);
      size_ = 0;
    }
  }

  void finish(std::string& text) override { flush(text); }

 private:
  void flush(std::string& text) {
    if (size_ > 0) text += kReplacement;
    size_ = 0;
  }

  const PseudoTokenizer& tokenizer_;
  bool skip_special_;
  std::array<char, 4> held_{};
  std::size_t size_ = 0;
  std::size_t needed_ = 0;
};

}  // namespace

std::size_t PseudoTokenizer::vocabulary() const { return static_cast<std::size_t>(layout().end); }

std::span<const Token> PseudoTokenizer::eos() const { return kEnds; }

std::vector<Token> PseudoTokenizer::encode(std::string_view text, bool add_special) const {
  std::vector<Token> tokens;
  tokens.reserve(text.size() / 4 + 2);
  if (add_special) tokens.push_back(kBos);
  while (!text.empty()) {
    const auto [token, size] = token_at(text);
    tokens.push_back(token);
    text.remove_prefix(size);
  }
  return tokens;
}

std::string PseudoTokenizer::bytes(Token token) const {
  const Layout& ids = layout();
  if (token < 0 || token >= ids.end) return {};
  if (token < kBytes)
    return static_cast<std::size_t>(token) < kSpecials.size()
               ? std::string(kSpecials[static_cast<std::size_t>(token)])
               : std::string();
  if (token < kWordStart) return std::string(1, static_cast<char>(token - kBytes));
  if (token < kWordStart + 2 * ids.words) {
    const Token index = token - kWordStart;
    const bool spaced = index >= ids.words;
    return (spaced ? " " : "") +
           std::string(common_words()[static_cast<std::size_t>(spaced ? index - ids.words : index)]);
  }
  for (const Family& family : ids.families) {
    if (token >= family.start + 2 * family.count) continue;
    const Token index = token - family.start;
    return index >= family.count ? " " + run_of(family, index - family.count) : run_of(family, index);
  }
  return std::string(static_cast<std::size_t>(token - ids.spaces) + 2, ' ');
}

std::string PseudoTokenizer::piece(Token token) const {
  const std::string raw = bytes(token);
  return raw.size() == 1 && static_cast<unsigned char>(raw[0]) >= 0x80 ? std::string(kReplacement) : raw;
}

std::unique_ptr<batch::Decoder> PseudoTokenizer::decoder(std::span<const Token>, bool skip_special) const {
  return std::make_unique<Assembler>(*this, skip_special);
}

Result<std::string> PseudoTokenizer::render_chat(const batch::ChatPrompt& prompt) const {
  std::string text;
  for (std::size_t i = 0; i < prompt.messages.size(); ++i) {
    const batch::ChatMessage& message = prompt.messages[i];
    const bool open = prompt.continue_final_message && i + 1 == prompt.messages.size();
    text += "<|im_start|>" + message.role + "\n" + message.content + (open ? "" : "<|im_end|>\n");
  }
  if (prompt.add_generation_prompt) text += "<|im_start|>assistant\n";
  return text;
}

}  // namespace tidegate::latency

#include "engine/tokenizer/bpe_tokenizer.h"

#include <algorithm>
#include <utility>

#include "engine/unicode/unicode.h"

namespace tidegate::tokenizer {

using unicode::is_valid_utf8;
using unicode::to_nfc;
using unicode::to_valid_utf8;
using unicode::unfinished_tail;

namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(from, at);
    if (found == std::string_view::npos) return out.append(text.substr(at));
    out.append(text.substr(at, found - at)).append(to);
    at = found + from.size();
  }
}

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                : -1;
}

// <0xHH>, or -1.
int byte_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = hex_digit(token[3]), low = hex_digit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string text_bytes(const TextRules& rules, std::string_view token) {
  if (rules.byte_level) return byte_level_bytes(token).value_or(std::string(token));
  std::string text(token);
  for (const auto& [from, to] : rules.replace) text = replaced(text, from, to);
  if (rules.byte_fallback) {
    if (const int byte = byte_token(text); byte >= 0) return std::string(1, static_cast<char>(byte));
  }
  return text;
}

class StreamDecoder final : public batch::Decoder {
 public:
  StreamDecoder(const std::vector<std::string>& bytes, const std::vector<bool>& special, bool skip_special,
                bool strip)
      : bytes_(bytes), special_(special), skip_special_(skip_special), strip_(strip) {}

  void push(Token token, std::string& text) override {
    const auto index = static_cast<std::size_t>(token);
    if (token < 0 || index >= bytes_.size() || (skip_special_ && special_[index])) return;
    std::string_view piece = bytes_[index];
    if (strip_ && !piece.empty()) {
      if (piece.front() == ' ') piece.remove_prefix(1);
      strip_ = false;
    }
    pending_ += piece;
    const std::size_t whole = pending_.size() - unfinished_tail(pending_);
    text += to_valid_utf8(std::string_view(pending_).substr(0, whole));
    pending_.erase(0, whole);
  }

  void finish(std::string& text) override {
    text += to_valid_utf8(pending_);
    pending_.clear();
  }

 private:
  const std::vector<std::string>& bytes_;
  const std::vector<bool>& special_;
  bool skip_special_;
  bool strip_;           // the next text loses one blank at its start
  std::string pending_;  // at most three bytes of an unfinished character
};

}  // namespace

Result<std::unique_ptr<BpeTokenizer>> BpeTokenizer::make(TokenizerSpec spec, TextSettings settings,
                                                         const Clock& clock) {
  std::vector<std::string> keys = spec.vocabulary;
  auto merges = std::move(spec.merges);
  spec.merges.clear();
  if (spec.words.byte_level) {
    // Byte-level files spell bytes as printable characters; encoding works on the bytes themselves.
    const auto to_bytes = [](std::string& token) { token = byte_level_bytes(token).value_or(token); };
    std::for_each(keys.begin(), keys.end(), to_bytes);
    for (auto& [left, right] : merges) {
      to_bytes(left);
      to_bytes(right);
    }
  }
  auto bpe = Bpe::make(keys, merges, spec.bpe);
  if (!bpe) return tl::unexpected(std::move(bpe.error()));
  std::optional<chat::Template> parsed;
  if (!settings.chat_template.empty()) {
    auto made = chat::Template::parse(settings.chat_template);
    if (!made) return tl::unexpected(std::move(made.error()));
    parsed = std::move(*made);
  }
  std::unique_ptr<BpeTokenizer> tokenizer(
      new BpeTokenizer(std::move(spec), std::move(settings), clock, std::move(*bpe)));
  tokenizer->template_ = std::move(parsed);
  return tokenizer;
}

namespace {

std::vector<AddedToken> of_kind(const std::vector<AddedToken>& tokens, bool normalized) {
  std::vector<AddedToken> kept;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(kept),
               [&](const AddedToken& t) { return t.normalized == normalized; });
  return kept;
}

}  // namespace

BpeTokenizer::BpeTokenizer(TokenizerSpec spec, TextSettings settings, const Clock& clock, Bpe bpe)
    : spec_(std::move(spec)),
      settings_(std::move(settings)),
      clock_(clock),
      bpe_(std::move(bpe)),
      raw_added_(of_kind(spec_.added, false)),
      normalized_added_(of_kind(spec_.added, true)) {
  std::size_t ids = spec_.vocabulary.size();
  for (const AddedToken& token : spec_.added) ids = std::max(ids, static_cast<std::size_t>(token.id) + 1);
  bytes_.resize(ids);
  special_.resize(ids);
  for (std::size_t id = 0; id < spec_.vocabulary.size(); ++id) {
    bytes_[id] = text_bytes(spec_.text, spec_.vocabulary[id]);
  }
  for (const AddedToken& token : spec_.added) {
    bytes_[static_cast<std::size_t>(token.id)] = token.content;
    special_[static_cast<std::size_t>(token.id)] = token.special;
  }
}

std::vector<Token> BpeTokenizer::encode(std::string_view text, bool add_special) const {
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = to_valid_utf8(text);
    text = repaired;
  }
  std::vector<Token> out;
  out.reserve(text.size() / 3 + 4);
  if (add_special) out = spec_.before;
  for (std::size_t at = 0; at < text.size();) {
    const auto found = raw_added_.next(text, at);
    const std::size_t end = found ? found->begin : text.size();
    if (end > at) encode_plain(text.substr(at, end - at), at == 0, out);
    if (!found) break;
    out.push_back(found->id);
    at = found->end;
  }
  if (add_special) out.insert(out.end(), spec_.after.begin(), spec_.after.end());
  return out;
}

std::string BpeTokenizer::normalized(std::string_view text) const {
  std::string out(text);
  for (const NormalStep& step : spec_.normal) {
    switch (step.kind) {
      case NormalStep::Kind::kNfc:
        out = to_nfc(out);
        break;
      case NormalStep::Kind::kPrepend:
        if (!out.empty()) out.insert(0, step.to);
        break;
      case NormalStep::Kind::kReplace:
        out = replaced(out, step.from, step.to);
        break;
    }
  }
  return out;
}

void BpeTokenizer::encode_plain(std::string_view text, bool at_start, std::vector<Token>& out) const {
  std::string normal = normalized(text);
  if (normalized_added_.empty()) return encode_words(std::move(normal), at_start, out);
  for (std::size_t at = 0; at < normal.size();) {
    const auto found = normalized_added_.next(normal, at);
    const std::size_t end = found ? found->begin : normal.size();
    if (end > at) encode_words(normal.substr(at, end - at), at_start && at == 0, out);
    if (!found) break;
    out.push_back(found->id);
    at = found->end;
  }
}

void BpeTokenizer::encode_words(std::string text, bool at_start, std::vector<Token>& out) const {
  const WordRules& words = spec_.words;
  if (words.metaspace) {
    const Metaspace& m = *words.metaspace;
    text = replaced(text, " ", m.replacement);
    const bool prepend =
        m.prepend == Metaspace::Prepend::kAlways || (m.prepend == Metaspace::Prepend::kFirst && at_start);
    if (prepend && !text.starts_with(m.replacement)) text.insert(0, m.replacement);
    if (m.split) {
      // Each piece begins with the mark; what stands before the first mark is a piece too.
      std::string_view rest = text;
      while (!rest.empty()) {
        const std::size_t next =
            rest.find(m.replacement, rest.starts_with(m.replacement) ? m.replacement.size() : 0);
        const std::string_view word = rest.substr(0, next);
        bpe_.encode(word, out);
        rest.remove_prefix(word.size());
      }
      return;
    }
  }
  if (words.prefix_space && !text.starts_with(' ')) text.insert(0, " ");
  std::vector<std::string_view> pieces{text}, finer;
  for (const CutRule rule : words.cuts) {
    finer.clear();
    for (const std::string_view piece : pieces) {
      cut(rule, piece, [&](std::string_view word) { finer.push_back(word); });
    }
    pieces.swap(finer);
  }
  for (const std::string_view piece : pieces) bpe_.encode(piece, out);
}

std::unique_ptr<batch::Decoder> BpeTokenizer::decoder(std::span<const Token> prompt,
                                                      bool skip_special) const {
  // Only the very first text loses its blank; what follows a visible prompt keeps it.
  const bool first = std::all_of(prompt.begin(), prompt.end(), [&](Token t) { return special(t); });
  return std::make_unique<StreamDecoder>(bytes_, special_, skip_special, spec_.text.strip_blank && first);
}

std::string BpeTokenizer::piece(Token token) const { return to_valid_utf8(bytes(token)); }

std::string BpeTokenizer::bytes(Token token) const {
  const auto index = static_cast<std::size_t>(token);
  return token >= 0 && index < bytes_.size() ? bytes_[index] : std::string();
}

bool BpeTokenizer::special(Token token) const {
  const auto index = static_cast<std::size_t>(token);
  return token >= 0 && index < special_.size() && special_[index];
}

std::optional<Token> BpeTokenizer::id(std::string_view token) const {
  for (const AddedToken& added : spec_.added) {
    if (added.content == token) return added.id;
  }
  const auto found = std::find(spec_.vocabulary.begin(), spec_.vocabulary.end(), token);
  if (found == spec_.vocabulary.end() || token.empty()) return std::nullopt;
  return static_cast<Token>(found - spec_.vocabulary.begin());
}

Result<std::string> BpeTokenizer::render_chat(const batch::ChatPrompt& prompt) const {
  chat::Context context;
  context.prompt = &prompt;
  context.bos_token = settings_.bos_token;
  context.eos_token = settings_.eos_token;
  context.now = clock_.wall();
  if (!prompt.chat_template.empty()) {
    auto own = chat::Template::parse(prompt.chat_template);
    if (!own) return tl::unexpected(std::move(own.error()));
    return own->render(context);
  }
  if (!template_) {
    return invalid("messages",
                   "need a chat template and this model has none; give chat_template, or use completions");
  }
  return template_->render(context);
}

}  // namespace tidegate::tokenizer

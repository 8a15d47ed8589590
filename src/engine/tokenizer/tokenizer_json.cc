#include "engine/tokenizer/tokenizer_json.h"

#include <simdjson.h>

#include <array>
#include <unordered_map>

#include "engine/unicode/unicode.h"

namespace tidegate::tokenizer {

using unicode::decode_utf8;
using unicode::Decoded;

namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr int kNestingMax = 8;  // of Sequence inside Sequence

bool absent(simdjson::simdjson_result<element> value) { return value.error() || value.value().is_null(); }

std::string text_of(element value, const char* key, std::string_view otherwise = {}) {
  std::string_view text;
  return value[key].get(text) ? std::string(otherwise) : std::string(text);
}

bool flag_of(element value, const char* key, bool otherwise = false) {
  bool flag = false;
  return value[key].get(flag) ? otherwise : flag;
}

tl::unexpected<Error> unsupported(std::string field, const std::string& type) {
  return invalid(std::move(field), "is of type \"" + type + "\", which is unsupported here");
}

// Runs `one` on the member itself, or on each of `list` in it when it is a Sequence.
template <typename One>
Result<void> each_step(element value, const std::string& field, const char* list, One&& one, int depth = 0) {
  if (depth > kNestingMax) return invalid(field, "is nested too deeply");
  const std::string type = text_of(value, "type");
  if (type != "Sequence") return one(value, type, field);
  array steps;
  if (value[list].get(steps)) return invalid(field + "." + list, "is not a list");
  std::size_t i = 0;
  for (const element step : steps) {
    auto done = each_step(step, field + "." + list + "[" + std::to_string(i++) + "]", list, one, depth + 1);
    if (!done) return done;
  }
  return {};
}

// ---- the model

Result<void> read_vocabulary(element model, TokenizerSpec& spec) {
  object vocab;
  if (model["vocab"].get(vocab)) return invalid("model.vocab", "is not a map from token to id");
  for (const auto& [token, value] : vocab) {
    std::uint64_t id = 0;
    if (value.get(id) || id >= kVocabularyMax) {
      return invalid("model.vocab", "has an id that is no number below " + std::to_string(kVocabularyMax));
    }
    if (id >= spec.vocabulary.size()) spec.vocabulary.resize(id + 1);
    if (!spec.vocabulary[id].empty())
      return invalid("model.vocab", "uses id " + std::to_string(id) + " twice");
    spec.vocabulary[id] = std::string(token);
  }
  return {};
}

Result<void> read_merges(element model, TokenizerSpec& spec) {
  array merges;
  if (model["merges"].get(merges)) return invalid("model.merges", "is not a list");
  spec.merges.reserve(merges.size());
  for (const element merge : merges) {
    const std::string field = "model.merges[" + std::to_string(spec.merges.size()) + "]";
    std::string_view joined;
    array pair;
    if (!merge.get(joined)) {
      const std::size_t blank = joined.find(' ');
      if (blank == std::string_view::npos || joined.find(' ', blank + 1) != std::string_view::npos) {
        return invalid(field, "is not two parts with one blank between them");
      }
      spec.merges.emplace_back(joined.substr(0, blank), joined.substr(blank + 1));
    } else if (std::string_view left, right;
               !merge.get(pair) && pair.size() == 2 && !pair.at(0).get(left) && !pair.at(1).get(right)) {
      spec.merges.emplace_back(left, right);
    } else {
      return invalid(field, "is neither a string nor a pair of strings");
    }
  }
  return {};
}

Result<void> read_model(element root, TokenizerSpec& spec) {
  element model;
  if (root["model"].get(model) || !model.is_object()) return invalid("model", "is missing");
  // Old files have no type; a list of merges tells that it is byte-pair encoding.
  const std::string type = text_of(model, "type", "BPE");
  if (type != "BPE") return unsupported("model", type);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!text_of(model, affix).empty())
      return invalid(std::string("model.") + affix, "is set, which is unsupported here");
  }
  if (auto done = read_vocabulary(model, spec); !done) return done;
  if (auto done = read_merges(model, spec); !done) return done;
  spec.bpe.byte_fallback = flag_of(model, "byte_fallback");
  spec.bpe.ignore_merges = flag_of(model, "ignore_merges");
  spec.bpe.fuse_unk = flag_of(model, "fuse_unk");
  if (const std::string unk = text_of(model, "unk_token"); !unk.empty()) {
    for (std::size_t id = 0; id < spec.vocabulary.size(); ++id) {
      if (spec.vocabulary[id] == unk) spec.bpe.unk = static_cast<Token>(id);
    }
  }
  return {};
}

Result<void> read_added(element root, TokenizerSpec& spec) {
  if (absent(root["added_tokens"])) return {};
  array added;
  if (root["added_tokens"].get(added)) return invalid("added_tokens", "is not a list");
  for (const element value : added) {
    const std::string field = "added_tokens[" + std::to_string(spec.added.size()) + "]";
    std::uint64_t id = 0;
    std::string_view content;
    if (value["id"].get(id) || id >= kVocabularyMax || value["content"].get(content)) {
      return invalid(field, "has no id or no content");
    }
    AddedToken token;
    token.id = static_cast<Token>(id);
    token.content = std::string(content);
    token.special = flag_of(value, "special");
    token.normalized = flag_of(value, "normalized", !token.special);
    token.lstrip = flag_of(value, "lstrip");
    token.rstrip = flag_of(value, "rstrip");
    token.single_word = flag_of(value, "single_word");
    spec.added.push_back(std::move(token));
  }
  return {};
}

// ---- what happens to text

Result<void> read_normalizer(element root, TokenizerSpec& spec) {
  if (absent(root["normalizer"])) return {};
  const auto one = [&](element step, const std::string& type, const std::string& field) -> Result<void> {
    if (type == "NFC") {
      spec.normal.push_back({NormalStep::Kind::kNfc, {}, {}});
    } else if (type == "Prepend") {
      spec.normal.push_back({NormalStep::Kind::kPrepend, {}, text_of(step, "prepend")});
    } else if (type == "Replace") {
      std::string_view from;
      if (step["pattern"]["String"].get(from) || from.empty()) {
        return invalid(field + ".pattern", "is no plain string; others are unsupported here");
      }
      spec.normal.push_back({NormalStep::Kind::kReplace, std::string(from), text_of(step, "content")});
    } else {
      return unsupported(field, type);
    }
    return {};
  };
  return each_step(root["normalizer"].value(), "normalizer", "normalizers", one);
}

Result<Metaspace> read_metaspace(element step, const std::string& field) {
  Metaspace metaspace;
  metaspace.replacement = text_of(step, "replacement", "\xE2\x96\x81");
  metaspace.split = flag_of(step, "split", true);
  const std::string scheme =
      text_of(step, "prepend_scheme", flag_of(step, "add_prefix_space", true) ? "always" : "never");
  if (scheme == "always") {
    metaspace.prepend = Metaspace::Prepend::kAlways;
  } else if (scheme == "first") {
    metaspace.prepend = Metaspace::Prepend::kFirst;
  } else if (scheme == "never") {
    metaspace.prepend = Metaspace::Prepend::kNever;
  } else {
    return invalid(field + ".prepend_scheme", "is none of always, first, never");
  }
  return metaspace;
}

Result<void> read_pre_tokenizer(element root, TokenizerSpec& spec) {
  if (absent(root["pre_tokenizer"])) return {};
  const auto one = [&](element step, const std::string& type, const std::string& field) -> Result<void> {
    if (spec.words.byte_level) return invalid(field, "comes after ByteLevel, which is unsupported here");
    if (type == "ByteLevel") {
      spec.words.byte_level = true;
      spec.words.prefix_space = flag_of(step, "add_prefix_space", true);
      if (flag_of(step, "use_regex", true)) spec.words.cuts.push_back(CutRule::kGpt2);
    } else if (type == "Split") {
      std::string_view expression;
      if (step["pattern"]["Regex"].get(expression))
        return invalid(field + ".pattern", "is no regular expression");
      const auto rule = cut_rule(expression);
      if (!rule)
        return invalid(field + ".pattern",
                       "is an expression that is unsupported here: " + std::string(expression));
      if (flag_of(step, "invert") || text_of(step, "behavior") != "Isolated") {
        return invalid(field, "is not isolating its matches, which is unsupported here");
      }
      spec.words.cuts.push_back(*rule);
    } else if (type == "Metaspace" && spec.words.cuts.empty() && !spec.words.metaspace) {
      auto metaspace = read_metaspace(step, field);
      if (!metaspace) return tl::unexpected(std::move(metaspace.error()));
      spec.words.metaspace = std::move(*metaspace);
    } else {
      return unsupported(field, type);
    }
    return {};
  };
  return each_step(root["pre_tokenizer"].value(), "pre_tokenizer", "pretokenizers", one);
}

Result<void> read_template(element step, const std::string& field, TokenizerSpec& spec) {
  array parts;
  if (step["single"].get(parts)) return invalid(field + ".single", "is not a list");
  bool seen_text = false;
  for (const element part : parts) {
    if (!part["Sequence"].error()) {
      seen_text = true;
      continue;
    }
    std::string_view name;
    array ids;
    if (part["SpecialToken"]["id"].get(name) || step["special_tokens"].at_key(name)["ids"].get(ids)) {
      return invalid(field + ".single", "has a part that is neither the text nor a known special token");
    }
    for (const element value : ids) {
      std::uint64_t id = 0;
      if (value.get(id) || id >= kVocabularyMax)
        return invalid(field + ".special_tokens", "has an id out of range");
      (seen_text ? spec.after : spec.before).push_back(static_cast<Token>(id));
    }
  }
  return {};
}

Result<void> read_post_processor(element root, TokenizerSpec& spec) {
  if (absent(root["post_processor"])) return {};
  const auto one = [&](element step, const std::string& type, const std::string& field) -> Result<void> {
    if (type == "ByteLevel") return {};  // it moves offsets only
    if (type == "TemplateProcessing") return read_template(step, field, spec);
    return unsupported(field, type);
  };
  return each_step(root["post_processor"].value(), "post_processor", "processors", one);
}

Result<void> read_decoder(element root, TokenizerSpec& spec) {
  if (absent(root["decoder"])) return {};
  TextRules& text = spec.text;
  const auto one = [&](element step, const std::string& type, const std::string& field) -> Result<void> {
    if (type == "ByteLevel") {
      text.byte_level = true;
    } else if (type == "ByteFallback") {
      text.byte_fallback = true;
    } else if (type == "Fuse") {
      return {};
    } else if (type == "Replace") {
      std::string_view from;
      if (step["pattern"]["String"].get(from) || from.empty())
        return invalid(field + ".pattern", "is no plain string");
      text.replace.emplace_back(from, text_of(step, "content"));
    } else if (type == "Metaspace") {
      auto metaspace = read_metaspace(step, field);
      if (!metaspace) return tl::unexpected(std::move(metaspace.error()));
      text.replace.emplace_back(metaspace->replacement, " ");
      text.strip_blank = metaspace->prepend != Metaspace::Prepend::kNever;
    } else if (type == "Strip") {
      std::uint64_t start = 0, stop = 0;
      if (text_of(step, "content") != " " || step["start"].get(start) || step["stop"].get(stop) ||
          start > 1 || stop > 0) {
        return invalid(field,
                       "strips something other than one blank at the start, which is unsupported here");
      }
      text.strip_blank = start == 1;
    } else {
      return unsupported(field, type);
    }
    return {};
  };
  return each_step(root["decoder"].value(), "decoder", "decoders", one);
}

}  // namespace

Result<TokenizerSpec> parse_tokenizer_json(std::string_view json) {
  if (json.size() > kTokenizerBytesMax) return fail(Code::kTooLarge, "tokenizer.json is too large");
  simdjson::dom::parser parser;
  element root;
  const simdjson::padded_string padded(json);
  if (const auto error = parser.parse(padded).get(root)) {
    return invalid("tokenizer.json", std::string("is no JSON: ") + simdjson::error_message(error));
  }
  if (!root.is_object()) return invalid("tokenizer.json", "is not an object");
  TokenizerSpec spec;
  for (const auto read :
       {read_model, read_added, read_normalizer, read_pre_tokenizer, read_post_processor, read_decoder}) {
    if (auto done = read(root, spec); !done) return tl::unexpected(std::move(done.error()));
  }
  spec.bpe.byte_level = spec.words.byte_level;
  return spec;
}

std::optional<std::string> byte_level_bytes(std::string_view token) {
  std::string bytes;
  bytes.reserve(token.size());
  while (!token.empty()) {
    const Decoded d = decode_utf8(token);
    token.remove_prefix(d.size);
    const char32_t p = d.point;
    if ((p >= 33 && p <= 126) || (p >= 161 && p <= 172) || (p >= 174 && p <= 255)) {
      bytes.push_back(static_cast<char>(p));
    } else if (p >= 256 && p < 256 + 33) {
      bytes.push_back(static_cast<char>(p - 256));  // 0 to 32
    } else if (p >= 256 + 33 && p < 256 + 33 + 34) {
      bytes.push_back(static_cast<char>(p - 256 - 33 + 127));  // 127 to 160
    } else if (p == 256 + 67) {
      bytes.push_back(static_cast<char>(173));
    } else {
      return std::nullopt;
    }
  }
  return bytes;
}

}  // namespace tidegate::tokenizer

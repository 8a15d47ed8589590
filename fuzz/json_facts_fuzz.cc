// Request bodies and stream events, against a document reader.
//
// What is found in a body must be what the document holds, and edits must change the model and the usage
// options and nothing else. A body that is no JSON must not become one by our edits. Cutting usage out of an
// event must equal deleting the member.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "gateway/dialect/body_facts.h"
#include "gateway/dialect/edit.h"
#include "gateway/dialect/json_text.h"
#include "gateway/dialect/usage.h"

namespace {

using namespace tidegate::dialect;
using nlohmann::json;

void require(bool condition) {
  if (!condition) std::abort();
}

json parsed(std::string_view text) { return json::parse(text.begin(), text.end(), nullptr, false); }

bool inside(const Range& range, std::string_view text) {
  return range.begin <= range.end && range.end <= text.size();
}

// The document as it is after our edits: the model and the two options aside, equal to `document`.
json without_our_edits(json document) {
  document.erase("model");
  const auto options = document.find("stream_options");
  if (options == document.end()) return document;
  if (options->is_object()) {
    options->erase("include_usage");
    options->erase("continuous_usage_stats");
  }
  if (options->is_null() || options->empty()) document.erase("stream_options");
  return document;
}

void check_body(std::string_view body) {
  static BodyReader reader;
  std::string memory(body);
  memory.append(kBodyPadding, '}');
  const std::string_view text = std::string_view(memory).substr(0, body.size());
  const auto facts = reader.read(text);
  const json document = parsed(text);
  if (!facts) return;
  for (const Range& range : {facts->model_token, facts->stream_options, facts->include_usage_token,
                             facts->continuous_usage_token, facts->prompt, facts->tools, facts->cache_salt}) {
    require(inside(range, text));
  }
  require(facts->open <= text.size() && text[facts->open - 1] == '{');

  EditList edits;
  edits.replace_model(*facts, "\"new \\\" name\"");
  edits.ask_for_usage(*facts, EngineTraits{});
  const Pieces pieces = edits.apply(text);
  const std::string edited = pieces.text();
  require(edited.size() == pieces.total);
  const json after = parsed(edited);
  require(document.is_discarded() == after.is_discarded());
  if (document.is_discarded()) return;
  require(document.is_object());
  if (facts->has_model) {
    require(document["model"] == std::string(facts->model));
    require(after["model"] == "new \" name");
  }
  if (facts->streams()) {
    require(document["stream"] == true);
    require(after["stream_options"]["include_usage"] == true);
    require(after["stream_options"]["continuous_usage_stats"] == true);
  }
  require(without_our_edits(document) == without_our_edits(after));
}

void check_event(std::string_view data) {
  const UsageSse sse(Injected{true, true});
  const UsageSse::Verdict verdict = sse.look(data);
  if (verdict.action != UsageSse::Action::kCut) return;
  require(inside(verdict.cut, data));
  const json document = parsed(data);
  if (document.is_discarded()) return;
  const std::string cut =
      std::string(data.substr(0, verdict.cut.begin)) + std::string(data.substr(verdict.cut.end));
  json after = parsed(cut);
  require(!after.is_discarded());
  // Of two members of that name a document keeps one; so do we, but perhaps not the same.
  const std::size_t first = data.find("\"usage\"");
  if (data.find("\"usage\"", first + 1) != std::string_view::npos ||
      data.find('\\') != std::string_view::npos)
    return;
  json expected = document;
  expected.erase("usage");
  require(after == expected);
}

void check_scan(std::string_view body) {
  UsageScan whole;
  whole.feed(body);
  UsageScan cut;
  const std::size_t at = body.empty() ? 0 : static_cast<unsigned char>(body[0]) % (body.size() + 1);
  cut.feed(body.substr(0, at));
  cut.feed(body.substr(at));
  require(whole.result() == cut.result());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_body(text);
  check_event(text);
  check_scan(text);
  // Any bytes become one JSON string.
  require(!parsed(json_token(text)).is_discarded());
  return 0;
}

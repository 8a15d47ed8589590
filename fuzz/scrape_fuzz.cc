// Metrics pages, model lists and error bodies of engines: whatever comes, the values stay within bounds.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/dialect/answer.h"
#include "gateway/dialect/scrape.h"

namespace {

using namespace tidegate::dialect;

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static EngineState state;
  read_metrics(text, state);
  require(std::isfinite(state.waiting) || state.waiting > 0);
  require(state.waiting >= 0 && state.running >= 0);
  require(state.kv_usage >= 0 && state.kv_usage <= 1);
  for (const auto* names : {&state.running_adapters, &state.waiting_adapters}) {
    for (const std::string& name : *names) require(!name.empty() && name.find(',') == std::string::npos);
  }
  if (const auto models = read_models(text, 8)) {
    require(models->size() <= 8);
    for (const ServedModel& model : *models) require(!model.id.empty());
  }
  if (const auto error = read_engine_error(text)) require(error->code >= 0);
  return 0;
}

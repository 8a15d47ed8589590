// adapter_config.json, config.json and generation_config.json: one input is given to all three.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "engine/weights/adapter.h"
#include "engine/weights/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate::weights;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto adapter = parse_adapter_config(text)) {
    if (adapter->rank == 0 || !std::isfinite(adapter->alpha)) std::abort();
  }
  if (const auto config = parse_model_config(text)) {
    if (config->heads % config->kv_heads != 0 || config->head_dim % 2 != 0) std::abort();
    if (config->window.size() != config->layers) std::abort();
    (void)inverse_frequencies(config->rope, config->head_dim);
  }
  (void)parse_generation_config(text);
  return 0;
}

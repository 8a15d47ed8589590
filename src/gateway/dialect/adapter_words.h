// How an engine that chooses adapters by a member of the body, not by the model's name, is asked for each of
// its models. Without that member it would answer with its base model and say nothing.
//
//   SGLang     "lora_path": "sql-lora"                    the adapter's name, as --lora-paths gives it
//   llama.cpp  "lora": [{"id": 1, "scale": 1.0}]          its number among --lora; for the base all are off
//
// vLLM and those like it go by the model's name and need none of this.
//
// Thread: immutable once made; any thread.
// Source: SGLang docs/advanced_features/lora.md; llama.cpp tools/server/README.md.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/dialect/answer.h"
#include "gateway/dialect/engine.h"

namespace tidegate::dialect {

// One entry of llama.cpp's GET /lora-adapters.
struct LoraFile {
  std::uint32_t id = 0;
  std::string name;  // of the file, without ".gguf"
  double scale = 1;  // as the server was started with; 0: loaded, but off until it is asked for
};
// Errors: kInvalid if it is no such list.
Result<std::vector<LoraFile>> read_lora_files(std::string_view body);

enum class AdapterField : std::uint8_t { kLora, kLoraPath };

class AdapterWords {
 public:
  // Null for engines that go by the model's name.
  static std::shared_ptr<const AdapterWords> make(Engine engine, std::span<const ServedModel> models,
                                                  std::span<const LoraFile> files);

  struct Words {
    std::string value;       // of the field, as JSON; empty: the field is not needed
    bool is_adapter = true;  // else the base model
    bool operator==(const Words&) const = default;
  };
  AdapterField field() const { return field_; }
  // Null if the engine does not have that model.
  const Words* find(std::string_view model) const;

  bool operator==(const AdapterWords&) const = default;

 private:
  AdapterField field_ = AdapterField::kLora;
  std::map<std::string, Words, std::less<>> words_;  // by model
};

}  // namespace tidegate::dialect

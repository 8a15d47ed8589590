// A transformer in double precision and straight loops: what the engine's answers are held against.
//
// It shares no code with the engine. It reads the same files with its own few lines, keeps no cache, computes
// every position again, adds in the order of the formulas and knows nothing of batches. Slow and plain on
// purpose.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace oracle {

using Values = std::vector<double>;

struct Array {
  std::vector<std::size_t> shape;
  Values values;
};

// Every tensor of a safetensors file, widened. Throws on anything unexpected.
std::map<std::string, Array> read_tensors(const std::string& path);

class Reference {
 public:
  // Throws on anything unexpected.
  explicit Reference(const std::string& folder);

  // W + scale * B A for every pair of a PEFT folder: merged weights.
  void merge(const std::string& adapter_folder);

  // As an engine that keeps one int8 per weight and one scale per row would have it.
  void quantise();

  struct Pass {
    std::vector<std::vector<Values>> hidden;  // [layers + 1][position]: the embedding first
    std::vector<Values> logits;               // [position]
  };
  Pass run(const std::vector<std::int32_t>& tokens) const;

 private:
  struct Shape {
    std::size_t hidden, inner, layers, heads, kv_heads, head_dim, vocabulary;
    double eps;
    bool tied, head_norm;
    std::vector<std::size_t> window;
  };

  const Values& tensor(const std::string& name) const { return tensors_.at(name).values; }
  Values linear(const std::string& module, const Values& x) const;
  Values norm(const Values& x, const Values& weight) const;
  void turn(double* head, std::size_t position) const;

  Shape shape_{};
  std::vector<double> frequencies_;
  double turn_scale_ = 1;
  std::map<std::string, Array> tensors_;
};

}  // namespace oracle

// Prometheus' text formats: text 0.0.4 and OpenMetrics 1.0, their negotiation, and compression of an answer.
//
// The writer keeps the rules that a scrape fails on: HELP and TYPE once and before the samples, families
// contiguous, values escaped, bounds in canonical form, `_total` for OpenMetrics counters, `# EOF`. A counter
// whose name does not end in `_total` (asm_llm_proxy_prompt_tokens) is a counter in 0.0.4 and `unknown` in
// OpenMetrics, which would otherwise force another name on it.
//
// Thread: plain values, no state shared.
// Source: Prometheus exposition formats and content negotiation; OpenMetrics 1.0.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidegate::telemetry {

enum class Format { kText, kOpenMetrics };

enum class Kind { kCounter, kGauge, kHistogram, kUnknown };

struct Negotiated {
  Format format = Format::kText;
  std::string content_type;
};

// The acceptable format of highest quality; nothing known gives text 0.0.4. An `escaping` asked for is
// echoed: our names need none.
Negotiated negotiate(std::string_view accept);

// For pages that are text 0.0.4 whatever the client would like (/stats/prometheus).
Negotiated text_only();

// True if `Accept-Encoding` allows gzip with a quality above 0.
bool accepts_gzip(std::string_view accept_encoding);
std::string gzip(std::string_view document);

// The canonical spelling of a bound: "0.25", "1.0", "100000.0", "1e+06", "+Inf".
std::string canonical_bound(double bound);

// Appends the shortest decimal that reads back as `value`; "+Inf", "-Inf" and "NaN" as Prometheus spells
// them.
void append_number(std::string& out, double value);

// Appends a label value with \, " and newline escaped.
void append_escaped(std::string& out, std::string_view value);

// Cut to `bytes_max` at a character's edge, broken UTF-8 replaced by U+FFFD.
std::string clean_label_value(std::string_view value, std::size_t bytes_max = 256);

bool is_metric_name(std::string_view name);
bool is_label_name(std::string_view name);

// Writes one document, family after family.
//
//   writer.family(Kind::kGauge, "process_open_fds", "Open file descriptors.");
//   writer.sample({}, 12);
class ExpositionWriter {
 public:
  using Labels = std::span<const std::pair<std::string_view, std::string_view>>;

  explicit ExpositionWriter(Format format) : format_(format) {}

  // Begins a family. Requires: a legal name not used before in this document.
  void family(Kind kind, std::string_view name, std::string_view help);

  // One sample of the family begun last. Requires: its kind is not kHistogram.
  void sample(Labels labels, double value);
  void sample(Labels labels, std::uint64_t value);

  // One histogram: counts[i] of bounds[i], and one more for +Inf; not cumulative.
  // Requires: counts.size() == bounds.size() + 1.
  void histogram(Labels labels, std::span<const double> bounds, std::span<const std::uint64_t> counts,
                 double sum);

  Format format() const { return format_; }
  std::string finish() &&;

 private:
  void start(std::string_view suffix, Labels labels, std::string_view le);

  Format format_;
  Kind kind_ = Kind::kUnknown;
  std::string name_;  // of the family begun last, as samples spell it
  std::string out_;
};

}  // namespace tidegate::telemetry

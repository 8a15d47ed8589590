#include "telemetry/exposition.h"

#include <zlib.h>

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/ascii.h"
#include "base/check.h"

namespace tidegate::telemetry {
namespace {

constexpr std::string_view kTextType = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kOpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Takes the text before the next `separator` off the front of `rest`. Quoted strings do not occur in what we
// read.
std::string_view take(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return ascii::trim(part);
}

// RFC 9110 quality: 0 to 1 with up to three decimals. Anything else counts as 0, so that it never wins.
double quality_of(std::string_view text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0 && value <= 1)) return 0;
  return value;
}

std::string_view unquote(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

struct MediaRange {
  std::string_view type;
  std::string_view version;
  std::string_view escaping;
  double quality = 1;
};

MediaRange read_media_range(std::string_view text) {
  MediaRange range;
  range.type = take(text, ';');
  while (!text.empty()) {
    std::string_view parameter = take(text, ';');
    const std::string_view name = take(parameter, '=');
    const std::string_view value = unquote(parameter);
    if (ascii::equals_ignoring_case(name, "q")) {
      range.quality = quality_of(value);
    } else if (ascii::equals_ignoring_case(name, "version")) {
      range.version = value;
    } else if (ascii::equals_ignoring_case(name, "escaping")) {
      range.escaping = value;
    }
  }
  return range;
}

std::optional<Format> format_for(const MediaRange& range) {
  if (ascii::equals_ignoring_case(range.type, "application/openmetrics-text")) {
    if (range.version.empty() || range.version == "1.0.0") return Format::kOpenMetrics;
    return std::nullopt;
  }
  if (ascii::equals_ignoring_case(range.type, "text/plain")) {
    if (range.version.empty() || range.version == "0.0.4") return Format::kText;
    return std::nullopt;
  }
  if (range.type == "*/*" || ascii::equals_ignoring_case(range.type, "text/*")) return Format::kText;
  if (ascii::equals_ignoring_case(range.type, "application/*")) return Format::kOpenMetrics;
  return std::nullopt;
}

bool is_escaping(std::string_view value) {
  return value == "allow-utf-8" || value == "underscores" || value == "dots" || value == "values";
}

// The bytes of the UTF-8 character that `text` begins with, or 0 if it begins with none (RFC 3629: no
// overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void append_help(std::string& out, std::string_view help, Format format) {
  for (const char c : help) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && format == Format::kOpenMetrics) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

std::string_view kind_word(Kind kind, Format format) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
    case Kind::kUnknown:
      return format == Format::kText ? "untyped" : "unknown";
  }
  return "untyped";
}

bool is_name(std::string_view name, bool colons) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  for (const char c : name) {
    const char letter = ascii::lower(c);
    if (!((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '_' || (colons && c == ':'))) {
      return false;
    }
  }
  return true;
}

}  // namespace

Negotiated text_only() { return {Format::kText, std::string(kTextType)}; }

Negotiated negotiate(std::string_view accept) {
  std::optional<Format> best;
  double best_quality = 0;
  std::string_view escaping;
  while (!accept.empty()) {
    const MediaRange range = read_media_range(take(accept, ','));
    const std::optional<Format> format = format_for(range);
    if (!format || range.quality <= best_quality) continue;  // equal quality: the earlier one stays
    best = format;
    best_quality = range.quality;
    escaping = *format == Format::kOpenMetrics ? range.escaping : std::string_view{};
  }
  if (best.value_or(Format::kText) == Format::kText) return text_only();
  Negotiated result{Format::kOpenMetrics, std::string(kOpenMetricsType)};
  if (is_escaping(escaping)) result.content_type.append("; escaping=").append(escaping);
  return result;
}

bool accepts_gzip(std::string_view accept_encoding) {
  double any = 0;
  while (!accept_encoding.empty()) {
    const MediaRange coding = read_media_range(take(accept_encoding, ','));
    if (ascii::equals_ignoring_case(coding.type, "gzip") ||
        ascii::equals_ignoring_case(coding.type, "x-gzip")) {
      return coding.quality > 0;
    }
    if (coding.type == "*") any = coding.quality;
  }
  return any > 0;
}

std::string gzip(std::string_view document) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for a gzip header
  TG_CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(document.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(document.data()));
  stream.avail_in = static_cast<uInt>(document.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  TG_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> text;
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    TG_CHECK(error == std::errc{});
    out.append(text.data(), end);
  }
}

// Digits and exponent come from the shortest scientific form; the layout is that of Go's %g, which Prometheus
// uses: an exponent below 1e-4 or from 1e+06 on, plain decimals with at least one digit behind the point
// between.
std::string canonical_bound(double bound) {
  if (!std::isfinite(bound)) {
    std::string text;
    append_number(text, bound);
    return text;
  }
  std::array<char, 40> buffer;
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), bound, std::chars_format::scientific);
  TG_CHECK(error == std::errc{});
  const std::string scientific(buffer.data(), end);
  const int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  if (exponent < -4 || exponent >= 6) return scientific;
  const auto fixed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), bound, std::chars_format::fixed);
  TG_CHECK(fixed.ec == std::errc{});
  std::string text(buffer.data(), fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '"') {
      out += "\\\"";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
}

std::string clean_label_value(std::string_view value, std::size_t bytes_max) {
  std::string clean;
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    const std::string_view piece = length == 0 ? kReplacement : value.substr(0, length);
    if (clean.size() + piece.size() > bytes_max) break;
    clean += piece;
    value.remove_prefix(length == 0 ? 1 : length);
  }
  return clean;
}

bool is_metric_name(std::string_view name) { return is_name(name, true); }
bool is_label_name(std::string_view name) { return is_name(name, false); }

void ExpositionWriter::family(Kind kind, std::string_view name, std::string_view help) {
  TG_CHECK(is_metric_name(name));
  kind_ = kind;
  name_ = name;
  std::string_view family_name = name;
  if (format_ == Format::kOpenMetrics && kind == Kind::kCounter) {
    if (name.ends_with("_total")) {
      family_name.remove_suffix(std::string_view("_total").size());
    } else {
      kind = Kind::kUnknown;
    }
  }
  const auto help_line = [&] {
    out_.append("# HELP ").append(family_name).append(" ");
    append_help(out_, help, format_);
    out_ += '\n';
  };
  const auto type_line = [&] {
    out_.append("# TYPE ").append(family_name).append(" ").append(kind_word(kind, format_)).append("\n");
  };
  if (format_ == Format::kText) {
    help_line();
    type_line();
  } else {
    type_line();
    help_line();
  }
}

void ExpositionWriter::start(std::string_view suffix, Labels labels, std::string_view le) {
  out_.append(name_).append(suffix);
  if (!labels.empty() || !le.empty()) {
    char separator = '{';
    for (const auto& [name, value] : labels) {
      out_ += separator;
      out_.append(name).append("=\"");
      append_escaped(out_, value);
      out_ += '"';
      separator = ',';
    }
    if (!le.empty()) {
      out_ += separator;
      out_.append("le=\"").append(le).append("\"");
    }
    out_ += '}';
  }
  out_ += ' ';
}

void ExpositionWriter::sample(Labels labels, double value) {
  TG_CHECK(kind_ != Kind::kHistogram);
  start("", labels, "");
  append_number(out_, value);
  out_ += '\n';
}

void ExpositionWriter::sample(Labels labels, std::uint64_t value) {
  TG_CHECK(kind_ != Kind::kHistogram);
  start("", labels, "");
  out_.append(std::to_string(value)).append("\n");
}

void ExpositionWriter::histogram(Labels labels, std::span<const double> bounds,
                                 std::span<const std::uint64_t> counts, double sum) {
  TG_CHECK(kind_ == Kind::kHistogram && counts.size() == bounds.size() + 1);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    start("_bucket", labels, i < bounds.size() ? canonical_bound(bounds[i]) : "+Inf");
    out_.append(std::to_string(total)).append("\n");
  }
  start("_sum", labels, "");
  append_number(out_, sum);
  out_ += '\n';
  start("_count", labels, "");
  out_.append(std::to_string(total)).append("\n");
}

std::string ExpositionWriter::finish() && {
  if (format_ == Format::kOpenMetrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace tidegate::telemetry

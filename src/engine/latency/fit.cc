#include "engine/latency/fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

namespace tidegate::latency {
namespace {

// The linear points lie here, as far as something was seen.
constexpr std::array<double, 8> kKnots = {1, 8, 32, 128, 256, 512, 1024, 2048};

// The figures, in the order of the columns: W(1), its rise per token between each two knots and beyond the
// last, then these.
enum Extra { kContext, kSquare, kSequence, kPrefill, kExtras };

class Columns {
 public:
  explicit Columns(double tokens_max) {
    knots_ = 1;
    while (knots_ < kKnots.size() && kKnots[knots_] <= tokens_max) ++knots_;
  }
  std::size_t count() const { return 1 + slopes() + kExtras; }
  std::size_t slopes() const { return std::max<std::size_t>(knots_ - 1, 1); }
  std::size_t knots() const { return knots_; }
  std::size_t at(Extra extra) const { return 1 + slopes() + extra; }

  // Adds W(tokens) to a row.
  void add_linear(double tokens, std::vector<double>& row) const {
    row[0] += 1;
    for (std::size_t i = 0; i < slopes(); ++i) {
      const double end = i + 1 < slopes() ? kKnots[i + 1] : tokens;  // the last goes on
      row[1 + i] += std::max(0.0, std::min(tokens, end) - kKnots[i]);
    }
  }

 private:
  std::size_t knots_;
};

struct Rows {
  std::vector<std::vector<double>> rows;

  // Scaled so that the row should give 1: errors are relative.
  void add(std::vector<double> row, double ms) {
    for (double& value : row) value /= ms;
    rows.push_back(std::move(row));
  }
};

std::vector<double> decode_row(const Columns& columns, const DecodeSeen& seen) {
  std::vector<double> row(columns.count());
  const auto sequences = static_cast<double>(seen.sequences);
  columns.add_linear(sequences, row);
  row[columns.at(kContext)] = sequences * seen.context / 1000;
  row[columns.at(kSequence)] = sequences;
  return row;
}

std::vector<double> prefill_row(const Columns& columns, std::size_t tokens, std::size_t chunk_max) {
  std::vector<double> row(columns.count());
  for (std::size_t start = 0; start < tokens; start += chunk_max) {
    const auto chunk = static_cast<double>(std::min(chunk_max, tokens - start));
    columns.add_linear(chunk, row);
    row[columns.at(kSquare)] += chunk * (2 * static_cast<double>(start) + chunk);
    row[columns.at(kPrefill)] += 1;
  }
  return row;
}

// Least squares with no unknown below zero, by going down one coordinate at a time.
std::vector<double> solve(const std::vector<std::vector<double>>& rows, std::size_t columns) {
  std::vector<double> scale(columns, 0);
  for (const auto& row : rows) {
    for (std::size_t j = 0; j < columns; ++j) scale[j] += row[j] * row[j];
  }
  for (double& value : scale) value = value > 0 ? std::sqrt(value) : 1;
  std::vector<double> square(columns * columns, 0), right(columns, 0), x(columns, 0);
  for (const auto& row : rows) {
    for (std::size_t j = 0; j < columns; ++j) {
      right[j] += row[j] / scale[j];
      for (std::size_t k = 0; k < columns; ++k) square[j * columns + k] += row[j] * row[k] / scale[j] / scale[k];
    }
  }
  constexpr int kSweepsMax = 200'000;
  constexpr double kStill = 1e-12;
  constexpr double kRidge = 1e-9;  // what nothing speaks for stays at zero
  for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
    double moved = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      double gradient = right[j] - kRidge * x[j];
      for (std::size_t k = 0; k < columns; ++k) gradient -= square[j * columns + k] * x[k];
      const double next = std::max(0.0, x[j] + gradient / (square[j * columns + j] + kRidge));
      moved = std::max(moved, std::abs(next - x[j]));
      x[j] = next;
    }
    if (moved < kStill) break;
  }
  for (std::size_t j = 0; j < columns; ++j) x[j] /= scale[j];
  return x;
}

void put(const Columns& columns, std::span<const double> x, Profile& profile) {
  profile.fixed_ms = 0;
  profile.linear = {};
  profile.linear[0] = {1, x[0]};
  for (std::size_t i = 1; i < columns.knots(); ++i) {
    profile.linear[i] = {kKnots[i], profile.linear[i - 1].ms + x[i] * (kKnots[i] - kKnots[i - 1])};
  }
  if (columns.knots() == 1) profile.linear[1] = {2, x[0] + x[1]};
  profile.context_us = x[columns.at(kContext)];
  profile.prefill_square_ms = x[columns.at(kSquare)];
  profile.sequence_ms = x[columns.at(kSequence)];
  profile.prefill_fixed_ms = x[columns.at(kPrefill)];
  profile.prefill_token_ms = 0;
  profile.load_factor = 1;
}

// factor = base + each * adapters, neither below zero.
void fit_adapters(const std::vector<AdapterSeen>& seen, Profile& profile) {
  if (seen.empty()) return;
  double n = 0, sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  for (const AdapterSeen& each : seen) {
    const auto x = static_cast<double>(each.adapters);
    ++n;
    sum_x += x;
    sum_y += each.factor;
    sum_xx += x * x;
    sum_xy += x * each.factor;
  }
  const double spread = n * sum_xx - sum_x * sum_x;
  const double slope = spread > 0 ? std::max(0.0, (n * sum_xy - sum_x * sum_y) / spread) : 0;
  profile.adapter_each = slope;
  profile.adapter_base = std::max(0.0, (sum_y - slope * sum_x) / n);
}

}  // namespace

Result<Profile> fit(const Seen& seen, Profile start) {
  if (seen.decodes.size() < 2 || seen.prefills.size() < 2) {
    return fail(Code::kInvalid, "too few measurements to fit; give the calibration more time");
  }
  double tokens_max = 1;
  for (const DecodeSeen& each : seen.decodes) tokens_max = std::max(tokens_max, static_cast<double>(each.sequences));
  for (const PrefillSeen& each : seen.prefills) {
    tokens_max = std::max(tokens_max, static_cast<double>(std::min(each.tokens, seen.step_tokens_max)));
  }
  const Columns columns(tokens_max);
  Rows rows;
  for (const DecodeSeen& each : seen.decodes) {
    if (each.step_ms > 0) rows.add(decode_row(columns, each), each.step_ms);
  }
  for (const PrefillSeen& each : seen.prefills) {
    if (each.ms > 0) rows.add(prefill_row(columns, each.tokens, seen.step_tokens_max), each.ms);
  }
  put(columns, solve(rows.rows, columns.count()), start);
  fit_adapters(seen.adapters, start);
  return start;
}

double decode_ms(const Profile& profile, const DecodeSeen& decode) {
  return step_ms(profile, {.decodes = decode.sequences,
                           .decode_context = static_cast<std::size_t>(
                               static_cast<double>(decode.sequences) * decode.context)});
}

double prefill_ms(const Profile& profile, std::size_t tokens, std::size_t step_tokens_max) {
  double ms = 0;
  for (std::size_t start = 0; start < tokens; start += step_tokens_max) {
    ms += step_ms(profile, {.prefill = {{start, std::min(step_tokens_max, tokens - start)}}});
  }
  return ms;
}

double jitter_of(std::vector<double> step_ms) {
  std::erase_if(step_ms, [](double ms) { return ms <= 0; });
  constexpr std::size_t kFew = 8;
  if (step_ms.size() < kFew) return 0;
  std::sort(step_ms.begin(), step_ms.end());
  // The middle half of a normal distribution is 1.349 sigma wide.
  return std::log(step_ms[step_ms.size() * 3 / 4] / step_ms[step_ms.size() / 4]) / 1.349;
}

}  // namespace tidegate::latency

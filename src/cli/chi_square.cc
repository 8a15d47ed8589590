#include "cli/chi_square.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"

namespace tidegate::cli {
namespace {

constexpr double kPrecision = 1e-15;
constexpr int kStepsMax = 100'000;

// P(a, x) = x^a e^-x / Gamma(a) * sum of x^n / (a (a+1) ... (a+n)).
double lower_by_series(double a, double x) {
  double term = 1 / a;
  double sum = term;
  for (int n = 1; n < kStepsMax && term > sum * kPrecision; ++n) {
    term *= x / (a + n);
    sum += term;
  }
  return sum * std::exp(a * std::log(x) - x - std::lgamma(a));
}

// Q(a, x) by Lentz's way of working out a continued fraction from its front.
double upper_by_fraction(double a, double x) {
  constexpr double kTiny = 1e-300;
  double b = x + 1 - a;
  double c = 1 / kTiny;
  double d = 1 / b;
  double value = d;
  for (int n = 1; n < kStepsMax; ++n) {
    const double an = -n * (n - a);
    b += 2;
    d = an * d + b;
    if (std::abs(d) < kTiny) d = kTiny;
    c = b + an / c;
    if (std::abs(c) < kTiny) c = kTiny;
    d = 1 / d;
    value *= c * d;
    if (std::abs(c * d - 1) < kPrecision) break;
  }
  return value * std::exp(a * std::log(x) - x - std::lgamma(a));
}

}  // namespace

double upper_gamma_share(double a, double x) {
  TG_CHECK(a > 0 && x >= 0);
  if (x == 0) return 1;
  if (std::isinf(x)) return 0;
  return x < a + 1 ? 1 - lower_by_series(a, x) : upper_by_fraction(a, x);
}

ChiSquare chi_square(std::span<const std::uint64_t> counts, std::span<const double> weights) {
  TG_CHECK(counts.size() == weights.size());
  const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  const double weight_total = std::accumulate(weights.begin(), weights.end(), 0.0);
  ChiSquare result;
  int shares = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = weight_total > 0 ? total * weights[i] / weight_total : 0;
    if (expected > 0) {
      const double surplus = static_cast<double>(counts[i]) - expected;
      result.statistic += surplus * surplus / expected;
      ++shares;
    } else if (counts[i] > 0) {
      result.statistic = std::numeric_limits<double>::infinity();
      result.p = 0;
    }
  }
  result.degrees_of_freedom = shares > 1 ? shares - 1 : 0;
  if (result.degrees_of_freedom > 0 && result.p > 0) {
    result.p = upper_gamma_share(result.degrees_of_freedom / 2.0, result.statistic / 2);
  }
  return result;
}

}  // namespace tidegate::cli

// Could these counts have come from these shares? Pearson's chi-square test.
//
// Thread: pure functions.

#pragma once

#include <cstdint>
#include <span>

namespace tidegate::cli {

// Q(a, x): the regularised upper incomplete gamma function, from a series below x = a + 1 and a continued
// fraction above (Abramowitz and Stegun 6.5.29 and 6.5.31). Relative error below 1e-10 for the a of a
// chi-square test. Requires: a > 0, x >= 0.
double upper_gamma_share(double a, double x);

struct ChiSquare {
  double statistic = 0;
  int degrees_of_freedom = 0;
  double p = 1;  // how often chance alone is at least this far off
};

// Counts that a share of 0 should not have are impossible: p = 0. Fewer than two shares above 0, or no counts
// at all, leave nothing to test: p = 1. Requires: as many weights as counts, none below 0.
ChiSquare chi_square(std::span<const std::uint64_t> counts, std::span<const double> weights);

}  // namespace tidegate::cli

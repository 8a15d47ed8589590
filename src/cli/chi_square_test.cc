#include "cli/chi_square.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tidegate::cli {
namespace {

// Closed forms: Q(1, x) = e^-x, Q(1/2, x) = erfc(sqrt x), Q(n, x) = e^-x * sum of x^k / k! for k < n.
TEST(UpperGammaShare, AgreesWithTheClosedForms) {
  for (const double x : {0.0, 1e-8, 0.1, 0.5, 1.0, 1.5, 2.0, 5.0, 20.0, 100.0, 600.0}) {
    EXPECT_NEAR(upper_gamma_share(1, x), std::exp(-x), 1e-12 * std::exp(-x) + 1e-15) << x;
    EXPECT_NEAR(upper_gamma_share(0.5, x), std::erfc(std::sqrt(x)), 1e-10 * std::erfc(std::sqrt(x)) + 1e-14)
        << x;
    for (const int n : {2, 5, 30}) {
      double term = std::exp(-x);
      double sum = 0;
      for (int k = 0; k < n; ++k) {
        sum += term;
        term *= x / (k + 1);
      }
      EXPECT_NEAR(upper_gamma_share(n, x), sum, 1e-10 * sum + 1e-13) << n << " " << x;
    }
  }
}

// Critical values as printed in every table of the distribution.
TEST(ChiSquare, AgreesWithThePrintedTables) {
  struct Row {
    int freedom;
    double statistic;
    double p;
  };
  for (const Row& row : {Row{1, 3.841459, 0.05}, Row{4, 13.276704, 0.01}, Row{9, 16.918978, 0.05},
                         Row{9, 27.877165, 0.001}, Row{99, 123.225221, 0.05}}) {
    EXPECT_NEAR(upper_gamma_share(row.freedom / 2.0, row.statistic / 2), row.p, row.p * 1e-5);
  }
}

TEST(ChiSquare, CountsAsExpectedAreNoSurprise) {
  const std::vector<std::uint64_t> counts = {60, 60, 60};
  const ChiSquare test = chi_square(counts, std::vector<double>{1, 1, 1});
  EXPECT_DOUBLE_EQ(test.statistic, 0);
  EXPECT_EQ(test.degrees_of_freedom, 2);
  EXPECT_DOUBLE_EQ(test.p, 1);
}

TEST(ChiSquare, AWorkedExample) {
  // 44 and 56 where 50 and 50 are expected: 36 / 50 twice.
  const std::vector<std::uint64_t> counts = {44, 56};
  const ChiSquare test = chi_square(counts, std::vector<double>{10, 10});
  EXPECT_NEAR(test.statistic, 1.44, 1e-12);
  EXPECT_NEAR(test.p, 0.2301393, 1e-6);
}

TEST(ChiSquare, AWrongSplitIsImpossibleByChance) {
  const std::vector<std::uint64_t> counts = {450, 150};
  EXPECT_LT(chi_square(counts, std::vector<double>{1, 1}).p, 1e-30);
  const std::vector<std::uint64_t> where_none_belongs = {600, 1};
  EXPECT_EQ(chi_square(where_none_belongs, std::vector<double>{1, 0}).p, 0);
}

TEST(ChiSquare, WithoutAQuestionThereIsNoAnswer) {
  EXPECT_EQ(chi_square(std::vector<std::uint64_t>{5}, std::vector<double>{1}).p, 1);
  EXPECT_EQ(chi_square(std::vector<std::uint64_t>{}, std::vector<double>{}).p, 1);
  EXPECT_EQ(chi_square(std::vector<std::uint64_t>{0, 0}, std::vector<double>{1, 1}).p, 1);
  EXPECT_EQ(chi_square(std::vector<std::uint64_t>{7, 0}, std::vector<double>{1, 0}).p, 1);
}

}  // namespace
}  // namespace tidegate::cli

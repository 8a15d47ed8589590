#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/random.h"
#include "engine/ops/kernels.h"
#include "engine/ops/number.h"
#include "engine/ops/pool.h"

namespace tidegate::ops {
namespace {

std::vector<float> random_floats(Random& random, std::size_t count) {
  std::vector<float> out(count);
  for (float& f : out) f = static_cast<float>(random.unit() * 2 - 1);
  return out;
}

// A matrix in any format with what its elements mean as doubles.
struct Sample {
  Matrix matrix;
  std::vector<float> f32, scales;
  std::vector<std::uint16_t> half;
  std::vector<std::int8_t> bytes;
  std::vector<double> exact;
};

std::unique_ptr<Sample> sample(Random& random, Format format, std::size_t rows, std::size_t columns) {
  auto s = std::make_unique<Sample>();
  s->matrix = {format, nullptr, nullptr, rows, columns};
  s->f32 = random_floats(random, rows * columns);
  for (std::size_t i = 0; i < s->f32.size(); ++i) {
    if (format == Format::kF32) {
      s->exact.push_back(s->f32[i]);
    } else if (format == Format::kBf16) {
      s->half.push_back(to_bf16(s->f32[i]));
      s->exact.push_back(from_bf16(s->half.back()));
    } else if (format == Format::kF16) {
      s->half.push_back(static_cast<std::uint16_t>(random.below(0x7C00) | (random.next() & 0x8000)));
      s->half.back() = static_cast<std::uint16_t>(s->half.back() & 0xBFFF);  // below 2
      s->exact.push_back(from_f16(s->half.back()));
    } else {
      if (i % columns == 0) s->scales.push_back(static_cast<float>(0.01 + random.unit()));
      s->bytes.push_back(static_cast<std::int8_t>(random.below(255)));
      s->exact.push_back(double{s->scales.back()} * s->bytes.back());
    }
  }
  s->matrix.data = format == Format::kF32    ? static_cast<const void*>(s->f32.data())
                   : format == Format::kInt8 ? static_cast<const void*>(s->bytes.data())
                                             : static_cast<const void*>(s->half.data());
  if (format == Format::kInt8) s->matrix.scales = s->scales.data();
  return s;
}

class EachIsa : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!isa_supported(GetParam())) GTEST_SKIP() << "not on this processor";
  }
  const Kernels& k() const { return kernels(GetParam()); }
};

std::string isa_name(const testing::TestParamInfo<Isa>& isa) {
  return isa.param == Isa::kScalar ? "Scalar" : isa.param == Isa::kAvx2 ? "Avx2" : "Avx512";
}

INSTANTIATE_TEST_SUITE_P(Ops, EachIsa, testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512), isa_name);

TEST_P(EachIsa, MultiplyIsRightForOddSizesAndAllFormats) {
  Random random(1);
  Scratch scratch;
  for (const Format format : {Format::kF32, Format::kBf16, Format::kF16, Format::kInt8}) {
    for (const std::size_t columns : {1, 15, 64, 1037}) {
      for (const std::size_t count : {1, 2, 5}) {
        const std::size_t rows = 21;
        const auto w = sample(random, format, rows, columns);
        const auto x = random_floats(random, count * (columns + 3));
        std::vector<float> y(count * (rows + 2), 7.0F);
        k().multiply(w->matrix, 2, rows - 1, x.data(), columns + 3, count, y.data(), rows + 2, scratch);
        for (std::size_t m = 0; m < count; ++m) {
          EXPECT_EQ(y[m * (rows + 2) + 1], 7.0F);
          EXPECT_EQ(y[m * (rows + 2) + rows - 1], 7.0F);
          for (std::size_t n = 2; n < rows - 1; ++n) {
            double expected = 0, size = 0;
            for (std::size_t i = 0; i < columns; ++i) {
              const double term = w->exact[n * columns + i] * x[m * (columns + 3) + i];
              expected += term;
              size += std::fabs(term);
            }
            EXPECT_NEAR(y[m * (rows + 2) + n], expected, 1e-5 * size + 1e-30);
          }
        }
      }
    }
  }
}

// The promise of kernels.h: the same bits however the work is cut.
TEST_P(EachIsa, MultiplyDoesNotDependOnTheBatchOrTheCut) {
  Random random(2);
  Scratch scratch;
  for (const Format format : {Format::kF32, Format::kBf16, Format::kF16, Format::kInt8}) {
    const std::size_t rows = 37, columns = 2300, count = 29;
    const auto w = sample(random, format, rows, columns);
    const auto x = random_floats(random, count * columns);
    std::vector<float> whole(count * rows), parts(count * rows);
    k().multiply(w->matrix, 0, rows, x.data(), columns, count, whole.data(), rows, scratch);
    for (std::size_t m = 0; m < count; ++m) {
      const std::size_t cut = 1 + random.below(rows - 1);
      k().multiply(w->matrix, 0, cut, &x[m * columns], columns, 1, &parts[m * rows], rows, scratch);
      k().multiply(w->matrix, cut, rows, &x[m * columns], columns, 1, &parts[m * rows], rows, scratch);
    }
    EXPECT_EQ(whole, parts);
  }
}

TEST_P(EachIsa, AddOuterMatchesAndDoesNotDependOnTheCut) {
  Random random(3);
  const std::size_t rank = 5, columns = 83;
  const auto b = sample(random, Format::kBf16, rank, columns);
  const auto x = random_floats(random, rank);
  const auto start = random_floats(random, columns);
  auto whole = start, parts = start;
  k().add_outer(Format::kBf16, b->matrix.data, columns, rank, x.data(), 0, columns, whole.data());
  k().add_outer(Format::kBf16, b->matrix.data, columns, rank, x.data(), 0, 19, parts.data());
  k().add_outer(Format::kBf16, b->matrix.data, columns, rank, x.data(), 19, columns, parts.data());
  EXPECT_EQ(whole, parts);
  for (std::size_t n = 0; n < columns; ++n) {
    double expected = start[n];
    for (std::size_t j = 0; j < rank; ++j) expected += x[j] * b->exact[j * columns + n];
    EXPECT_NEAR(whole[n], expected, 1e-5);
  }
}

TEST_P(EachIsa, SmallOperationsMatchTheirFormulas) {
  Random random(4);
  for (const std::size_t count : {1, 7, 16, 45}) {
    const auto x = random_floats(random, count), w = random_floats(random, count);
    double squares = 0, total = 0;
    for (const float f : x) squares += double{f} * f;
    std::vector<float> y(count), e(count);
    k().rms_norm(x.data(), w.data(), 1e-5F, count, y.data());
    const double sum = k().exp_shifted(x.data(), 0.5F, count, e.data());
    auto gate = x;
    k().silu_times(gate.data(), w.data(), count);
    float largest = x[0];
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_NEAR(y[i], x[i] / std::sqrt(squares / static_cast<double>(count) + 1e-5) * w[i], 1e-5);
      EXPECT_NEAR(e[i], std::exp(x[i] - 0.5), 1e-6);
      EXPECT_NEAR(gate[i], x[i] / (1 + std::exp(-double{x[i]})) * w[i], 1e-6);
      total += std::exp(x[i] - 0.5);
      largest = std::max(largest, x[i]);
    }
    EXPECT_NEAR(sum, total, 1e-4);
    EXPECT_EQ(k().largest(x.data(), count), largest);
  }
  const float far[] = {-1000.0F, 0.0F, -90.0F};
  float e[3];
  k().exp_shifted(far, 0.0F, 3, e);
  EXPECT_LT(e[0], 1e-37F);
  EXPECT_EQ(e[1], 1.0F);
}

// Attention over scattered blocks against plain loops; the window leaves out the first positions.
TEST_P(EachIsa, AttentionReadsScatteredBlocks) {
  Random random(5);
  Scratch scratch;
  for (const Format format : {Format::kF32, Format::kBf16}) {
    const std::size_t d = 24, heads = 3, block_tokens = 4, positions = 23, pool_blocks = 9;
    const auto keys = sample(random, format, pool_blocks * block_tokens, d);
    const auto values = sample(random, format, pool_blocks * block_tokens, d);
    const std::uint32_t blocks[] = {7, 2, 5, 1, 8, 3};
    const auto query = random_floats(random, heads * d);
    for (const std::size_t first : {0, 6}) {
      std::vector<float> out(heads * d);
      Attention a;
      a.query = query.data();
      a.out = out.data();
      a.heads = heads;
      a.head_dim = d;
      a.keys = keys->matrix.data;
      a.values = values->matrix.data;
      a.format = format;
      a.blocks = blocks;
      a.block_tokens = block_tokens;
      a.block_stride = block_tokens * d;
      a.first = first;
      a.last = positions - 1;
      a.scale = 0.3F;
      k().attend(a, scratch);
      for (std::size_t h = 0; h < heads; ++h) {
        std::vector<double> weight;
        const auto row = [&](std::size_t p) {
          return (blocks[p / block_tokens] * block_tokens + p % block_tokens) * d;
        };
        for (std::size_t p = first; p < positions; ++p) {
          double dot = 0;
          for (std::size_t i = 0; i < d; ++i) dot += query[h * d + i] * keys->exact[row(p) + i];
          weight.push_back(std::exp(0.3 * dot));
        }
        const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
        for (std::size_t i = 0; i < d; ++i) {
          double expected = 0;
          for (std::size_t p = first; p < positions; ++p)
            expected += weight[p - first] / total * values->exact[row(p) + i];
          EXPECT_NEAR(out[h * d + i], expected, 1e-5);
        }
      }
    }
  }
}

TEST(Number, HalvesConvertExactly) {
  EXPECT_EQ(from_f16(0x3C00), 1.0F);
  EXPECT_EQ(from_f16(0x0001), 0x1p-24F);
  EXPECT_EQ(from_f16(0xFBFF), -65504.0F);
  EXPECT_TRUE(std::isinf(from_f16(0x7C00)));
  EXPECT_TRUE(std::isnan(from_f16(0x7E00)));
  EXPECT_EQ(to_bf16(1.00390625F), 0x3F80);  // a tie goes to even
  EXPECT_EQ(to_bf16(1.01171875F), 0x3F82);
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(NAN))));
}

TEST(Pool, EveryPieceIsDoneOnce) {
  for (const std::size_t threads : {1, 2, 5}) {
    Pool pool(threads);
    for (int round = 0; round < 500; ++round) {
      std::vector<std::atomic<int>> hits(97);
      pool.run(hits.size(), 1 + static_cast<std::size_t>(round) % 40,
               [&](std::size_t begin, std::size_t end, Scratch&) {
                 for (std::size_t i = begin; i < end; ++i) ++hits[i];
               });
      for (const auto& hit : hits) ASSERT_EQ(hit.load(), 1);
    }
    pool.run(0, 1, [](std::size_t, std::size_t, Scratch&) { FAIL(); });
  }
}

TEST(FlushDenormals, LastsAsLongAsItLives) {
  volatile float tiny = 1e-39F;
  {
    const FlushDenormals flush;
    EXPECT_EQ(tiny * 1.0F, 0.0F);
  }
  EXPECT_NE(tiny * 1.0F, 0.0F);
}

}  // namespace
}  // namespace tidegate::ops

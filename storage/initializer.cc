#include "storage/initializer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "common/fingerprint.h"
#include "storage/philox.h"

namespace rowhouse {
namespace {

constexpr double kLn2 = 0.693147180559945309417232121458;
constexpr double kHalfPi = 1.57079632679489661923132169164;
constexpr size_t kColumnsPerBlock = 4;

// Four random words for columns 4 * block to 4 * block + 3 of one row.
class RowBits {
 public:
  RowBits(uint64_t seed, TableId table, Key key)
      : stream_(Mix64(Mix64(seed + 0x9E3779B97F4A7C15ull) ^ table.value())), row_(key.value()) {}

  PhiloxCounter Block(uint32_t block) const {
    return Philox({Low(row_), High(row_), block, 0}, {Low(stream_), High(stream_)});
  }

 private:
  static uint32_t Low(uint64_t x) { return static_cast<uint32_t>(x); }
  static uint32_t High(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

  uint64_t stream_;
  uint64_t row_;
};

// out[i] = value of word i, for as many columns as `out` has.
template <typename ValuesOfBlock>
void FillByBlocks(const RowBits& bits, std::span<float> out, ValuesOfBlock values_of) {
  for (size_t first = 0; first < out.size(); first += kColumnsPerBlock) {
    const std::array<float, kColumnsPerBlock> values =
        values_of(bits.Block(static_cast<uint32_t>(first / kColumnsPerBlock)));
    std::copy_n(values.begin(), std::min(kColumnsPerBlock, out.size() - first),
                out.begin() + static_cast<ptrdiff_t>(first));
  }
}

// Rounds once; a value beyond the floats becomes the last one, never an infinity.
float ToFloat(double x) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(x, -kMax, kMax));
}

// In [low, high): rounding may reach `high`, which then becomes the other end.
float UniformValue(uint32_t word, double low, double high) {
  const double unit = static_cast<double>(word >> 8) * 0x1p-24;
  const float value = ToFloat(low + (high - low) * unit);
  return value < high ? value : static_cast<float>(low);
}

// ln(x) for x in (0, 1]: x = m * 2^e with m in [sqrt(1/2), sqrt(2)), ln(m) = 2 atanh((m-1)/(m+1)),
// whose series has lost its last bit after 12 terms. Error: below 1e-15 absolute.
double Ln(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (m > 1.41421356237309504880) {
    m = m * 0.5;
    exponent += 1;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double square = s * s;
  double series = 0;
  for (int k = 25; k >= 1; k -= 2) series = series * square + 1.0 / k;
  return 2.0 * s * series + exponent * kLn2;
}

struct SinCos {
  double sine;
  double cosine;
};

// Taylor series for |t| <= pi/4; error below 1e-16.
SinCos SinCosOf(double t) {
  const double square = t * t;
  double sine = 1;
  double cosine = 1;
  for (int k = 17; k >= 3; k -= 2) {
    sine = 1.0 - sine * square / (k * (k - 1));
    cosine = 1.0 - cosine * square / ((k - 1) * (k - 2));
  }
  return {t * sine, cosine};
}

// Two standard normal values from two words (Box and Muller, 1958). The angle is a quarter turn
// chosen by two bits, plus t + pi/4 with |t| <= pi/4; the 1/sqrt(2) of the addition theorem cancels
// the sqrt(2) of the radius. Largest absolute value: sqrt(66 ln 2) = 6.76.
std::array<double, 2> NormalPair(uint32_t radius_word, uint32_t angle_word) {
  const double u = (radius_word + 0.5) * 0x1p-32;
  const double radius = std::sqrt(-Ln(u));
  const double t = (((angle_word & 0x3FFFFFFFu) + 0.5) * 0x1p-30 - 0.5) * kHalfPi;
  const SinCos sc = SinCosOf(t);
  const double x = radius * (sc.cosine - sc.sine);
  const double y = radius * (sc.cosine + sc.sine);
  switch (angle_word >> 30) {
    case 0:
      return {x, y};
    case 1:
      return {-y, x};
    case 2:
      return {-x, -y};
    default:
      return {y, -x};
  }
}

void FillUniform(const RowBits& bits, double low, double high, std::span<float> out) {
  FillByBlocks(bits, out, [=](const PhiloxCounter& w) -> std::array<float, 4> {
    return {UniformValue(w[0], low, high), UniformValue(w[1], low, high),
            UniformValue(w[2], low, high), UniformValue(w[3], low, high)};
  });
}

void FillNormal(const RowBits& bits, double mean, double stddev, std::span<float> out) {
  FillByBlocks(bits, out, [=](const PhiloxCounter& w) -> std::array<float, 4> {
    const auto [a, b] = NormalPair(w[0], w[1]);
    const auto [c, d] = NormalPair(w[2], w[3]);
    return {ToFloat(mean + stddev * a), ToFloat(mean + stddev * b), ToFloat(mean + stddev * c),
            ToFloat(mean + stddev * d)};
  });
}

}  // namespace

void InitialWeights(const Initializer& initializer, uint64_t seed, TableId table, Key key,
                    std::span<float> out) {
  switch (initializer.kind) {
    case InitializerKind::kZeros:
      std::fill(out.begin(), out.end(), 0.0f);
      return;
    case InitializerKind::kConstant:
      std::fill(out.begin(), out.end(), initializer.a);
      return;
    case InitializerKind::kUniform:
      FillUniform(RowBits(seed, table, key), initializer.a, initializer.b, out);
      return;
    case InitializerKind::kNormal:
      FillNormal(RowBits(seed, table, key), initializer.a, initializer.b, out);
      return;
  }
}

}  // namespace rowhouse

// Random numbers that are the same on every machine and in every release: for shuffles, folds and
// generated data.
//
// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
//
// Threading: plain values.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace rowhouse {

constexpr uint64_t SplitMix64(uint64_t x) {
  uint64_t z = x + 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(SplitMix64(seed)) {}

  uint64_t Next() {
    const uint64_t value = SplitMix64(state_);
    state_ += 0x9E3779B97F4A7C15;
    return value;
  }

  // In [0, n). REQUIRES: n > 0. The bias is below n / 2^64.
  uint64_t Below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * n) >> 64);
  }

  // In (0, 1].
  double Unit() { return static_cast<double>((Next() >> 11) + 1) * 0x1p-53; }

  // Mean 0, standard deviation 1 (Box and Muller).
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(Unit()));
    return radius * std::cos(2 * std::numbers::pi * Unit());
  }

 private:
  uint64_t state_;
};

}  // namespace rowhouse

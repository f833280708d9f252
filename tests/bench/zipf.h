// Ranks drawn by Zipf's law: rank k of n comes with a probability proportional to k^-exponent.
//
// By inverting the whole distribution, which is kept as a table of n doubles: exact to rounding.
//
// Threading: constant after construction.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "worker/random.h"

namespace rowhouse {

class Zipf {
 public:
  Zipf(uint64_t n, double exponent) : cumulative_(n) {
    double sum = 0;
    for (uint64_t k = 0; k < n; ++k) {
      cumulative_[k] = sum += std::pow(static_cast<double>(k + 1), -exponent);
    }
  }

  // In [0, n): 0 is the most frequent.
  uint64_t Draw(Random* random) const {
    const double at = random->Unit() * cumulative_.back();
    const auto found = std::lower_bound(cumulative_.begin(), cumulative_.end(), at);
    return static_cast<uint64_t>(found - cumulative_.begin());
  }

 private:
  std::vector<double> cumulative_;
};

}  // namespace rowhouse

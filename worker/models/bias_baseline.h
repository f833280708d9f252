// The predictor that a factorization must beat: mean + b_u + b_i, from regularised means taken in
// turn over items and users. Runs in the worker alone; no server is involved.
//
// Threading: const after construction.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <span>

#include "worker/data/ratings.h"

namespace rowhouse {

class BiasBaseline {
 public:
  explicit BiasBaseline(std::span<const Rating> train);

  // Users and items that the training set lacks count as average.
  double Predict(Key user, Key item) const;
  double mean() const { return mean_; }

 private:
  using Biases = boost::unordered_flat_map<uint64_t, double>;

  double mean_;
  Biases user_bias_;
  Biases item_bias_;
};

struct BaselineRmse {
  double global_mean = 0;
  double bias_only = 0;
};

// REQUIRES: test is not empty.
BaselineRmse RmseOfBaselines(std::span<const Rating> train, std::span<const Rating> test);

}  // namespace rowhouse

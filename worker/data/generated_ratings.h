// Ratings made from a known model, for machines that have no real data: how well any model can
// predict them is known, too.
//
// True value: t = mean + b_u + b_i + <p_u, q_i>; the rating is t plus normal noise, rounded and cut
// to 1..5. The best prediction is therefore the expectation of that rating given t, and its error
// on a held-out fold is the best that anything can reach there. Items belong to genres, which their
// factors and titles share.
//
// Threading: pure functions.
// Cost: a second for the defaults.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "worker/data/ratings.h"
#include "worker/data/titles.h"

namespace rowhouse {

struct GeneratorOptions {
  uint64_t seed = 1;
  uint32_t users = 943;
  uint32_t items = 1682;
  uint32_t ratings = 100000;
  uint32_t dim = 2;
  double mean = 3.5;
  double user_bias_stddev = 0.4;
  double item_bias_stddev = 0.5;
  double factor_stddev = 0.6;  // of <p_u, q_i>
  double noise_stddev = 0.9;
  uint32_t folds = 5;
};

struct GeneratedRatings {
  std::vector<Rating> ratings;  // no user rates an item twice
  std::vector<ItemTitle> titles;
  std::vector<double> best_rmse;  // of each held-out fold
};

GeneratedRatings GenerateRatings(const GeneratorOptions& options);

// The expectation of the rating whose true value is t.
double ExpectedRating(double t, double noise_stddev);

// Options and best errors, as in generated.json: best_rmse is the mean over the folds,
// best_rmse_per_fold has them all.
std::string GeneratedJson(const GeneratorOptions& options, const GeneratedRatings& generated);

// Writes u.data, u.item and generated.json (options and best errors) to `directory`, made where it
// is absent; files are put in place whole.
absl::Status WriteGenerated(const GeneratorOptions& options, const GeneratedRatings& generated,
                            const std::string& directory);

}  // namespace rowhouse

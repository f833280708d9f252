// Biased matrix factorization: the rating of item i by user u is predicted as
//
//   mu + b_u + b_i + <p_u, q_i>
//
// with loss 1/2 e^2 for each rating, e = prediction - rating. Gradients are summed over the batch,
// for each row. L2 is the tables' weight decay: it counts once for each row and batch that touches
// it.
//
// Five tables: mf_user and mf_item (dim, normal), mf_user_bias and mf_item_bias (dim 1, zeros),
// mf_global_bias (dim 1, one row under key 0, which starts at the mean rating and does not decay).
//
// Threading: const after construction.
// Ownership: the ratings belong to the caller and outlive the model.
// Cost: Prepare and Gradients: O(m dim), no allocation once a Batch has grown, but the key maps'.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "worker/data/ratings.h"
#include "worker/models/model.h"

namespace rowhouse {

struct MatrixFactorizationOptions {
  uint32_t dim = 64;
  double lr = 0.05;
  double lr_decay = 0;
  double l2 = 0.12;         // of the factors
  double l2_bias = 0.0032;  // of the users' and items' biases
  double init_stddev = 0.05;
  double initial_accumulator_value = 0.1;
  uint64_t seed = 1;
  Durability durability = Durability::kLog;
};

class MatrixFactorization : public Model {
 public:
  // Positions of the tables in Tables() and in a Batch.
  enum TableIndex { kUser, kItem, kUserBias, kItemBias, kGlobalBias, kTableCount };

  // `mean_rating`: where the global bias starts, so the same for all workers of a job.
  MatrixFactorization(const MatrixFactorizationOptions& options, float mean_rating,
                      std::span<const Rating> ratings);

  std::vector<TableSpec> Tables() const override;
  uint32_t example_count() const override { return static_cast<uint32_t>(ratings_.size()); }
  void Prepare(std::span<const uint32_t> examples, Batch* batch) const override;
  double Gradients(Batch* batch) const override;

  // The predicted rating of each example of `batch`, from its rows.
  std::vector<float> Predict(const Batch& batch) const;

 private:
  float PredictOne(const Batch& batch, size_t m) const;

  MatrixFactorizationOptions options_;
  float mean_rating_;
  std::span<const Rating> ratings_;
};

// Mean over the ratings, summed in order in double; 0 where there are none.
float MeanRating(std::span<const Rating> ratings);

}  // namespace rowhouse

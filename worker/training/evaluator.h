// How well a trained model predicts ratings that it has not seen. Only pulls: nothing is changed.
//
// Threading: blocks the calling thread.
// Errors: the first failed pull ends it.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "worker/client.h"
#include "worker/models/matrix_factorization.h"

namespace rowhouse {

// The prediction for each example of the model, in order.
absl::StatusOr<std::vector<float>> PredictAll(Client& client, const MatrixFactorization& model,
                                              const std::vector<Table>& tables,
                                              uint32_t batch_rows);

// Root of the mean squared difference. REQUIRES: equal sizes, not empty.
double Rmse(std::span<const float> predictions, std::span<const Rating> ratings);

}  // namespace rowhouse

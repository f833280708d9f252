#include "worker/models/bias_baseline.h"

#include <cmath>

#include "glog/logging.h"
#include "worker/models/matrix_factorization.h"

namespace rowhouse {
namespace {

constexpr int kRounds = 10;
// So many ratings at the mean does each bias weigh against.
constexpr double kUserRegularization = 5;
constexpr double kItemRegularization = 3;

struct Sum {
  double residual = 0;
  uint64_t count = 0;
};
using Sums = boost::unordered_flat_map<uint64_t, Sum>;

void SetBiases(const Sums& sums, double regularization,
               boost::unordered_flat_map<uint64_t, double>* biases) {
  for (const auto& [id, sum] : sums) (*biases)[id] = sum.residual / (sum.count + regularization);
}

void Add(Key id, double residual, Sums* sums) {
  Sum& sum = (*sums)[id.value()];
  sum.residual += residual;
  ++sum.count;
}

}  // namespace

BiasBaseline::BiasBaseline(std::span<const Rating> train) : mean_(MeanRating(train)) {
  for (int round = 0; round < kRounds; ++round) {
    Sums items, users;
    for (const Rating& r : train) Add(r.item, r.value - mean_ - user_bias_[r.user.value()], &items);
    SetBiases(items, kItemRegularization, &item_bias_);
    for (const Rating& r : train) Add(r.user, r.value - mean_ - item_bias_[r.item.value()], &users);
    SetBiases(users, kUserRegularization, &user_bias_);
  }
}

double BiasBaseline::Predict(Key user, Key item) const {
  const auto bias = [](const Biases& biases, Key id) {
    const auto found = biases.find(id.value());
    return found == biases.end() ? 0.0 : found->second;
  };
  return mean_ + bias(user_bias_, user) + bias(item_bias_, item);
}

BaselineRmse RmseOfBaselines(std::span<const Rating> train, std::span<const Rating> test) {
  CHECK(!test.empty());
  const BiasBaseline baseline(train);
  BaselineRmse squares;
  for (const Rating& r : test) {
    squares.global_mean += std::pow(r.value - baseline.mean(), 2);
    squares.bias_only += std::pow(r.value - baseline.Predict(r.user, r.item), 2);
  }
  const auto count = static_cast<double>(test.size());
  return {std::sqrt(squares.global_mean / count), std::sqrt(squares.bias_only / count)};
}

}  // namespace rowhouse

#include "tests/bench/row_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "common/text.h"
#include "storage/initializer.h"

namespace rowhouse {
namespace {

std::vector<Key> ShuffledKeys(uint64_t count, std::mt19937_64* random) {
  std::vector<Key> keys;
  keys.reserve(count);
  for (uint64_t key = 0; key < count; ++key) keys.push_back(Key(key));
  std::shuffle(keys.begin(), keys.end(), *random);
  return keys;
}

std::vector<float> DrawGradients(size_t count, std::mt19937_64* random) {
  std::vector<float> gradients(count);
  for (float& gradient : gradients) {
    gradient = static_cast<float>(static_cast<int64_t>((*random)() % 2001) - 1000) / 1000;
  }
  return gradients;
}

}  // namespace

BatchPlan::BatchPlan(uint64_t rows, uint32_t batch_rows, uint32_t dim)
    : batch_rows_(batch_rows), dim_(dim) {
  std::mt19937_64 random(1);
  keys_ = ShuffledKeys(std::max<uint64_t>(1, rows / batch_rows) * batch_rows, &random);
  gradients_ = DrawGradients(batch_floats(), &random);
}

BatchPlan::BatchPlan(std::vector<Key> keys, uint32_t batch_rows, uint32_t dim)
    : batch_rows_(batch_rows), dim_(dim), keys_(std::move(keys)) {
  std::mt19937_64 random(1);
  gradients_ = DrawGradients(batch_floats(), &random);
}

std::vector<Key> BatchPlan::KeysInOrder() const {
  std::vector<Key> keys = keys_;
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

void RowModel::Expect(size_t batch, size_t position, std::span<float> out) const {
  InitialWeights(spec_.initializer, spec_.seed, TableIdOf(spec_.name), plan_->keys(batch)[position],
                 out);
  const auto gradients = plan_->gradients().subspan(position * plan_->dim(), plan_->dim());
  const auto lr = static_cast<float>(spec_.adagrad.lr);
  const auto eps = static_cast<float>(spec_.adagrad.eps);
  for (size_t i = 0; i < out.size(); ++i) {
    const float gradient = gradients[i];
    auto state = static_cast<float>(spec_.adagrad.initial_accumulator_value);
    for (uint64_t push = 0; push < pushes_[batch]; ++push) {
      state += gradient * gradient;
      out[i] -= (lr * gradient) / (std::sqrt(state) + eps);
    }
  }
}

absl::Status RowModel::Check(size_t batch, std::span<const float> rows, size_t stride) const {
  const uint32_t dim = plan_->dim();
  std::vector<float> expected(dim);
  for (size_t position = 0; position < plan_->batch_rows(); position += stride) {
    Expect(batch, position, expected);
    const auto row = rows.subspan(position * dim, dim);
    if (std::memcmp(row.data(), expected.data(), row.size_bytes()) == 0) continue;
    const size_t column = static_cast<size_t>(
        std::mismatch(row.begin(), row.end(), expected.begin()).first - row.begin());
    return absl::DataLossError(StrCat("table '", spec_.name, "': key ",
                                      plan_->keys(batch)[position].value(), ", column ", column,
                                      ": pulled ", row[column], ", expected ", expected[column],
                                      " after ", pushes_[batch], " pushes"));
  }
  return absl::OkStatus();
}

}  // namespace rowhouse

#include "worker/models/matrix_factorization.h"

#include <algorithm>

#include "glog/logging.h"
#include "worker/models/key_numbering.h"

namespace rowhouse {
namespace {

using Mf = MatrixFactorization;

constexpr Key kGlobalBiasKey{0};
enum Uses { kUserRow, kItemRow, kUsesCount };

float Dot(const float* a, const float* b, uint32_t dim) {
  float sum = 0;
  for (uint32_t d = 0; d < dim; ++d) sum += a[d] * b[d];
  return sum;
}

// to += factor * from
void AddScaled(float factor, const float* from, uint32_t dim, float* to) {
  for (uint32_t d = 0; d < dim; ++d) to[d] += factor * from[d];
}

void SizeRows(uint32_t dim, TableBatch* table) {
  table->rows.resize(table->keys.size() * dim);
  table->gradients.resize(table->keys.size() * dim);
}

}  // namespace

MatrixFactorization::MatrixFactorization(const MatrixFactorizationOptions& options,
                                         float mean_rating, std::span<const Rating> ratings)
    : options_(options), mean_rating_(mean_rating), ratings_(ratings) {}

std::vector<TableSpec> MatrixFactorization::Tables() const {
  const Initializer normal = Initializer::Normal(0, static_cast<float>(options_.init_stddev));
  TableSpec spec;
  spec.seed = options_.seed;
  spec.durability = options_.durability;
  spec.adagrad.lr = options_.lr;
  spec.adagrad.lr_decay = options_.lr_decay;
  spec.adagrad.initial_accumulator_value = options_.initial_accumulator_value;
  std::vector<TableSpec> specs(kTableCount, spec);
  const auto define = [&](TableIndex table, const char* name, uint32_t dim, Initializer initializer,
                          double weight_decay) {
    specs[table].name = name;
    specs[table].dim = dim;
    specs[table].initializer = initializer;
    specs[table].adagrad.weight_decay = weight_decay;
  };
  define(kUser, "mf_user", options_.dim, normal, options_.l2);
  define(kItem, "mf_item", options_.dim, normal, options_.l2);
  define(kUserBias, "mf_user_bias", 1, Initializer::Zeros(), options_.l2_bias);
  define(kItemBias, "mf_item_bias", 1, Initializer::Zeros(), options_.l2_bias);
  define(kGlobalBias, "mf_global_bias", 1, Initializer::Constant(mean_rating_), 0);
  return specs;
}

void MatrixFactorization::Prepare(std::span<const uint32_t> examples, Batch* batch) const {
  batch->examples.assign(examples.begin(), examples.end());
  batch->tables.resize(kTableCount);
  batch->uses.resize(kUsesCount);
  auto& tables = batch->tables;
  for (auto& rows : batch->uses) rows.clear();
  KeyNumbering users(&tables[kUser].keys, examples.size());
  KeyNumbering items(&tables[kItem].keys, examples.size());
  for (const uint32_t example : examples) {
    batch->uses[kUserRow].push_back(users.NumberOf(ratings_[example].user));
    batch->uses[kItemRow].push_back(items.NumberOf(ratings_[example].item));
  }
  tables[kUserBias].keys = tables[kUser].keys;
  tables[kItemBias].keys = tables[kItem].keys;
  tables[kGlobalBias].keys.assign(1, kGlobalBiasKey);
  SizeRows(options_.dim, &tables[kUser]);
  SizeRows(options_.dim, &tables[kItem]);
  for (const TableIndex table : {kUserBias, kItemBias, kGlobalBias}) SizeRows(1, &tables[table]);
}

float MatrixFactorization::PredictOne(const Batch& batch, size_t m) const {
  const auto& tables = batch.tables;
  const size_t user = batch.uses[kUserRow][m];
  const size_t item = batch.uses[kItemRow][m];
  return tables[kGlobalBias].rows[0] + tables[kUserBias].rows[user] + tables[kItemBias].rows[item] +
         Dot(&tables[kUser].rows[user * options_.dim], &tables[kItem].rows[item * options_.dim],
             options_.dim);
}

double MatrixFactorization::Gradients(Batch* batch) const {
  auto& tables = batch->tables;
  const uint32_t dim = options_.dim;
  for (TableBatch& table : tables) std::fill(table.gradients.begin(), table.gradients.end(), 0.0f);
  double loss = 0;
  for (size_t m = 0; m < batch->examples.size(); ++m) {
    const size_t user = batch->uses[kUserRow][m];
    const size_t item = batch->uses[kItemRow][m];
    const float error = PredictOne(*batch, m) - ratings_[batch->examples[m]].value;
    loss += 0.5 * error * error;
    AddScaled(error, &tables[kItem].rows[item * dim], dim, &tables[kUser].gradients[user * dim]);
    AddScaled(error, &tables[kUser].rows[user * dim], dim, &tables[kItem].gradients[item * dim]);
    tables[kUserBias].gradients[user] += error;
    tables[kItemBias].gradients[item] += error;
    tables[kGlobalBias].gradients[0] += error;
  }
  return loss;
}

std::vector<float> MatrixFactorization::Predict(const Batch& batch) const {
  std::vector<float> predictions(batch.examples.size());
  for (size_t m = 0; m < predictions.size(); ++m) predictions[m] = PredictOne(batch, m);
  return predictions;
}

float MeanRating(std::span<const Rating> ratings) {
  double sum = 0;
  for (const Rating& rating : ratings) sum += rating.value;
  return ratings.empty() ? 0 : static_cast<float>(sum / static_cast<double>(ratings.size()));
}

}  // namespace rowhouse

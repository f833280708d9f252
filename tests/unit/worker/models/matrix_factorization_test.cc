#include "worker/models/matrix_factorization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "worker/random.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using Mf = MatrixFactorization;

// User 7 and item 30 appear twice, in a batch of four.
const std::vector<Rating> kRatings = {{Key(7), Key(10), 4},
                                      {Key(8), Key(30), 2},
                                      {Key(7), Key(30), 5},
                                      {Key(9), Key(20), 1},
                                      {Key(1), Key(1), 3}};
const std::vector<uint32_t> kExamples = {0, 1, 2, 3};

class MatrixFactorizationTest : public ::testing::Test {
 protected:
  MatrixFactorizationTest() {
    options_.dim = 3;
    model_.emplace(options_, 3.5f, kRatings);
    model_->Prepare(kExamples, &batch_);
    Random random(5);
    for (TableBatch& table : batch_.tables) {
      for (float& w : table.rows) w = static_cast<float>(random.Normal());
    }
  }

  MatrixFactorizationOptions options_;
  std::optional<MatrixFactorization> model_;
  Batch batch_;
};

TEST_F(MatrixFactorizationTest, AsksForEachRowOnceInOrderOfAppearance) {
  EXPECT_THAT(batch_.tables[Mf::kUser].keys, ElementsAre(Key(7), Key(8), Key(9)));
  EXPECT_THAT(batch_.tables[Mf::kUserBias].keys, ElementsAre(Key(7), Key(8), Key(9)));
  EXPECT_THAT(batch_.tables[Mf::kItem].keys, ElementsAre(Key(10), Key(30), Key(20)));
  EXPECT_THAT(batch_.tables[Mf::kItemBias].keys, ElementsAre(Key(10), Key(30), Key(20)));
  EXPECT_THAT(batch_.tables[Mf::kGlobalBias].keys, ElementsAre(Key(0)));
  EXPECT_EQ(batch_.tables[Mf::kUser].rows.size(), 9u);
  EXPECT_EQ(batch_.tables[Mf::kItemBias].gradients.size(), 3u);
}

TEST_F(MatrixFactorizationTest, GradientsAreThoseOfTheLossNumerically) {
  model_->Gradients(&batch_);
  const Batch analytic = batch_;
  constexpr float kStep =
      1e-2f;  // the loss is quadratic in each weight: central differences are exact
  for (size_t t = 0; t < batch_.tables.size(); ++t) {
    for (size_t i = 0; i < batch_.tables[t].rows.size(); ++i) {
      float& w = batch_.tables[t].rows[i];
      const float before = w;
      w = before + kStep;
      const double up = model_->Gradients(&batch_);
      const float above = w;
      w = before - kStep;
      const double down = model_->Gradients(&batch_);
      const double numeric = (up - down) / (double{above} - w);
      w = before;
      EXPECT_NEAR(analytic.tables[t].gradients[i], numeric, 2e-3) << "table " << t << " at " << i;
    }
  }
}

TEST_F(MatrixFactorizationTest, LossIsHalfTheSquaredErrorOfThePredictions) {
  const double loss = model_->Gradients(&batch_);
  const std::vector<float> predictions = model_->Predict(batch_);
  double expected = 0;
  for (size_t m = 0; m < 4; ++m) expected += 0.5 * std::pow(predictions[m] - kRatings[m].value, 2);
  EXPECT_NEAR(loss, expected, 1e-9 * expected + 1e-6);
}

TEST_F(MatrixFactorizationTest, PredictsBiasesPlusProductOfFactors) {
  batch_.tables[Mf::kGlobalBias].rows = {3.5f};
  batch_.tables[Mf::kUserBias].rows = {0.5f, 0, 0};
  batch_.tables[Mf::kItemBias].rows = {0, -1, 0};
  batch_.tables[Mf::kUser].rows = {1, 2, 3, 0, 0, 0, 0, 0, 0};
  batch_.tables[Mf::kItem].rows = {0, 0, 0, 1, 1, -1, 0, 0, 0};
  EXPECT_THAT(model_->Predict(batch_), ElementsAre(4.0f, 2.5f, 3.0f, 3.5f));
}

TEST_F(MatrixFactorizationTest, AReusedBatchHoldsNothingOfTheLast) {
  model_->Gradients(&batch_);
  model_->Prepare(std::vector<uint32_t>{4}, &batch_);
  EXPECT_THAT(batch_.tables[Mf::kUser].keys, ElementsAre(Key(1)));
  for (TableBatch& table : batch_.tables) std::fill(table.rows.begin(), table.rows.end(), 1.0f);
  model_->Gradients(&batch_);  // 1 + 1 + 1 + 3 - 3
  EXPECT_THAT(batch_.tables[Mf::kUser].gradients, ElementsAre(3, 3, 3));
  EXPECT_THAT(batch_.tables[Mf::kGlobalBias].gradients, ElementsAre(3));
}

TEST_F(MatrixFactorizationTest, TablesCarryTheOptions) {
  const std::vector<TableSpec> tables = model_->Tables();
  ASSERT_EQ(tables.size(), 5u);
  for (const TableSpec& table : tables) {
    EXPECT_TRUE(Validate(table).ok()) << Validate(table);
    EXPECT_EQ(table.adagrad.lr, 0.05);
    EXPECT_EQ(table.adagrad.initial_accumulator_value, 0.1);
  }
  EXPECT_EQ(tables[Mf::kUser].name, "mf_user");
  EXPECT_EQ(tables[Mf::kItem].dim, 3u);
  EXPECT_EQ(tables[Mf::kItem].adagrad.weight_decay, 0.12);
  EXPECT_EQ(tables[Mf::kItem].initializer, Initializer::Normal(0, 0.05f));
  EXPECT_EQ(tables[Mf::kUserBias].adagrad.weight_decay, 0.0032);
  EXPECT_EQ(tables[Mf::kUserBias].initializer, Initializer::Zeros());
  EXPECT_EQ(tables[Mf::kGlobalBias].adagrad.weight_decay, 0);
  EXPECT_EQ(tables[Mf::kGlobalBias].initializer, Initializer::Constant(3.5f));
}

TEST(MeanRating, IsTheMean) {
  EXPECT_EQ(MeanRating(kRatings), 3);
  EXPECT_EQ(MeanRating({}), 0);
}

}  // namespace
}  // namespace rowhouse

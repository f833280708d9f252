#include "worker/training/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/worker/training/recording_client.h"

namespace rowhouse {
namespace {

using Mf = MatrixFactorization;

class EvaluatorTest : public ::testing::Test {
 protected:
  EvaluatorTest() {
    for (uint64_t i = 0; i < 23; ++i) ratings_.push_back({Key(i), Key(100 + i), 1});
    MatrixFactorizationOptions options;
    options.dim = 2;
    model_.emplace(options, 3, ratings_);
    for (const TableSpec& spec : model_->Tables()) tables_.push_back(*client_.CreateTable(spec));
    client_.calls.clear();
    client_.fill = [this](PullPart& part) {  // the user's bias is its key, all else is zero
      const bool is_user_bias = part.table.id == tables_[Mf::kUserBias].id;
      for (size_t i = 0; i < part.rows.size(); ++i) {
        part.rows[i] = is_user_bias ? part.keys[i].value() : 0;
      }
    };
  }

  std::vector<Rating> ratings_;
  RecordingClient client_;
  std::optional<MatrixFactorization> model_;
  std::vector<Table> tables_;
};

TEST_F(EvaluatorTest, PredictsEveryExampleInOrderWhateverTheBatch) {
  for (const uint32_t batch_rows : {1u, 4u, 5u, 23u, 100u}) {
    const auto predictions = PredictAll(client_, *model_, tables_, batch_rows);
    ASSERT_TRUE(predictions.ok());
    ASSERT_EQ(predictions->size(), 23u);
    for (size_t i = 0; i < 23; ++i) EXPECT_EQ(predictions->at(i), i);
  }
}

TEST_F(EvaluatorTest, OnlyPulls) {
  ASSERT_TRUE(PredictAll(client_, *model_, tables_, 10).ok());
  EXPECT_EQ(client_.calls.size(), 3u);
  EXPECT_TRUE(client_.pushed_parts.empty());
}

TEST_F(EvaluatorTest, AFailedPullEndsItAfterAllOpenOnes) {
  int answers = 0;
  client_.answer = [&](std::string_view, Step) {
    return ++answers == 2 ? absl::UnavailableError("gone") : absl::OkStatus();
  };
  const auto predictions = PredictAll(client_, *model_, tables_, 4);
  EXPECT_EQ(predictions.status().message(), "gone");
  EXPECT_EQ(client_.waits.size(), client_.calls.size());
}

TEST(Rmse, IsTheRootOfTheMeanSquare) {
  const std::vector<Rating> ratings = {{Key(1), Key(1), 1}, {Key(1), Key(2), 5}};
  EXPECT_DOUBLE_EQ(Rmse(std::vector<float>{2, 2}, ratings), std::sqrt((1.0 + 9) / 2));
}

}  // namespace
}  // namespace rowhouse

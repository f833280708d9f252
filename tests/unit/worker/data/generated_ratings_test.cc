#include "worker/data/generated_ratings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cmath>
#include <filesystem>
#include <set>

#include "common/text.h"
#include "worker/data/folds.h"
#include "worker/data/lines.h"
#include "worker/models/bias_baseline.h"
#include "worker/random.h"

namespace rowhouse {
namespace {

GeneratorOptions Small() {
  GeneratorOptions options;
  options.users = 200;
  options.items = 300;
  options.ratings = 10000;
  return options;
}

TEST(GeneratedRatings, AreAFunctionOfTheSeed) {
  GeneratorOptions options = Small();
  const auto once = GenerateRatings(options);
  EXPECT_EQ(once.ratings, GenerateRatings(options).ratings);
  options.seed = 2;
  EXPECT_NE(once.ratings, GenerateRatings(options).ratings);
}

TEST(GeneratedRatings, AreDistinctPairsOnTheScale) {
  const auto generated = GenerateRatings(Small());
  std::set<std::pair<Key, Key>> pairs;
  for (const Rating& rating : generated.ratings) {
    EXPECT_TRUE(pairs.emplace(rating.user, rating.item).second);
    EXPECT_TRUE(rating.value >= 1 && rating.value <= 5 && rating.value == std::floor(rating.value));
  }
  EXPECT_EQ(generated.ratings.size(), 10000u);
  EXPECT_EQ(generated.titles.size(), 300u);
}

TEST(GeneratedRatings, ExpectationIsThatOfRoundedAndCutNoise) {
  Random random(1);
  for (const double t : {-1.0, 1.2, 3.5, 4.9, 9.0}) {
    double sum = 0;
    constexpr int kDraws = 200000;
    for (int i = 0; i < kDraws; ++i) {
      sum += std::clamp(std::floor(t + 0.8 * random.Normal() + 0.5), 1.0, 5.0);
    }
    EXPECT_NEAR(ExpectedRating(t, 0.8), sum / kDraws, 0.01) << t;
  }
}

TEST(GeneratedRatings, BestErrorIsNearTheNoiseAndBelowTheBaselines) {
  const GeneratorOptions options;
  const auto generated = GenerateRatings(options);
  ASSERT_EQ(generated.best_rmse.size(), 5u);
  const Split split = HoldOut(generated.ratings, 5, 0);
  const BaselineRmse baselines = RmseOfBaselines(split.train, split.test);
  EXPECT_NEAR(generated.best_rmse[0], options.noise_stddev, 0.06);
  EXPECT_LT(generated.best_rmse[0] + 0.1, baselines.bias_only);
  EXPECT_LT(baselines.bias_only + 0.1, baselines.global_mean);
}

TEST(GeneratedRatings, FilesReadBackAsTheyWereMade) {
  const std::string directory = StrCat(::testing::TempDir(), "/generated.", getpid(), "/deep");
  const auto generated = GenerateRatings(Small());
  const absl::Status written = WriteGenerated(Small(), generated, directory);
  ASSERT_TRUE(written.ok()) << written;
  EXPECT_EQ(*ReadRatings(directory + "/u.data"), generated.ratings);
  EXPECT_EQ(*ReadTitles(directory + "/u.item"), generated.titles);
  const auto json = boost::json::parse(*ReadFile(directory + "/generated.json"));
  EXPECT_EQ(json.at("best_rmse_per_fold").at(3).to_number<double>(), generated.best_rmse[3]);
  std::filesystem::remove_all(std::filesystem::path(directory).parent_path());
}

TEST(GeneratedRatings, NamesADirectoryThatCannotBeMade) {
  const absl::Status written = WriteGenerated(Small(), {}, "/dev/null/x");
  EXPECT_THAT(std::string(written.message()), ::testing::HasSubstr("/dev/null/x"));
}

}  // namespace
}  // namespace rowhouse

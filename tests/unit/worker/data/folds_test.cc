#include "worker/data/folds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;

std::vector<Rating> Numbered(size_t count) {
  std::vector<Rating> ratings;
  for (size_t i = 0; i < count; ++i) ratings.push_back({Key(i), Key(0), 1});
  return ratings;
}

TEST(Folds, AreThePublishedOnesOfMovieLens100K) {
  std::vector<uint32_t> folds = FoldsOfLines(100000, 5);
  for (uint32_t fold = 0; fold < 5; ++fold) {
    EXPECT_EQ(std::count(folds.begin(), folds.end(), fold), 20000);
  }
  folds.resize(10);
  EXPECT_THAT(folds, ElementsAre(4, 2, 4, 1, 1, 1, 0, 1, 2, 0));
}

TEST(Folds, PartTheRatingsInTheOrderOfTheFile) {
  const std::vector<Rating> ratings = Numbered(100);
  std::vector<Rating> held_out;
  for (uint32_t fold = 0; fold < 3; ++fold) {
    const Split split = HoldOut(ratings, 3, fold);
    EXPECT_EQ(split.train.size() + split.test.size(), 100u);
    EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end(),
                               [](auto& a, auto& b) { return a.user < b.user; }));
    held_out.insert(held_out.end(), split.test.begin(), split.test.end());
  }
  EXPECT_THAT(held_out, ::testing::UnorderedElementsAreArray(ratings));
}

TEST(Folds, WithoutAFoldEverythingIsTrainedOn) {
  const Split split = HoldOut(Numbered(10), 5, std::nullopt);
  EXPECT_EQ(split.train, Numbered(10));
  EXPECT_TRUE(split.test.empty());
}

}  // namespace
}  // namespace rowhouse

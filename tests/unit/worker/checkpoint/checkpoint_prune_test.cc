#include "worker/checkpoint/checkpoint_prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/worker/checkpoint/checkpoint_test_support.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Mark> Marks(const std::vector<uint64_t>& numbers) {
  return std::vector<Mark>(numbers.begin(), numbers.end());
}

TEST(CheckpointPrune, KeepsTheNewestAndEveryNth) {
  const auto numbers = Marks({1, 2, 4, 5, 8, 9});
  EXPECT_EQ(KeptBy({.keep = 2}, numbers), Marks({8, 9}));
  EXPECT_EQ(KeptBy({.keep = 1, .keep_every = 4}, numbers), Marks({4, 8, 9}));
  EXPECT_EQ(KeptBy({.keep = 100}, numbers), numbers);
  EXPECT_EQ(KeptBy({.keep = 1}, {}), Marks({}));
}

class CheckpointPruneTest : public ::testing::Test {
 protected:
  CheckpointPruneTest() {
    made_.Add(1, {"a", "shared"});
    made_.Add(2, {"b", "shared"});
    made_.Add(3, {"c", "shared"});
    made_.Put("orphan", "of an attempt that came to nothing");
  }

  HandmadeCheckpoints made_;
};

TEST_F(CheckpointPruneTest, RemovesFilesThatNoRemainingManifestNames) {
  const auto result = PruneCheckpoints(made_.directory(), {.keep = 1}, false);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->kept, Marks({3}));
  EXPECT_EQ(result->removed, Marks({1, 2}));
  EXPECT_THAT(result->files, ElementsAre("a", "b", "orphan"));
  EXPECT_EQ(result->bytes, 36u);
  EXPECT_THAT(made_.Files(), ElementsAre("c", "shared"));
  EXPECT_EQ(*made_.directory().Numbers(), Marks({3}));
}

TEST_F(CheckpointPruneTest, ADryRunSaysTheSameAndRemovesNothing) {
  const auto result = PruneCheckpoints(made_.directory(), {.keep = 1}, true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->files, ElementsAre("a", "b", "orphan"));
  EXPECT_EQ(made_.Files().size(), 5u);
  EXPECT_EQ(*made_.directory().Numbers(), Marks({1, 2, 3}));
}

TEST_F(CheckpointPruneTest, RemovesHalfWrittenManifests) {
  const std::string half = made_.directory().ManifestPath(Mark(9)) + ".tmp";
  std::ofstream(half) << "{";
  ASSERT_TRUE(PruneCheckpoints(made_.directory(), {.keep = 3}, false).ok());
  EXPECT_FALSE(std::filesystem::exists(half));
  EXPECT_EQ(*made_.directory().Numbers(), Marks({1, 2, 3}));
}

TEST_F(CheckpointPruneTest, TouchesNothingWhereAManifestThatStaysIsDamaged) {
  std::filesystem::resize_file(made_.directory().ManifestPath(Mark(3)), 30);
  const auto result = PruneCheckpoints(made_.directory(), {.keep = 1}, false);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(made_.Files().size(), 5u);
  EXPECT_EQ(*made_.directory().Numbers(), Marks({1, 2, 3}));
}

TEST_F(CheckpointPruneTest, WaitsForNobodyWhoHoldsTheLock) {
  const auto lock = made_.directory().Lock();
  ASSERT_TRUE(lock.ok());
  const auto result = PruneCheckpoints(made_.directory(), {.keep = 1}, false);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("try again"));
  EXPECT_EQ(made_.Files().size(), 5u);
}

}  // namespace
}  // namespace rowhouse

#include "worker/training/batch_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace rowhouse {
namespace {

using ::testing::UnorderedElementsAreArray;

std::vector<uint32_t> EpochOf(BatchSchedule& schedule, uint32_t epoch) {
  std::vector<uint32_t> examples;
  for (uint64_t i = 0; i < schedule.steps_per_epoch(); ++i) {
    const auto step = schedule.ExamplesOf(schedule.FirstStepOf(epoch) + i);
    examples.insert(examples.end(), step.begin(), step.end());
  }
  return examples;
}

std::vector<uint32_t> UpTo(uint32_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

TEST(BatchSchedule, EachEpochTakesEveryExampleOnceInAnOrderOfItsOwn) {
  BatchSchedule schedule(103, {.batch_rows = 10});
  EXPECT_EQ(schedule.steps_per_epoch(), 11u);
  const auto first = EpochOf(schedule, 0);
  const auto second = EpochOf(schedule, 1);
  EXPECT_THAT(first, UnorderedElementsAreArray(UpTo(103)));
  EXPECT_THAT(second, UnorderedElementsAreArray(UpTo(103)));
  EXPECT_NE(first, second);
  EXPECT_NE(first, UpTo(103));
}

TEST(BatchSchedule, LastBatchOfAnEpochIsTheRest) {
  BatchSchedule schedule(103, {.batch_rows = 10});
  EXPECT_EQ(schedule.ExamplesOf(10).size(), 10u);
  EXPECT_EQ(schedule.ExamplesOf(11).size(), 3u);
  EXPECT_EQ(schedule.ExamplesOf(12).size(), 10u);
}

TEST(BatchSchedule, DependsOnSeedAndEpochAlone) {
  BatchSchedule one(50, {.batch_rows = 8, .seed = 3});
  BatchSchedule same(50, {.batch_rows = 8, .seed = 3});
  BatchSchedule other(50, {.batch_rows = 8, .seed = 4});
  EpochOf(one, 0);  // whether earlier epochs were asked for does not matter
  EXPECT_EQ(EpochOf(one, 2), EpochOf(same, 2));
  EXPECT_NE(EpochOf(one, 2), EpochOf(other, 2));
}

TEST(BatchSchedule, WorkersShareOneOrderWorldStepsApart) {
  BatchSchedule alone(11, {.batch_rows = 100, .seed = 9});
  const auto order = EpochOf(alone, 1);
  for (uint32_t rank = 0; rank < 3; ++rank) {
    BatchSchedule part(11, {.batch_rows = 100, .seed = 9, .rank = rank, .world = 3});
    std::vector<uint32_t> expected;
    for (size_t i = rank; i < order.size(); i += 3) expected.push_back(order[i]);
    EXPECT_EQ(EpochOf(part, 1), expected);
    EXPECT_EQ(part.share(), expected.size());
  }
}

TEST(BatchSchedule, StepsCountFromOneAcrossEpochs) {
  BatchSchedule schedule(25, {.batch_rows = 10});
  EXPECT_EQ(schedule.FirstStepOf(0), 1u);
  EXPECT_EQ(schedule.FirstStepOf(4), 13u);
}

}  // namespace
}  // namespace rowhouse

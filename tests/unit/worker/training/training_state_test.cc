#include "worker/training/training_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using ::testing::HasSubstr;

std::vector<Rating> SomeRatings() { return {{Key(1), Key(2), 3}, {Key(4), Key(~0ull), 5}}; }

ScheduleOptions SomeSchedule() { return {.batch_rows = 16, .seed = ~0ull, .rank = 1, .world = 2}; }

std::string SomeState(const RunShape& run = {1000, 2}) {
  TrainingProgress progress;
  progress.epoch = 3;
  progress.step = 40;
  progress.epoch_steps_done = 2;
  return EncodeTrainingState(IdentityOf(SomeRatings(), SomeSchedule()), run, progress);
}

std::string ErrorAgainst(const std::vector<Rating>& ratings, const ScheduleOptions& schedule) {
  return std::string(CheckSameJob(SomeState(), IdentityOf(ratings, schedule)).message());
}

TEST(TrainingState, SaysWhereTheJobIs) {
  const std::string state = SomeState();
  EXPECT_THAT(state, HasSubstr("\"epoch\":3"));
  EXPECT_THAT(state, HasSubstr("\"step\":40"));
  EXPECT_THAT(state, HasSubstr("\"data_offset\":32"));
}

TEST(TrainingState, TakesTheSameJobWhateverTheRank) {
  EXPECT_EQ(ErrorAgainst(SomeRatings(), SomeSchedule()), "");
  ScheduleOptions other_rank = SomeSchedule();
  other_rank.rank = 0;
  EXPECT_EQ(ErrorAgainst(SomeRatings(), other_rank), "");
}

TEST(TrainingState, NamesWhatDiffersWithBothValues) {
  ScheduleOptions schedule = SomeSchedule();
  schedule.batch_rows = 17;
  EXPECT_THAT(ErrorAgainst(SomeRatings(), schedule), HasSubstr("batch_rows 16, this one has 17"));
  schedule = SomeSchedule();
  schedule.seed = 1;
  EXPECT_THAT(ErrorAgainst(SomeRatings(), schedule), HasSubstr("seed 18446744073709551615"));
  schedule = SomeSchedule();
  schedule.world = 3;
  EXPECT_THAT(ErrorAgainst(SomeRatings(), schedule), HasSubstr("world 2"));
  auto ratings = SomeRatings();
  ratings[1].value = 4;
  EXPECT_THAT(ErrorAgainst(ratings, SomeSchedule()), HasSubstr("data_xxh3"));
  ratings.pop_back();
  EXPECT_THAT(ErrorAgainst(ratings, SomeSchedule()), HasSubstr("examples 2, this one has 1"));
}

TEST(TrainingState, SaysWhatChangesTheBitsOfARunThatGoesOn) {
  EXPECT_EQ(WhatChangesBits(SomeState(), {1000, 2}), "");
  EXPECT_THAT(WhatChangesBits(SomeState(), {500, 2}),
              HasSubstr("checkpoint_every_steps 1000 (this one has 500):"));
  EXPECT_THAT(WhatChangesBits(SomeState(), {0, 3}),
              HasSubstr("(this one has 0) and prefetch_steps 2 (this one has 3):"));
  EXPECT_EQ(WhatChangesBits(SomeState({0, 2}), {500, 3}), "") << "those by time promise no bits";
}

TEST(TrainingState, TextOfSomebodyElseSaysNothing) {
  const JobIdentity job = IdentityOf(SomeRatings(), SomeSchedule());
  for (const char* text : {"", "before lunch", "{\"epoch\": 3}", "[1]", "{\"rowhouse_training\":1}",
                           "{\"rowhouse_training\":1,\"job\":3}"}) {
    EXPECT_TRUE(CheckSameJob(text, job).ok()) << text;
    EXPECT_EQ(WhatChangesBits(text, {1, 1}), "") << text;
  }
}

}  // namespace
}  // namespace rowhouse

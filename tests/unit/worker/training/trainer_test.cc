#include "worker/training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/worker/training/recording_client.h"
#include "worker/models/matrix_factorization.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

class TrainerTest : public ::testing::Test, public TrainingObserver {
 protected:
  // 10 ratings in batches of 4: 3 steps an epoch.
  TrainerTest() {
    for (uint64_t i = 0; i < 10; ++i) ratings_.push_back({Key(i % 3), Key(i), 3});
    options_.schedule.batch_rows = 4;
    options_.epochs = 2;
    model_options_.dim = 2;
  }

  absl::Status Run() {
    const MatrixFactorization model(model_options_, 3, ratings_);
    auto tables = CreateTables(client_, model.Tables());
    if (!tables.ok()) return tables.status();
    client_.calls.clear();
    Trainer trainer(client_, model, *tables, options_, *this);
    const absl::Status status = trainer.Run();
    progress_ = trainer.progress();
    return status;
  }

  void EpochBegan(const TrainingProgress& p) override { Note("epoch begins ", p.epoch); }
  void EpochEnded(const TrainingProgress& p) override { Note("epoch ends ", p.epoch); }
  void Drained(const TrainingProgress& p) override {
    client_.calls.push_back(StrCat("drained ", p.step));
    waits_at_drain_.push_back(client_.waits);
  }
  void Note(std::string_view text, uint32_t epoch) {
    client_.calls.push_back(StrCat(text, epoch));
    waits_at_note_.push_back(client_.waits);
  }

  std::vector<Rating> ratings_;
  MatrixFactorizationOptions model_options_;
  TrainerOptions options_;
  RecordingClient client_;
  TrainingProgress progress_;
  std::vector<std::vector<std::string>> waits_at_note_;
  std::vector<std::vector<std::string>> waits_at_drain_;
};

TEST_F(TrainerTest, WithoutPrefetchEachPullFollowsThePushBefore) {
  options_.prefetch_steps = 0;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(client_.calls,
              ElementsAre("pull 1", "epoch begins 0", "push 1", "pull 2", "push 2", "pull 3",
                          "push 3", "pull 4", "epoch ends 0", "epoch begins 1", "push 4", "pull 5",
                          "push 5", "pull 6", "push 6", "epoch ends 1"));
}

TEST_F(TrainerTest, ACancelledRunBeginsNoFurtherStepAndLeavesNothingOpen) {
  int asked = 0;
  options_.prefetch_steps = 0;
  options_.cancelled = [&asked] { return ++asked > 2; };
  EXPECT_TRUE(absl::IsCancelled(Run()));
  EXPECT_THAT(client_.calls,
              ElementsAre("pull 1", "epoch begins 0", "push 1", "pull 2", "push 2", "pull 3"));
  EXPECT_EQ(client_.waits.size(), 5u);
}

TEST_F(TrainerTest, PullOfStepNFollowsPushOfStepNMinusOneMinusDepth) {
  options_.prefetch_steps = 2;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(client_.calls,
              ElementsAre("pull 1", "pull 2", "pull 3", "epoch begins 0", "push 1", "pull 4",
                          "push 2", "pull 5", "push 3", "pull 6", "epoch ends 0", "epoch begins 1",
                          "push 4", "push 5", "push 6", "epoch ends 1"));
}

TEST_F(TrainerTest, PrefetchDeeperThanTheRunPullsEverythingFirst) {
  options_.prefetch_steps = 50;
  options_.epochs = 1;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(client_.calls, ElementsAre("pull 1", "pull 2", "pull 3", "epoch begins 0", "push 1",
                                         "push 2", "push 3", "epoch ends 0"));
}

TEST_F(TrainerTest, ResumesAtTheFirstStepOfAnEpoch) {
  options_.start_epoch = 1;
  options_.prefetch_steps = 0;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(client_.calls, ElementsAre("pull 4", "epoch begins 1", "push 4", "pull 5", "push 5",
                                         "pull 6", "push 6", "epoch ends 1"));
  EXPECT_EQ(progress_.run_examples, 10u);
}

TEST_F(TrainerTest, NothingIsLeftToDoAfterTheLastEpoch) {
  options_.start_epoch = 2;
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(client_.calls.empty());
  EXPECT_EQ(progress_.run_examples, 0u);
}

TEST_F(TrainerTest, GoesOnInTheMiddleOfAnEpoch) {
  options_.steps_done = 4;
  options_.prefetch_steps = 0;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(client_.calls, ElementsAre("pull 5", "epoch begins 1", "push 5", "pull 6", "push 6",
                                         "epoch ends 1"));
  EXPECT_EQ(progress_.run_examples, 6u);
  EXPECT_EQ(progress_.run_examples_done, 6u);
  EXPECT_EQ(progress_.epoch_steps_done, 3u);
}

TEST_F(TrainerTest, NothingIsLeftToDoAfterTheLastStep) {
  options_.steps_done = 6;
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(client_.calls.empty());
}

TEST_F(TrainerTest, PullsNothingBeyondAStepThatDrains) {
  options_.prefetch_steps = 2;
  options_.drain_every_steps = 4;
  ASSERT_TRUE(Run().ok());
  EXPECT_THAT(client_.calls,
              ElementsAre("pull 1", "pull 2", "pull 3", "epoch begins 0", "push 1", "pull 4",
                          "push 2", "push 3", "epoch ends 0", "epoch begins 1", "push 4",
                          "drained 4", "pull 5", "pull 6", "push 5", "push 6", "epoch ends 1"));
  ASSERT_EQ(waits_at_drain_.size(), 1u);
  for (const char* push : {"push 1", "push 2", "push 3", "push 4"}) {
    EXPECT_THAT(waits_at_drain_[0], ::testing::Contains(push));
  }
}

TEST_F(TrainerTest, DoesTheSameAfterADrainAsARunThatBeginsThere) {
  options_.prefetch_steps = 2;
  options_.drain_every_steps = 2;
  ASSERT_TRUE(Run().ok());
  const auto drained = std::find(client_.calls.begin(), client_.calls.end(), "drained 4");
  const std::vector<std::string> rest(drained + 1, client_.calls.end());
  options_.steps_done = 4;
  ASSERT_TRUE(Run().ok());
  std::erase(client_.calls, "epoch begins 1");
  EXPECT_EQ(client_.calls, rest);
}

TEST_F(TrainerTest, AnEpochEndsWhenAllItsPushesAreAcknowledged) {
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(waits_at_note_.size(), 4u);
  for (const char* push : {"push 1", "push 2", "push 3"}) {
    EXPECT_THAT(waits_at_note_[1], ::testing::Contains(push));
  }
  EXPECT_THAT(waits_at_note_[3], ::testing::Contains("push 6"));
}

TEST_F(TrainerTest, PushesHoldTheKeysThatWerePulled) {
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(client_.pushed_parts.size(), 6u);
  for (const auto& parts : client_.pushed_parts) {
    ASSERT_EQ(parts.size(), 5u);
    for (const PushPart& part : parts) {
      EXPECT_EQ(part.gradients.size(), part.keys.size() * part.table.dim);
    }
  }
}

TEST_F(TrainerTest, BuffersOfAStepAreNotReusedBeforeItsPushIsAcknowledged) {
  options_.epochs = 1;
  options_.schedule.batch_rows = 1;
  ASSERT_TRUE(Run().ok());
  const auto position = [&](const std::string& event) {
    return std::find(client_.log.begin(), client_.log.end(), event) - client_.log.begin();
  };
  size_t reuses = 0;
  for (size_t later = 0; later < client_.pulled_parts.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      const float* buffer = client_.pulled_parts[later][0].rows.data();
      if (client_.pulled_parts[earlier][0].rows.data() != buffer) continue;
      ++reuses;
      EXPECT_LT(position(StrCat("push ", earlier + 1, " answered")),
                position(StrCat("pull ", later + 1)));
    }
  }
  EXPECT_GT(reuses, 0u);
}

TEST_F(TrainerTest, CountsExamplesRowsAndLoss) {
  client_.fill = [](PullPart& part) { std::fill(part.rows.begin(), part.rows.end(), 1.0f); };
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(progress_.run_examples_done, 20u);
  EXPECT_EQ(progress_.run_examples, 20u);
  EXPECT_EQ(progress_.rows_pulled, progress_.rows_pushed);
  EXPECT_GT(progress_.rows_pushed, 2 * 2 * 10u);
  EXPECT_EQ(progress_.loss, 2);  // 1 + 1 + 1 + 2 - 3 = 2
  EXPECT_EQ(progress_.epoch_steps_done, 3u);
}

TEST_F(TrainerTest, AFailedPullEndsTheRunAfterAllOpenCalls) {
  client_.answer = [](std::string_view call, Step step) {
    const bool fails = call == "pull" && step == Step(3);
    return fails ? absl::UnavailableError("server 2 is gone") : absl::OkStatus();
  };
  options_.prefetch_steps = 2;
  const absl::Status status = Run();
  EXPECT_THAT(std::string(status.message()), HasSubstr("server 2 is gone"));
  std::vector<std::string> made;
  for (const std::string& call : client_.calls) {
    if (call.starts_with("pu")) made.push_back(call);
  }
  EXPECT_THAT(client_.waits, ::testing::UnorderedElementsAreArray(made));
}

TEST_F(TrainerTest, AFailedPushEndsTheRun) {
  client_.answer = [](std::string_view call, Step) {
    return call == "push" ? absl::InvalidArgumentError("bad gradient") : absl::OkStatus();
  };
  EXPECT_THAT(std::string(Run().message()), HasSubstr("bad gradient"));
  EXPECT_THAT(client_.calls, ::testing::Not(::testing::Contains("epoch ends 0")));
}

TEST_F(TrainerTest, ARefusedTableEndsTheRun) {
  client_.create_status = absl::FailedPreconditionError("dim is 64 on the server");
  EXPECT_THAT(std::string(Run().message()), HasSubstr("dim is 64"));
}

}  // namespace
}  // namespace rowhouse

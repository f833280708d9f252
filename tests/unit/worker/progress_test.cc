#include "worker/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TrainingProgress Quarter() {
  TrainingProgress progress;
  progress.epoch = 2;
  progress.epochs = 12;
  progress.run_examples_done = 250000;
  progress.run_examples = 1000000;
  progress.rows_pulled = progress.rows_pushed = 600000;
  progress.loss = 0.30124;
  return progress;
}

TEST(FormatProgress, ShowsEpochSpeedLossAndTimeLeft) {
  EXPECT_EQ(FormatProgress(Quarter(), 2, 110),
            "epoch 3/12 [=======>                      ]  25%  125k ex/s  600k rows/s  "
            "loss 0.3012  ETA 0:06");
}

TEST(FormatProgress, FitsTheColumns) {
  for (size_t columns = 0; columns < 150; ++columns) {
    EXPECT_LE(FormatProgress(Quarter(), 2, columns).size(), columns);
  }
  EXPECT_THAT(FormatProgress(Quarter(), 2, 79), HasSubstr("/12 [===>          ]  25%"));
  EXPECT_THAT(FormatProgress(Quarter(), 2, 70), Not(HasSubstr("[")));
  EXPECT_THAT(FormatProgress(Quarter(), 2, 70), HasSubstr("ETA 0:06"));
}

TEST(FormatProgress, KnowsBeginningAndEnd) {
  TrainingProgress progress = Quarter();
  progress.run_examples_done = 0;
  EXPECT_THAT(FormatProgress(progress, 0, 120), HasSubstr("[>   "));
  EXPECT_THAT(FormatProgress(progress, 0, 120), EndsWith("ETA ?"));
  progress.run_examples_done = progress.run_examples;
  EXPECT_THAT(FormatProgress(progress, 9, 120), HasSubstr("==] 100%"));
  EXPECT_THAT(FormatProgress(progress, 9, 120), EndsWith("ETA 0:00"));
}

TEST(FormatCount, HasThreeDigits) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(999.9), "1.0k");
  EXPECT_EQ(FormatCount(12345), "12.3k");
  EXPECT_EQ(FormatCount(182499), "182k");
  EXPECT_EQ(FormatCount(999999), "1.0M");
  EXPECT_EQ(FormatCount(2.5e9), "2.5G");
}

TEST(FormatDuration, GrowsHoursOnlyWhenNeeded) {
  EXPECT_EQ(FormatDuration(7.9), "0:07");
  EXPECT_EQ(FormatDuration(754), "12:34");
  EXPECT_EQ(FormatDuration(3723), "1:02:03");
  EXPECT_EQ(FormatDuration(-1), "0:00");
}

class ProgressBarTest : public ::testing::Test {
 protected:
  ProgressBar bar_{[this](std::string_view text) { written_.emplace_back(text); }, 100};
  std::vector<std::string> written_;
};

TEST_F(ProgressBarTest, RedrawsAtMostTenTimesASecond) {
  for (int i = 0; i < 1000; ++i) bar_.Update(Quarter(), i * 0.001);
  EXPECT_EQ(written_.size(), 10u);
  for (const std::string& text : written_) EXPECT_THAT(text, StartsWith("\r\033[Kepoch 3/12"));
}

TEST_F(ProgressBarTest, FinishDrawsOnceMoreAndEndsTheLine) {
  bar_.Update(Quarter(), 1);
  bar_.Finish(Quarter(), 1.01);
  EXPECT_THAT(written_, ElementsAre(HasSubstr("epoch"), HasSubstr("epoch"), "\n"));
}

TEST(ProgressBar, IsQuietWithoutATerminal) {
  ProgressBar bar({}, 0);
  bar.Update(Quarter(), 1);
  bar.Finish(Quarter(), 2);
}

TEST(FormatTransfer, ShowsShareRateAndTimeLeft) {
  const std::string text = FormatTransfer({"copying", 500'000'000, 2'000'000'000}, 2, 100);
  EXPECT_THAT(text, ::testing::StartsWith("copying [======="));
  EXPECT_THAT(text, ::testing::HasSubstr("25%  500 MB of 2.0 GB  250 MB/s  ETA 0:06"));
}

TEST(FormatTransfer, ShowsWhatIsDoneWhereTheTotalIsNotKnown) {
  EXPECT_EQ(FormatTransfer({"flushing", 1500, 0}, 1, 80), "flushing 1.5 kB  1.5 kB/s");
}

TEST(FormatTransfer, StaysWithinItsColumns) {
  for (size_t columns = 1; columns < 90; ++columns) {
    EXPECT_LE(FormatTransfer({"copying", 1, 3}, 1, columns).size(), columns);
  }
}

TEST(FormatBytes, PicksAUnit) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1000), "1.0 kB");
  EXPECT_EQ(FormatBytes(999'600), "1.0 MB");
  EXPECT_EQ(FormatBytes(123e9), "123 GB");
}

}  // namespace
}  // namespace rowhouse

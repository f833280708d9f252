#include "worker/checkpoint/checkpoint_verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/worker/checkpoint/checkpoint_test_support.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CheckpointVerifyTest : public ::testing::Test {
 protected:
  CheckpointVerifyTest() { made_.Add(7, {"first", "second", "first"}); }

  CheckpointVerdict Verify() {
    const auto verdict = VerifyCheckpoint(made_.directory(), Mark(7), [&](uint64_t done, uint64_t) {
      EXPECT_GT(done, told_);
      told_ = done;
    });
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.value_or(CheckpointVerdict{});
  }

  HandmadeCheckpoints made_;
  uint64_t told_ = 0;
};

TEST_F(CheckpointVerifyTest, ReadsEachFileOnceAndFindsItGood) {
  const CheckpointVerdict verdict = Verify();
  EXPECT_THAT(verdict.damages, ElementsAre());
  EXPECT_EQ(verdict.files, 2u);
  EXPECT_EQ(verdict.bytes, 11u);
  EXPECT_EQ(told_, 11u);
}

TEST_F(CheckpointVerifyTest, FindsAFlippedByteWhereverTheFileIsNamed) {
  made_.Put("first", "firsu");
  EXPECT_THAT(
      Verify().damages,
      ElementsAre(HasSubstr("files/first, which is rows/first of shard 0"), HasSubstr("checksum")));
}

TEST_F(CheckpointVerifyTest, FindsFilesThatAreMissingCutOffOrTooLong) {
  made_.Put("second", "secon");
  EXPECT_THAT(Verify().damages, ElementsAre(HasSubstr("5 bytes, the manifest says 6")));
  told_ = 0;
  made_.Put("second", "secondly");
  EXPECT_THAT(Verify().damages, ElementsAre(HasSubstr("8 bytes")));
  told_ = 0;
  std::filesystem::remove(made_.path("second"));
  EXPECT_THAT(Verify().damages, ElementsAre(HasSubstr("is missing")));
}

TEST_F(CheckpointVerifyTest, HasNoVerdictWithoutAManifest) {
  const auto verdict =
      VerifyCheckpoint(made_.directory(), Mark(8), [](uint64_t, uint64_t) { FAIL(); });
  EXPECT_EQ(verdict.status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace rowhouse

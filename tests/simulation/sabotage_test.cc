// Servers that are broken on purpose: each must be caught within a thousand seeds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/simulation/sabotages.h"
#include "tests/simulation/simulation.h"

namespace rowhouse {
namespace {

constexpr uint64_t kSeedsMax = 1000;

// The first seed that catches it, 0 where none does.
uint64_t FirstCatch(const Sabotage& sabotage) {
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    const RunResult result = Simulate({.seed = seed, .sabotage = sabotage});
    if (result.verdict.ok()) continue;
    testing::Test::RecordProperty("seed", static_cast<int>(seed));
    testing::Test::RecordProperty("violated", std::string(result.verdict.message()));
    return seed;
  }
  return 0;
}

TEST(Sabotage, AcknowledgeBeforeLogWriteIsCaught) {
  EXPECT_NE(FirstCatch(AcknowledgeBeforeLogWrite()), 0u);
}

TEST(Sabotage, DedupWindowNotPersistedIsCaught) {
  EXPECT_NE(FirstCatch(DedupWindowNotPersisted()), 0u);
}

TEST(Sabotage, WatermarkAheadOfRowsIsCaught) { EXPECT_NE(FirstCatch(WatermarkAheadOfRows()), 0u); }

TEST(Sabotage, ReplayThatIgnoresRowLsnsIsCaught) {
  EXPECT_NE(FirstCatch(ReplayIgnoresRowLsns()), 0u);
}

// It is the checkpoint that breaks, and nothing else.
TEST(Sabotage, CheckpointWithoutMarksIsCaught) {
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    const RunResult result = Simulate({.seed = seed, .sabotage = CheckpointWithoutMarks()});
    if (result.verdict.ok()) continue;
    EXPECT_THAT(std::string(result.verdict.message()), testing::StartsWith("checkpoint:"));
    return;
  }
  FAIL() << "not caught";
}

}  // namespace
}  // namespace rowhouse

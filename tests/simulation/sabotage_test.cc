// Servers that are broken on purpose: each must be caught within a thousand seeds, and by the check
// that is there for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/simulation/sabotages.h"
#include "tests/simulation/simulation.h"

namespace rowhouse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint64_t kSeedsMax = 1000;

// Some seed ends with a verdict that `names` the fault: that anything at all goes wrong says little
// of the check that is there for it.
void ExpectCaught(const Sabotage& sabotage, const testing::Matcher<std::string>& names) {
  std::string last_verdict = "none";
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    const RunResult result = Simulate({.seed = seed, .sabotage = sabotage});
    if (result.verdict.ok()) continue;
    last_verdict = std::string(result.verdict.message());
    if (!testing::Matches(names)(last_verdict)) continue;
    testing::Test::RecordProperty("seed", static_cast<int>(seed));
    return;
  }
  FAIL() << "not caught; the last verdict of another kind: " << last_verdict;
}

TEST(Sabotage, AcknowledgeBeforeLogWriteIsCaught) {
  ExpectCaught(AcknowledgeBeforeLogWrite(), StartsWith("acknowledged push lost:"));
}

TEST(Sabotage, SyncTrustedAfterAFailedOneIsCaught) {
  ExpectCaught(SyncTrustedAfterAFailedOne(),
               AllOf(StartsWith("start:"), HasSubstr("is known to have been synced")));
}

TEST(Sabotage, DedupWindowNotPersistedIsCaught) {
  ExpectCaught(DedupWindowNotPersisted(), StartsWith("applied twice:"));
}

TEST(Sabotage, WatermarkAheadOfRowsIsCaught) {
  ExpectCaught(WatermarkAheadOfRows(), StartsWith("state:"));
}

TEST(Sabotage, ReplayThatIgnoresRowLsnsIsCaught) {
  ExpectCaught(ReplayIgnoresRowLsns(), AllOf(StartsWith("state:"), HasSubstr("it has LSN 0")));
}

TEST(Sabotage, CheckpointWithoutMarksIsCaught) {
  ExpectCaught(CheckpointWithoutMarks(), StartsWith("checkpoint:"));
}

}  // namespace
}  // namespace rowhouse

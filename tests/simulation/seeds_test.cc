// The fast seeds, each a whole run: nothing that is promised may be broken in any of them.
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "tests/simulation/simulation.h"

namespace rowhouse {
namespace {

constexpr uint64_t kChunks = 10;
constexpr uint64_t kSeedsPerChunk = ROWHOUSE_SIMULATION_SEEDS / kChunks;

class Seeds : public testing::TestWithParam<uint64_t> {};

TEST_P(Seeds, KeepEveryPromise) {
  const uint64_t first = 1 + GetParam() * kSeedsPerChunk;
  for (uint64_t seed = first; seed < first + kSeedsPerChunk; ++seed) {
    const RunResult result = Simulate({.seed = seed});
    ASSERT_TRUE(result.verdict.ok())
        << "seed " << seed << ": " << result.verdict.message() << "\n"
        << absl::StrJoin(result.trace, "\n") << "\nmore: rowhouse-simulate --first-seed " << seed
        << " --seeds 1 --trace";
  }
}
INSTANTIATE_TEST_SUITE_P(Fast, Seeds, testing::Range(uint64_t{0}, kChunks));

TEST(Simulation, IsAPureFunctionOfItsSeed) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const RunResult once = Simulate({.seed = seed});
    const RunResult again = Simulate({.seed = seed});
    EXPECT_EQ(once.digest, again.digest) << "seed " << seed;
    EXPECT_EQ(once.counts, again.counts) << "seed " << seed;
  }
}

TEST(Simulation, DigestsOfDifferentSeedsDiffer) {
  EXPECT_NE(Simulate({.seed = 1}).digest, Simulate({.seed = 2}).digest);
}

// A simulation in which nothing goes wrong proves nothing.
TEST(Simulation, MeetsEveryTrouble) {
  std::map<std::string, uint64_t, std::less<>> counts;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    for (const auto& [what, n] : Simulate({.seed = seed}).counts) counts[what] += n;
  }
  for (size_t i = 0; i < kFaultCount; ++i) {
    EXPECT_GT(counts[StrCat("fault: ", FaultName(static_cast<Fault>(i)))], 0u) << i;
  }
  for (const char* what : {"push answered as duplicate",
                           "torn tail cut",
                           "segment unlinked",
                           "unlink undone",
                           "unsynced bytes lost",
                           "records lost",
                           "late request",
                           "crash in a job",
                           "crash at a boundary",
                           "log job failed",
                           "file job failed",
                           "fenced",
                           "call expired",
                           "congested",
                           "server_refused_below_window",
                           "server_refused_log_unavailable",
                           "checkpoint made",
                           "checkpoint refused or failed",
                           "half steps named",
                           "client left behind",
                           "mark closed",
                           "rows evicted",
                           "rows read from disk",
                           "rows sought on disk that are not there",
                           "sync failed",
                           "batch written again",
                           "unlink failed",
                           "read job failed",
                           "server_refused_stale_mark"}) {
    EXPECT_GT(counts[what], 0u) << what;
  }
}

}  // namespace
}  // namespace rowhouse

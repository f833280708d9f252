#include "worker/stats_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;

const std::vector<StatsAnswer> kTwoShards = {{{{"pulls", 5}, {"rows", 1234}}},
                                             {{{"pulls", 7}, {"refused", 1}}}};

TEST(StatsTable, AlignsOneColumnPerShardAndSums) {
  EXPECT_THAT(StatsTable(kTwoShards),
              ElementsAre("counter  shard 0  shard 1   all", "pulls          5        7    12",
                          "rows        1234        -  1234", "refused        -        1     1"));
}

TEST(StatsTable, OfTheLongestTheLongestCounts) {
  const std::vector<StatsAnswer> stats = {{{{"longest_request_us", 50}}},
                                          {{{"longest_request_us", 7}}}};
  EXPECT_EQ(StatsTable(stats)[1], "longest_request_us       50        7   50");
}

TEST(StatsTable, OneShardNeedsNoSum) {
  EXPECT_THAT(StatsTable({kTwoShards[0]}),
              ElementsAre("counter  shard 0", "pulls          5", "rows        1234"));
}

TEST(StatsTable, JsonHasOneObjectPerShard) {
  EXPECT_EQ(StatsJson(kTwoShards),
            R"({"shards":[{"pulls":5,"rows":1234},{"pulls":7,"refused":1}]})");
}

}  // namespace
}  // namespace rowhouse

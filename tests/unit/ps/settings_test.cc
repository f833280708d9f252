#include "ps/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rowhouse {
namespace {

using testing::HasSubstr;

absl::Status Check(uint32_t shards, uint64_t memory_bytes_max) {
  ServerOptions server;
  server.shards = shards;
  server.memory_bytes_max = memory_bytes_max;
  return CheckMemoryBudget(server);
}

TEST(Settings, AMemoryBudgetTooSmallForItsShardsIsRefusedWithTheLeastThatWillDo) {
  const absl::Status refused = Check(3, 3 * kShardMemoryBytesMin - 1);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("3 shards need at least 6291456 (2097152 each)"));
  EXPECT_TRUE(Check(3, 3 * kShardMemoryBytesMin).ok());
  EXPECT_TRUE(Check(2, 3 * kShardMemoryBytesMin - 1).ok());
}

TEST(Settings, NoMemoryBudgetIsAlwaysEnough) { EXPECT_TRUE(Check(1024, 0).ok()); }

}  // namespace
}  // namespace rowhouse

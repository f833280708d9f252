#include "worker/client/status_text.h"

#include <gtest/gtest.h>

#include "common/refusal.h"

namespace rowhouse {
namespace {

TEST(At, KeepsCodeAndReason) {
  const absl::Status refused = At("shard 1", Refuse(RefusalReason::kWrongDim, "dim is 3"));
  EXPECT_EQ(ReasonOf(refused), RefusalReason::kWrongDim);
  EXPECT_EQ(refused.message(), "shard 1: dim is 3");
  const absl::Status other = At("shard 1", absl::InternalError("x"));
  EXPECT_TRUE(absl::IsInternal(other));
  EXPECT_EQ(other.message(), "shard 1: x");
  EXPECT_TRUE(At("shard 1", absl::OkStatus()).ok());
}

}  // namespace
}  // namespace rowhouse

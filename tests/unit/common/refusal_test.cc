#include "common/refusal.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace rowhouse {
namespace {

RefusalReason ReasonAt(uint32_t i) { return static_cast<RefusalReason>(i); }

TEST(Refusal, EveryReasonHasANameOfItsOwn) {
  std::set<std::string> names;
  for (uint32_t i = 0; i < kRefusalReasonCount; ++i) {
    const std::string name(RefusalReasonName(ReasonAt(i)));
    EXPECT_FALSE(name.empty());
    EXPECT_NE(name, "unknown");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(Refusal, EveryReasonIsAnErrorThatKeepsReasonAndMessage) {
  for (uint32_t i = 0; i < kRefusalReasonCount; ++i) {
    const absl::Status status = Refuse(ReasonAt(i), "table ", i, " is ", "gone");
    EXPECT_FALSE(status.ok()) << i;
    EXPECT_EQ(ReasonOf(status), ReasonAt(i));
    EXPECT_EQ(status.message(), StrCat("table ", i, " is gone"));
  }
}

TEST(Refusal, ReasonsOfNewerPeersAreErrorsToo) {
  const absl::Status status = RefuseWith(ReasonAt(4711), "something new");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(RefusalReasonName(ReasonOf(status)), "unknown");
  EXPECT_FALSE(IsRetryable(status));
}

TEST(Refusal, OtherStatusesHaveNoReason) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), RefusalReason::kNone);
  EXPECT_EQ(ReasonOf(absl::UnavailableError("x")), RefusalReason::kNone);
  EXPECT_FALSE(IsRetryable(absl::OkStatus()));
  EXPECT_FALSE(IsRetryable(absl::UnavailableError("x")));
}

TEST(Refusal, RetryableIsWhatTimeCanHeal) {
  std::set<RefusalReason> retryable;
  for (uint32_t i = 0; i < kRefusalReasonCount; ++i) {
    if (IsRetryable(RefuseWith(ReasonAt(i), ""))) retryable.insert(ReasonAt(i));
  }
  EXPECT_EQ(retryable, (std::set{RefusalReason::kBadChecksum, RefusalReason::kOverloaded,
                                 RefusalReason::kDiskUnavailable, RefusalReason::kLogUnavailable,
                                 RefusalReason::kStopping, RefusalReason::kTooManyConnections,
                                 RefusalReason::kDisconnected}));
}

TEST(Refusal, ADetachedCopySaysTheSame) {
  const absl::Status status = Refuse(RefusalReason::kFenced, "client ", 7);
  EXPECT_EQ(Detached(status), status);
  EXPECT_EQ(ReasonOf(Detached(status)), RefusalReason::kFenced);
  EXPECT_TRUE(Detached(absl::OkStatus()).ok());
}

// The values are on the wire: they never change.
TEST(Refusal, ValuesArePinned) {
  EXPECT_EQ(static_cast<uint32_t>(RefusalReason::kBadMagic), 1u);
  EXPECT_EQ(static_cast<uint32_t>(RefusalReason::kWrongDim), 13u);
  EXPECT_EQ(static_cast<uint32_t>(RefusalReason::kFenced), 21u);
  EXPECT_EQ(static_cast<uint32_t>(RefusalReason::kTooManyClients), 32u);
  EXPECT_EQ(RefusalReasonName(RefusalReason::kWrongDim), "wrong_dim");
  EXPECT_EQ(RefusalReasonName(RefusalReason::kTooManyClients), "too_many_clients");
}

}  // namespace
}  // namespace rowhouse

#include "ps/waiting_requests.h"

#include <gtest/gtest.h>

#include "common/wire/frame_builder.h"
#include "tests/support/frames.h"

namespace rowhouse {
namespace {

class WaitingRequestsTest : public testing::Test {
 protected:
  WaitingRequest* Add(uint64_t session, Op op) {
    return waiting_.Add(SessionId(session), Request(op, 1, {}), 5);
  }
  // Ids of those that may be begun, which they then are.
  std::vector<uint64_t> Begin() {
    std::vector<uint64_t> begun;
    while (WaitingRequest* const request = waiting_.NextToBegin()) {
      request->begun = true;
      begun.push_back(request->id);
    }
    return begun;
  }

  WaitingRequests waiting_;
};

TEST_F(WaitingRequestsTest, ThoseThatNameRowsAreBegunInTheOrderOfArrival) {
  const uint64_t a = Add(1, Op::kPull)->id;
  const uint64_t b = Add(2, Op::kPush)->id;
  const uint64_t c = Add(1, Op::kPush)->id;
  EXPECT_EQ(Begin(), (std::vector<uint64_t>{a, b, c}));
  EXPECT_EQ(waiting_.First(SessionId(1))->id, a);
}

TEST_F(WaitingRequestsTest, NothingIsBegunBeforeAControlRequestAheadOfItIsDone) {
  const uint64_t pull = Add(1, Op::kPull)->id;
  Add(1, Op::kCreateTable);
  const uint64_t behind = Add(1, Op::kPull)->id;
  Add(1, Op::kStats);
  const uint64_t last = Add(1, Op::kPull)->id;
  const uint64_t other = Add(2, Op::kPull)->id;
  EXPECT_EQ(Begin(), (std::vector<uint64_t>{pull, other}));
  waiting_.TakeFirst(SessionId(1));
  EXPECT_EQ(Begin(), std::vector<uint64_t>{});
  EXPECT_TRUE(waiting_.First(SessionId(1))->ready()) << "a control request needs no rows";
  waiting_.TakeFirst(SessionId(1));
  EXPECT_EQ(Begin(), std::vector<uint64_t>{behind});
  waiting_.TakeFirst(SessionId(1));
  waiting_.TakeFirst(SessionId(1));
  EXPECT_EQ(Begin(), std::vector<uint64_t>{last});
}

TEST_F(WaitingRequestsTest, ThoseThatAreGoneAreNotBegun) {
  Add(1, Op::kPull);
  Add(1, Op::kPull);
  waiting_.TakeFirst(SessionId(1));
  waiting_.TakeFirst(SessionId(1));
  EXPECT_FALSE(waiting_.Has(SessionId(1)));
  EXPECT_EQ(Begin(), std::vector<uint64_t>{});
  EXPECT_EQ(waiting_.size(), 0u);
}

TEST_F(WaitingRequestsTest, IsReadyWhenAllIsLoadedOrSomethingFailed) {
  WaitingRequest* const request = Add(1, Op::kPull);
  EXPECT_FALSE(request->ready());
  request->begun = true;
  request->loads = 2;
  EXPECT_FALSE(request->ready());
  request->failure = absl::UnavailableError("disk");
  EXPECT_TRUE(request->ready());
  request->failure = absl::OkStatus();
  request->loads = 0;
  EXPECT_TRUE(request->ready());
}

}  // namespace
}  // namespace rowhouse

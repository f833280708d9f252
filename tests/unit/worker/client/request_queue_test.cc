#include "worker/client/request_queue.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace rowhouse {
namespace {

// A queue and calls of one or two requests on it, all on one connection.
class RequestQueueTest : public testing::Test {
 protected:
  std::shared_ptr<Call> Add(size_t request_count = 1) {
    auto call = std::make_shared<Call>();
    call->requests.resize(request_count);
    call->unanswered = request_count;
    call->ended = [](const Call& ended) { ended.done(ended.error); };
    call->done = [this, number = call_count_++](absl::Status status) {
      ended_.emplace_back(number, std::move(status));
    };
    for (Request& request : call->requests) {
      request.id = ++last_id_;
      request.pieces.resize(2);
      queue_.Add(call, &request);
    }
    return call;
  }

  std::vector<uint64_t> Take(size_t pieces_max = 1000) {
    taken_ = queue_.TakeForWriting(pieces_max);
    std::vector<uint64_t> ids;
    for (const QueuedRequest& queued : taken_) ids.push_back(queued.request->id);
    return ids;
  }
  void Write() {
    Take();
    queue_.Written(taken_);
  }
  void Answer(uint64_t id, absl::Status status = absl::OkStatus()) {
    Request* request = queue_.FindSent(id);
    ASSERT_NE(request, nullptr) << id;
    queue_.Answer(request, std::move(status));
  }
  std::vector<int> EndedCalls() const {
    std::vector<int> numbers;
    for (const auto& [number, status] : ended_) numbers.push_back(number);
    return numbers;
  }

  using Ids = std::vector<uint64_t>;

  RequestQueue queue_;
  std::vector<QueuedRequest> taken_;
  std::vector<std::pair<int, absl::Status>> ended_;
  uint64_t last_id_ = 0;
  int call_count_ = 0;
};

TEST_F(RequestQueueTest, SendsInOrderAndOnce) {
  Add();
  Add();
  EXPECT_EQ(Take(), (Ids{1, 2}));
  EXPECT_EQ(Take(), Ids{});
  Add();
  EXPECT_EQ(Take(), Ids{3});
}

TEST_F(RequestQueueTest, WritesNoMorePiecesAtOnceThanAllowed) {
  for (int i = 0; i < 5; ++i) Add();
  EXPECT_EQ(Take(8), (Ids{1, 2}));
  EXPECT_EQ(Take(11), (Ids{3, 4}));
  EXPECT_EQ(Take(1), Ids{5}) << "one request always goes";
}

TEST_F(RequestQueueTest, TakesAnswersInAnyOrder) {
  for (int i = 0; i < 3; ++i) Add();
  Write();
  Answer(3);
  Answer(1);
  Answer(2);
  EXPECT_EQ(EndedCalls(), (std::vector<int>{2, 0, 1}));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RequestQueueTest, ACallEndsWithItsLastAnswerAndItsFirstError) {
  Add(3);
  Write();
  Answer(2, absl::InternalError("first"));
  Answer(1, absl::InternalError("second"));
  EXPECT_TRUE(ended_.empty());
  Answer(3);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_EQ(ended_[0].second, absl::InternalError("first"));
}

TEST_F(RequestQueueTest, FindsOnlyWhatWasSentAndIsNotAnswered) {
  Add();
  EXPECT_EQ(queue_.FindSent(1), nullptr);
  EXPECT_FALSE(queue_.WasSent(1));
  Write();
  EXPECT_NE(queue_.FindSent(1), nullptr);
  Answer(1);
  EXPECT_EQ(queue_.FindSent(1), nullptr);
  EXPECT_TRUE(queue_.WasSent(1));
  EXPECT_FALSE(queue_.WasSent(2));
  EXPECT_FALSE(queue_.WasSent(0));
}

TEST_F(RequestQueueTest, AnAnswerBeforeTheLastByteIsWrittenWaitsForIt) {
  Add();
  Take();
  Answer(1);
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(queue_.FindSent(1), nullptr) << "a second answer is not taken";
  queue_.Written(taken_);
  EXPECT_EQ(EndedCalls(), std::vector<int>{0});
}

TEST_F(RequestQueueTest, ALostConnectionSendsAllUnansweredAgainInOrder) {
  for (int i = 0; i < 5; ++i) Add();
  Take(11);
  queue_.Written(taken_);  // 1 and 2
  Answer(1);
  Take(8);  // 3 and 4 are being written
  queue_.Rewind();
  EXPECT_EQ(queue_.FindSent(2), nullptr);
  EXPECT_EQ(Take(), (Ids{2, 3, 4, 5}));
}

TEST_F(RequestQueueTest, WhatWasAnsweredEarlyIsNotSentAgain) {
  for (int i = 0; i < 3; ++i) Add();
  Take();
  Answer(2);
  queue_.Rewind();
  EXPECT_EQ(EndedCalls(), std::vector<int>{1});
  EXPECT_EQ(Take(), (Ids{1, 3}));
}

TEST_F(RequestQueueTest, DroppedCallsLeaveTheOthersInOrder) {
  Add();
  const auto dropped = Add(2);
  Add();
  Take(8);
  queue_.Written(taken_);  // 1 and 2
  queue_.Drop(*dropped);
  EXPECT_EQ(queue_.FindSent(2), nullptr);
  EXPECT_TRUE(queue_.WasSent(2));
  EXPECT_EQ(Take(), Ids{4});
  queue_.Rewind();
  EXPECT_EQ(Take(), (Ids{1, 4}));
}

TEST_F(RequestQueueTest, KnowsWhoseBytesAreBeingWritten) {
  const auto first = Add();
  const auto second = Add();
  Take(4);
  EXPECT_TRUE(queue_.IsWriting(*first));
  EXPECT_FALSE(queue_.IsWriting(*second));
  queue_.Written(taken_);
  EXPECT_FALSE(queue_.IsWriting(*first));
}

TEST_F(RequestQueueTest, WrittenAfterADropChangesNothing) {
  const auto call = Add();
  Take();
  queue_.Drop(*call);
  FinishRequest(call.get(), &call->requests[0], absl::CancelledError("given up"));
  queue_.Written(taken_);
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_TRUE(absl::IsCancelled(ended_[0].second));
}

}  // namespace
}  // namespace rowhouse

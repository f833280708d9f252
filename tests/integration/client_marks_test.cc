// What the client library says about checkpoint marks, leases and its end, seen from a peer.

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/refusal.h"
#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/integration/scripted_peer.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

using std::chrono_literals::operator""s;

constexpr Table kTable{TableId(1), Generation(1), 2};
constexpr Mark kRegistered{3};  // what the peer's greeting says

absl::Status Get(std::future<absl::Status> future) {
  if (future.wait_for(60s) != std::future_status::ready) {
    return absl::InternalError("no answer within the test's patience");
  }
  return future.get();
}

// Tells the test's thread what the peer has seen, in order.
class Story {
 public:
  void Add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    added_.notify_all();
  }
  // The first `count` lines, when there are so many.
  std::vector<std::string> Await(size_t count) {
    std::unique_lock lock(mutex_);
    added_.wait_for(lock, 60s, [&] { return lines_.size() >= count; });
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable added_;
  std::vector<std::string> lines_;
};

using Lines = std::vector<std::string>;

std::string Describe(const ReceivedFrame& frame) {
  switch (frame.op()) {
    case Op::kPush: {
      PushHeader header;
      std::memcpy(static_cast<void*>(&header), frame.body.data(), sizeof(header));
      return StrCat("push ", header.step.value(), " marked ", header.mark.value());
    }
    case Op::kCloseMark:
      return StrCat("close ", DecodeControl<CloseMark>(frame.body)->mark.value());
    case Op::kRenewClient:
      return "renew";
    case Op::kLeaveClient:
      return "leave";
    case Op::kOpenClient:
      return StrCat("open under ", DecodeControl<OpenClient>(frame.body)->mark.value());
    case Op::kQueryClient:
      return "query";
    default:
      return StrCat("operation ", static_cast<int>(frame.op()));
  }
}

asio::awaitable<ReceivedFrame> Take(PeerConnection& connection, Story& story) {
  absl::StatusOr<ReceivedFrame> frame = co_await connection.reader.Next(connection.socket);
  if (!frame.ok()) throw std::runtime_error(std::string(frame.status().message()));
  story.Add(Describe(*frame));
  co_return *std::move(frame);
}

asio::awaitable<void> AnswerPush(PeerConnection& connection, uint64_t id, Mark mark) {
  const PushAnswer answer{Lsn(1), mark, 0, 0};
  co_await connection.Send(MakeFrame(Op::kPushAnswer, id, std::as_bytes(std::span(&answer, 1))));
}

asio::awaitable<void> AnswerDone(PeerConnection& connection, uint64_t id, Op op) {
  co_await connection.Send(MakeControlFrame(op, id, Done{kRegistered}));
}

ClientOptions OptionsFor(const std::string& endpoint) {
  ClientOptions options;
  options.servers = {endpoint};
  options.backoff_min_ms = 1;
  options.backoff_max_ms = 5;
  options.lease_ms = 600'000;
  options.leave_timeout_ms = 0;
  return options;
}

struct Gradients {
  std::vector<Key> keys = {Key(1), Key(2)};
  std::vector<float> values = {1, 2, 3, 4};

  std::future<absl::Status> Push(Client& client, uint64_t step) const {
    return client.Push(Step(step), {{kTable, keys, values}});
  }
};

TEST(ClientMarks, AMarkIsClosedWhenEveryPushMarkedLessIsAnswered) {
  Story story;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame first = co_await Take(connection, story);
    const ReceivedFrame second = co_await Take(connection, story);
    co_await AnswerPush(connection, first.header.request_id, Mark(9));
    // The client knows the mark now, but its second push is not answered.
    const ReceivedFrame third = co_await Take(connection, story);
    co_await AnswerPush(connection, second.header.request_id, kRegistered);
    // The third bears the mark: nobody has to wait for it.
    const ReceivedFrame close = co_await Take(connection, story);
    co_await AnswerDone(connection, close.header.request_id, Op::kCloseMarkAnswer);
    co_await AnswerPush(connection, third.header.request_id, Mark(9));
    (void)co_await Take(connection, story);
  });
  const Gradients gradients;
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  std::future<absl::Status> first = gradients.Push(*client, 1);
  std::future<absl::Status> second = gradients.Push(*client, 2);
  EXPECT_TRUE(Get(std::move(first)).ok());
  std::future<absl::Status> third = gradients.Push(*client, 3);
  EXPECT_TRUE(Get(std::move(second)).ok());
  EXPECT_TRUE(Get(std::move(third)).ok());
  EXPECT_EQ(story.Await(4),
            (Lines{"push 1 marked 3", "push 2 marked 3", "push 3 marked 9", "close 9"}));
}

TEST(ClientMarks, ClosingIsSaidAgainOnANewConnection) {
  Story story;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    if (connection.number == 0) {
      const ReceivedFrame push = co_await Take(connection, story);
      co_await AnswerPush(connection, push.header.request_id, Mark(4));
      (void)co_await Take(connection, story);
      co_return;  // cut before the answer
    }
    const ReceivedFrame close = co_await Take(connection, story);
    co_await AnswerDone(connection, close.header.request_id, Op::kCloseMarkAnswer);
    (void)co_await Take(connection, story);
  });
  const Gradients gradients;
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  EXPECT_TRUE(Get(gradients.Push(*client, 1)).ok());
  EXPECT_EQ(story.Await(3), (Lines{"push 1 marked 3", "close 4", "close 4"}));
}

TEST(ClientMarks, AClosingThatWasRefusedIsSaidAgainAtTheNextLease) {
  Story story;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame push = co_await connection.Next(Op::kPush);
    co_await AnswerPush(connection, push.header.request_id, Mark(4));
    while (true) {
      absl::StatusOr<ReceivedFrame> frame = co_await connection.reader.Next(connection.socket);
      if (!frame.ok()) co_return;
      if (frame->op() != Op::kCloseMark) continue;
      story.Add(Describe(*frame));
      co_await connection.Refuse(frame->header.request_id,
                                 Refuse(RefusalReason::kMalformed, "not today"));
    }
  });
  const Gradients gradients;
  ClientOptions options = OptionsFor(peer.endpoint());
  options.lease_ms = 10;
  const auto client = TestCluster::Connect(options);
  EXPECT_TRUE(Get(gradients.Push(*client, 1)).ok());
  EXPECT_EQ(story.Await(3)[2], "close 4");
}

TEST(ClientMarks, ARenewalTeachesAnIdleClientTheMark) {
  Story story;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame renewal = co_await Take(connection, story);
    const uint64_t id = renewal.header.request_id;
    const RenewClientAnswer answer{Mark(8)};
    co_await connection.Send(MakeControlFrame(Op::kRenewClientAnswer, id, answer));
    (void)co_await Take(connection, story);
    (void)co_await connection.reader.Next(connection.socket);
  });
  ClientOptions options = OptionsFor(peer.endpoint());
  options.lease_ms = 10;
  const auto client = TestCluster::Connect(options);
  const Lines lines = story.Await(2);
  EXPECT_EQ(lines[0], "renew");
  EXPECT_EQ(lines[1], "close 8");
}

TEST(ClientMarks, AReadOnlyClientEndsWithoutAWord) {
  Story story;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    (void)co_await Take(connection, story);
  });
  ClientOptions options = OptionsFor(peer.endpoint());
  options.leave_timeout_ms = 10'000;
  options.read_only = true;
  // The greeting takes its first request for an opening, which it would count.
  TestCluster::Connect(options).reset();
  EXPECT_EQ(peer.opens(), 0);
}

TEST(ClientMarks, AnOrderlyEndIsSaidAndWaitedFor) {
  Story story;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame leave = co_await Take(connection, story);
    co_await AnswerDone(connection, leave.header.request_id, Op::kLeaveClientAnswer);
    story.Add("answered");
    (void)co_await connection.reader.Next(connection.socket);
  });
  ClientOptions options = OptionsFor(peer.endpoint());
  options.leave_timeout_ms = 60'000;
  TestCluster::Connect(options).reset();
  EXPECT_EQ(story.Await(2), (Lines{"leave", "answered"}));
}

TEST(ClientMarks, AnEndDoesNotWaitLongForAServerThatDoesNotAnswer) {
  Story story;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    (void)co_await Take(connection, story);
    (void)co_await connection.reader.Next(connection.socket);
  });
  ClientOptions options = OptionsFor(peer.endpoint());
  options.leave_timeout_ms = 50;
  auto client = TestCluster::Connect(options);
  const auto start = std::chrono::steady_clock::now();
  client.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
  EXPECT_EQ(story.Await(1), (Lines{"leave"}));
}

TEST(ClientMarks, AClientThatWasLeftBehindIsToldSoAndEnds) {
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame push = co_await connection.Next(Op::kPush);
    co_await connection.Refuse(push.header.request_id,
                               Refuse(RefusalReason::kNotOpened, "client 1 is not open"));
    (void)co_await connection.reader.Next(connection.socket);
  });
  const Gradients gradients;
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  for (uint64_t step = 1; step <= 2; ++step) {
    const absl::Status refused = Get(gradients.Push(*client, step));
    EXPECT_EQ(ReasonOf(refused), RefusalReason::kNotOpened) << refused;
    EXPECT_NE(std::string(refused.message()).find("start the worker again"), std::string::npos);
  }
  EXPECT_EQ(peer.opens(), 1);
}

// Its former life is not fenced before the opening, so what that has pushed until then counts.
TEST(ClientMarks, TheLastStepIsThatOfTheOpeningNotOfTheQuery) {
  const auto script = [](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame hello = co_await connection.Next(Op::kHello);
    HelloAnswer answer{1, Timeline(5), Epoch(1), 14, 1, {ShardId(0)}, 64 << 20, 1 << 20};
    co_await connection.Send(MakeControlFrame(Op::kHelloAnswer, hello.header.request_id, answer));
    if (DecodeControl<Hello>(hello.body)->shard == kNoShard) co_return;
    const ReceivedFrame query = co_await connection.Next(Op::kQueryClient);
    QueryClientAnswer known;
    known.step = Step(40);
    co_await connection.Send(
        MakeControlFrame(Op::kQueryClientAnswer, query.header.request_id, known));
    const ReceivedFrame open = co_await connection.Next(Op::kOpenClient);
    OpenClientAnswer opened;
    opened.step = Step(42);
    co_await connection.Send(
        MakeControlFrame(Op::kOpenClientAnswer, open.header.request_id, opened));
    co_await connection.Next(Op::kLeaveClient);
  };
  ScriptedPeer peer(script, false);
  EXPECT_EQ(TestCluster::Connect(OptionsFor(peer.endpoint()))->last_step(), Step(42));
}

// A checkpoint is announced while the client registers.
TEST(ClientMarks, ARegistrationUnderAStaleMarkIsMadeAgainUnderTheNewOne) {
  Story story;
  const auto script = [&](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame hello = co_await connection.Next(Op::kHello);
    HelloAnswer answer{1, Timeline(5), Epoch(1), 14, 1, {ShardId(0)}, 64 << 20, 1 << 20};
    co_await connection.Send(MakeControlFrame(Op::kHelloAnswer, hello.header.request_id, answer));
    if (DecodeControl<Hello>(hello.body)->shard == kNoShard) co_return;
    uint64_t announced = 6;
    while (true) {
      const ReceivedFrame frame = co_await Take(connection, story);
      const uint64_t id = frame.header.request_id;
      if (frame.op() == Op::kQueryClient) {
        QueryClientAnswer known;
        known.mark = Mark(announced++);
        co_await connection.Send(MakeControlFrame(Op::kQueryClientAnswer, id, known));
      } else if (frame.op() == Op::kOpenClient && announced < 9) {
        co_await connection.Refuse(id, Refuse(RefusalReason::kStaleMark, "too low"));
      } else if (frame.op() == Op::kOpenClient) {
        OpenClientAnswer opened;
        opened.mark = Mark(8);
        co_await connection.Send(MakeControlFrame(Op::kOpenClientAnswer, id, opened));
      } else {
        co_await AnswerPush(connection, id, Mark(8));
      }
    }
  };
  ScriptedPeer peer(script, false);
  const Gradients gradients;
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  EXPECT_TRUE(Get(gradients.Push(*client, 1)).ok());
  EXPECT_EQ(story.Await(7), (Lines{"query", "open under 6", "query", "open under 7", "query",
                                   "open under 8", "push 1 marked 8"}));
}

}  // namespace
}  // namespace rowhouse

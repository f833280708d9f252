// Small requests that are under way at the same time share calls of the system and wake-ups.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "tests/integration/cluster_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/integration/scripted_peer.h"
#include "tests/integration/test_server.h"
#include "tests/integration/thread_counts.h"

namespace rowhouse {
namespace {

constexpr uint32_t kDim = 16;

// Many small requests that arrive together are answered together.
TEST(SmallRequests, AreAnsweredTogether) {
  if (!CountsThreads()) GTEST_SKIP() << "the sanitizers bring an allocator of their own";
  constexpr uint64_t kTogether = 200;
  TestServer server(TestServer::InMemory());
  ASSERT_TRUE(server.Start().ok());
  auto client = RawClient::Greet(server.endpoint(Transport::kTcp), ShardId(0));
  ASSERT_TRUE(client.ok()) << client.status();
  TableSpec spec = UniformTable("user", kDim);
  rowhouse::CreateTable create;
  create.spec = spec;
  ASSERT_TRUE(client->Ask<CreateTableAnswer>(Op::kCreateTable, create).ok());

  const std::vector<TestSection> sections = {
      {TableIdOf("user"), Generation(1), kDim, {Key(1)}, {}}};
  std::vector<std::byte> bytes;
  for (uint64_t i = 1; i <= kTogether; ++i) {
    const OutFrame frame = MakeFrame(Op::kPull, i, PullBody(sections));
    bytes.insert(bytes.end(), frame.bytes().begin(), frame.bytes().end());
  }
  const pid_t shard = ThreadNamed("shard-0").value_or(0);
  const ThreadCounts before = CountsOf(shard);
  ASSERT_TRUE(client->Send(bytes).ok());
  for (uint64_t i = 1; i <= kTogether; ++i) {
    const auto answer = client->Receive();
    ASSERT_TRUE(answer.ok()) << answer.status();
    ASSERT_EQ(answer->op(), Op::kPullAnswer);
    ASSERT_EQ(answer->header.request_id, i) << "answers come in order";
  }
  // The system may have split what was sent, and a write has at most 64 pieces.
  EXPECT_LE(Difference(CountsOf(shard), before).sends, kTogether / 10);
}

// What is asked for while the client's loop is busy leaves in one write.
TEST(SmallRequests, AreSentTogether) {
  if (!CountsThreads()) GTEST_SKIP() << "the sanitizers bring an allocator of their own";
  constexpr size_t kTogether = 15;  // 45 of the 60 pieces that go into one write
  TestCluster cluster(ClusterShape{});
  std::atomic<bool> busy = false;
  std::atomic<bool> asked = false;
  std::atomic<pid_t> loop = 0;
  ClientOptions options = cluster.client_options();
  options.lease_ms = 600 * 1000;
  options.on_acknowledged = [&](const AcknowledgedPart&) {
    loop = ::gettid();
    busy = true;
    busy.notify_all();
    asked.wait(false);
  };
  const auto client = TestCluster::Connect(options);
  ASSERT_NE(client, nullptr);
  const auto table = client->CreateTable(UniformTable("user", kDim));
  ASSERT_TRUE(table.ok()) << table.status();
  const std::vector<Key> keys = {Key(1)};
  const std::vector<float> gradients(kDim);
  std::vector<std::vector<float>> rows(kTogether, std::vector<float>(kDim));

  std::future<absl::Status> pushed = client->Push(Step(1), {{*table, keys, gradients}});
  busy.wait(false);
  const uint64_t sends = CountsOf(loop).sends;
  std::vector<std::future<absl::Status>> pulled;
  for (auto& to : rows) pulled.push_back(client->Pull(Step(2), {{*table, keys, to}}));
  asked = true;
  asked.notify_all();
  for (auto& future : pulled) EXPECT_TRUE(future.get().ok());
  EXPECT_TRUE(pushed.get().ok());
  EXPECT_EQ(CountsOf(loop).sends, sends + 1);
}

// Who waits for the oldest of them is woken once, and finds the others answered.
TEST(SmallRequests, AreDoneTogetherWhereOneReadAnswersThem) {
  constexpr size_t kTogether = 5;
  ScriptedPeer peer([](PeerConnection& connection) -> asio::awaitable<void> {
    std::vector<std::byte> answers;
    for (size_t i = 0; i < kTogether; ++i) {
      const ReceivedFrame push = co_await connection.Next(Op::kPush);
      const PushAnswer answer{Lsn(i + 1), Mark(0), 0, 0};
      const OutFrame frame =
          MakeFrame(Op::kPushAnswer, push.header.request_id, std::as_bytes(std::span(&answer, 1)));
      answers.insert(answers.end(), frame.bytes().begin(), frame.bytes().end());
    }
    (void)co_await WriteAll(connection.socket, answers);
    (void)co_await connection.reader.Next(connection.socket);
  });
  ClientOptions options;
  options.servers = {peer.endpoint()};
  options.lease_ms = 600 * 1000;  // the script knows of pushes alone
  options.leave_timeout_ms = 0;
  // Time enough for the waiter to wake up between two answers.
  options.on_acknowledged = [](const AcknowledgedPart&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  };
  const auto client = TestCluster::Connect(options);
  ASSERT_NE(client, nullptr);
  const Table table{TableId(1), Generation(1), 1};
  const std::vector<Key> keys = {Key(1)};
  const std::vector<float> gradients = {1};
  std::vector<std::future<absl::Status>> pushed;
  for (size_t i = 0; i < kTogether; ++i) {
    pushed.push_back(client->Push(Step(i + 1), {{table, keys, gradients}}));
  }
  EXPECT_TRUE(pushed[0].get().ok());
  for (size_t i = 1; i < kTogether; ++i) {
    ASSERT_EQ(pushed[i].wait_for(std::chrono::seconds(0)), std::future_status::ready) << i;
    EXPECT_TRUE(pushed[i].get().ok());
  }
}

}  // namespace
}  // namespace rowhouse

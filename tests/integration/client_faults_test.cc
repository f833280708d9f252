// The client library where connections break and peers misbehave.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "common/refusal.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/integration/relay.h"
#include "tests/integration/scripted_peer.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

using std::chrono_literals::operator""s;

constexpr Table kTable{TableId(1), Generation(1), 2};

absl::Status Get(std::future<absl::Status> future) {
  if (future.wait_for(60s) != std::future_status::ready) {
    return absl::InternalError("no answer within the test's patience");
  }
  return future.get();
}

bool Contains(const absl::Status& status, const std::string& text) {
  return std::string(status.message()).find(text) != std::string::npos;
}

ClientOptions OptionsFor(const std::string& endpoint) {
  ClientOptions options;
  options.servers = {endpoint};
  options.backoff_min_ms = 1;
  options.backoff_max_ms = 5;
  options.random_seed = 1;
  // Scripts know of pushes and pulls alone.
  options.lease_ms = 600'000;
  options.leave_timeout_ms = 0;
  return options;
}

struct Gradients {
  std::vector<Key> keys = {Key(1), Key(2)};
  std::vector<float> values = {1, 2, 3, 4};

  std::vector<PushPart> parts() const { return {{kTable, keys, values}}; }
};

PushHeader HeaderOf(const ReceivedFrame& push) {
  PushHeader header;
  std::memcpy(static_cast<void*>(&header), push.body.data(), sizeof(header));
  return header;
}

// Numbers that a peer saw, for the test's thread to read.
class Seen {
 public:
  void Add(uint64_t number) {
    const std::lock_guard lock(mutex_);
    numbers_.push_back(number);
  }
  std::vector<uint64_t> numbers() const {
    const std::lock_guard lock(mutex_);
    return numbers_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<uint64_t> numbers_;
};

using Numbers = std::vector<uint64_t>;

// --- Connections that are cut anywhere, against a real server.

std::vector<float> TrainThrough(const std::string& endpoint, Relay* relay) {
  const auto client = TestCluster::Connect(OptionsFor(endpoint));
  const auto table = client->CreateTable(UniformTable("user", 16));
  EXPECT_TRUE(table.ok()) << table.status();
  if (relay != nullptr) relay->CutAfter(300'000);
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 200; ++i) keys.push_back(Key(i));
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal(0, 1);
  std::vector<std::vector<float>> gradients(40, std::vector<float>(keys.size() * 16));
  std::vector<std::vector<float>> rows(40, std::vector<float>(keys.size() * 16));
  std::vector<std::future<absl::Status>> futures;
  for (uint64_t step = 1; step <= 40; ++step) {
    for (float& g : gradients[step - 1]) g = normal(random);
    futures.push_back(client->Push(Step(step), {{*table, keys, gradients[step - 1]}}));
    futures.push_back(client->Pull(Step(step), {{*table, keys, rows[step - 1]}}));
  }
  for (auto& future : futures) {
    const absl::Status status = Get(std::move(future));
    EXPECT_TRUE(status.ok()) << status;
  }
  std::vector<float> all;
  for (const auto& each : rows) all.insert(all.end(), each.begin(), each.end());
  return all;
}

TEST(ClientFaults, CutConnectionsNeitherLoseNorRepeatNorReorderPushes) {
  TestCluster undisturbed({});
  const std::vector<float> expected = TrainThrough(undisturbed.endpoints()[0], nullptr);
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    TestCluster cluster({});
    Relay relay(cluster.endpoints()[0], seed);
    const std::vector<float> rows = TrainThrough(relay.endpoint(), &relay);
    // A pull that is sent again may see pushes that were made after it, so only the last is exact.
    const size_t last = rows.size() - 200 * 16;
    EXPECT_TRUE(std::equal(rows.begin() + static_cast<ptrdiff_t>(last), rows.end(),
                           expected.begin() + static_cast<ptrdiff_t>(last)))
        << "seed " << seed;
    EXPECT_GT(relay.cuts(), 10u);
    const auto direct = cluster.Connect();
    EXPECT_EQ(CounterOf(*direct, "pushes"), 40u) << "seed " << seed;
  }
}

// --- Peers that are not what they should be.

TEST(ClientFaults, AStrangerIsNamedAtOnce) {
  ScriptedPeer peer(
      [](PeerConnection& connection) -> asio::awaitable<void> {
        const std::string text = "HTTP/1.1 400 Bad Request\r\n\r\n";
        std::vector<asio::const_buffer> pieces;
        pieces.emplace_back(text.data(), text.size());
        (void)co_await WriteAll(connection.socket, std::move(pieces));
        (void)co_await connection.reader.Next(connection.socket);
      },
      false);
  const absl::Status status = Client::Connect(OptionsFor(peer.endpoint())).status();
  EXPECT_EQ(ReasonOf(status), RefusalReason::kBadMagic) << status;
  EXPECT_TRUE(Contains(status, peer.endpoint())) << status;
  EXPECT_TRUE(Contains(status, "not the Rowhouse protocol")) << status;
}

TEST(ClientFaults, ASilentPeerIsGivenUpByName) {
  ScriptedPeer peer(
      [](PeerConnection& connection) -> asio::awaitable<void> {
        while ((co_await connection.reader.Next(connection.socket)).ok()) {
        }
      },
      false);
  ClientOptions options = OptionsFor(peer.endpoint());
  options.connect_timeout_ms = 100;
  const absl::Status status = Client::Connect(options).status();
  EXPECT_EQ(ReasonOf(status), RefusalReason::kDeadline) << status;
  EXPECT_TRUE(Contains(status, peer.endpoint() + " has not answered")) << status;
}

TEST(ClientFaults, AnotherVersionIsNamedAtOnce) {
  ScriptedPeer peer(
      [](PeerConnection& connection) -> asio::awaitable<void> {
        const ReceivedFrame hello = co_await connection.Next(Op::kHello);
        co_await connection.Refuse(hello.header.request_id,
                                   Refuse(RefusalReason::kBadVersion, "this server speaks 9"));
      },
      false);
  const absl::Status status = Client::Connect(OptionsFor(peer.endpoint())).status();
  EXPECT_EQ(ReasonOf(status), RefusalReason::kBadVersion) << status;
  EXPECT_TRUE(Contains(status, peer.endpoint())) << status;
  EXPECT_TRUE(Contains(status, "speaks 9")) << status;
}

TEST(ClientFaults, AFullServerIsAskedAgain) {
  std::atomic<int> asked = 0;
  ScriptedPeer peer(
      [&](PeerConnection& connection) -> asio::awaitable<void> {
        ++asked;
        const ReceivedFrame hello = co_await connection.Next(Op::kHello);
        co_await connection.Refuse(hello.header.request_id,
                                   Refuse(RefusalReason::kTooManyConnections, "full"));
      },
      false);
  ClientOptions options = OptionsFor(peer.endpoint());
  options.connect_timeout_ms = 300;
  const absl::Status status = Client::Connect(options).status();
  EXPECT_EQ(ReasonOf(status), RefusalReason::kDeadline) << status;
  EXPECT_TRUE(Contains(status, "full")) << status;
  EXPECT_GT(asked, 1);
}

TEST(ClientFaults, BadAnswersAreErrorsOfTheirRequestsAlone) {
  ScriptedPeer peer([](PeerConnection& connection) -> asio::awaitable<void> {
    const ReceivedFrame short_one = co_await connection.Next(Op::kPull);
    const std::vector<std::byte> body(sizeof(PullAnswerHeader) + 4);
    co_await connection.Send(MakeFrame(Op::kPullAnswer, short_one.header.request_id, body));
    const ReceivedFrame other_op = co_await connection.Next(Op::kPull);
    co_await connection.AnswerPush(other_op.header.request_id);
    const ReceivedFrame push = co_await connection.Next(Op::kPush);
    co_await connection.AnswerPush(push.header.request_id);
    co_await connection.Next(Op::kPush);
  });
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  const Gradients gradients;
  for (int i = 0; i < 2; ++i) {
    std::vector<float> rows(4);
    const absl::Status status = Get(client->Pull(Step(1), {{kTable, gradients.keys, rows}}));
    EXPECT_EQ(ReasonOf(status), RefusalReason::kMalformed) << status;
    EXPECT_TRUE(Contains(status, "shard 0 at " + peer.endpoint())) << status;
    EXPECT_EQ(rows, std::vector<float>(4)) << "nothing of a bad answer is taken";
  }
  EXPECT_TRUE(Get(client->Push(Step(1), gradients.parts())).ok());
}

// Three pushes on the first connection, answered by `first`; what the second connection gets.
Numbers SentAgain(const std::function<asio::awaitable<void>(PeerConnection&, Numbers)>& first) {
  Seen second;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    Numbers ids;
    for (int i = 0; connection.number == 0 && i < 3; ++i) {
      const ReceivedFrame push = co_await connection.Next(Op::kPush);
      ids.push_back(push.header.request_id);
    }
    if (connection.number == 0) co_await first(connection, ids);
    while (connection.number > 0) {
      const ReceivedFrame push = co_await connection.Next(Op::kPush);
      second.Add(HeaderOf(push).sequence.value());
      co_await connection.AnswerPush(push.header.request_id);
    }
  });
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  const Gradients gradients;
  std::vector<std::future<absl::Status>> futures;
  for (uint64_t step = 1; step <= 3; ++step) {
    futures.push_back(client->Push(Step(step), gradients.parts()));
  }
  for (auto& future : futures) {
    const absl::Status status = Get(std::move(future));
    EXPECT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(peer.opens(), 2) << "opened again before anything is sent again";
  return second.numbers();
}

TEST(ClientFaults, ALostConnectionSendsAllUnansweredAgainUnderTheirNumbers) {
  EXPECT_EQ(SentAgain([](PeerConnection& connection, Numbers ids) -> asio::awaitable<void> {
              co_await connection.AnswerPush(ids[0]);
              connection.socket.close();
            }),
            (Numbers{2, 3}));
}

TEST(ClientFaults, AnswersOutOfOrderLeaveTheOthersToBeSentAgain) {
  EXPECT_EQ(SentAgain([](PeerConnection& connection, Numbers ids) -> asio::awaitable<void> {
              co_await connection.AnswerPush(ids[1]);
              connection.socket.close();
            }),
            (Numbers{1, 3}));
}

TEST(ClientFaults, AnswersThatComeTwiceAreTakenOnce) {
  EXPECT_EQ(SentAgain([](PeerConnection& connection, Numbers ids) -> asio::awaitable<void> {
              co_await connection.AnswerPush(ids[1]);
              co_await connection.AnswerPush(ids[1]);
              co_await connection.Refuse(ids[1], Refuse(RefusalReason::kWrongDim, "late"));
              connection.socket.close();
            }),
            (Numbers{1, 3}));
}

TEST(ClientFaults, ARefusalThatTimeCanHealKeepsTheOrder) {
  for (const RefusalReason reason :
       {RefusalReason::kOverloaded, RefusalReason::kStopping, RefusalReason::kLogUnavailable}) {
    EXPECT_EQ(SentAgain([reason](PeerConnection& connection, Numbers ids) -> asio::awaitable<void> {
                co_await connection.Refuse(ids[0], Refuse(reason, "later"));
                (void)co_await connection.reader.Next(connection.socket);
              }),
              (Numbers{1, 2, 3}));
  }
}

TEST(ClientFaults, AnAnswerToNothingEndsTheConnection) {
  EXPECT_EQ(SentAgain([](PeerConnection& connection, Numbers) -> asio::awaitable<void> {
              co_await connection.AnswerPush(999'999);
              (void)co_await connection.reader.Next(connection.socket);
            }),
            (Numbers{1, 2, 3}));
}

TEST(ClientFaults, ADamagedStreamIsAbandoned) {
  EXPECT_EQ(SentAgain([](PeerConnection& connection, Numbers ids) -> asio::awaitable<void> {
              const PushAnswer answer{Lsn(1), Mark(0), 0, 0};
              OutFrame frame =
                  MakeFrame(Op::kPushAnswer, ids[0], std::as_bytes(std::span(&answer, 1)));
              frame.words[5] ^= 1;  // of the body
              co_await connection.Send(std::move(frame));
              (void)co_await connection.reader.Next(connection.socket);
            }),
            (Numbers{1, 2, 3}));
}

TEST(ClientFaults, AnErrorOfTheWholeConnectionSendsAllAgain) {
  EXPECT_EQ(SentAgain([](PeerConnection& connection, Numbers) -> asio::awaitable<void> {
              co_await connection.Refuse(0, Refuse(RefusalReason::kBadChecksum, "damaged"));
              (void)co_await connection.reader.Next(connection.socket);
            }),
            (Numbers{1, 2, 3}));
}

TEST(ClientFaults, PushesSayWhichNumbersAreNeverSentAgain) {
  Seen floors;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    while (true) {
      const ReceivedFrame push = co_await connection.Next(Op::kPush);
      EXPECT_EQ(HeaderOf(push).mark, Mark(3));
      EXPECT_EQ(HeaderOf(push).incarnation, Incarnation(1));
      floors.Add(HeaderOf(push).unretried_below.value());
      co_await connection.AnswerPush(push.header.request_id);
    }
  });
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  const Gradients gradients;
  for (uint64_t step = 1; step <= 3; ++step) {
    EXPECT_TRUE(Get(client->Push(Step(step), gradients.parts())).ok());
  }
  EXPECT_EQ(floors.numbers(), (Numbers{1, 2, 3}));
}

// --- The caller's arrays.

// A push larger than what sockets buffer. Its arrays go away as soon as its future is ready: a
// sanitizer sees who still reads them.
struct LargePush {
  std::unique_ptr<std::vector<Key>> keys = std::make_unique<std::vector<Key>>();
  std::unique_ptr<std::vector<float>> gradients;
  static constexpr Table kWide{TableId(1), Generation(1), 64};

  LargePush() {
    for (uint64_t i = 0; i < 100'000; ++i) keys->push_back(Key(i));
    gradients = std::make_unique<std::vector<float>>(keys->size() * kWide.dim, 1.0f);
  }
  std::vector<PushPart> parts() const { return {{kWide, *keys, *gradients}}; }
};

TEST(ClientFaults, ADeadlineInTheMiddleOfAFrameLetsGoOfTheArraysAndOfTheConnection) {
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    if (connection.number == 0) {
      // Takes nothing, until the other side is gone.
      (void)co_await connection.socket.async_wait(StreamSocket::wait_error, kAwaitTuple);
      co_return;
    }
    const ReceivedFrame push = co_await connection.Next(Op::kPush);
    co_await connection.AnswerPush(push.header.request_id);
    co_await connection.Next(Op::kPush);
  });
  ClientOptions options = OptionsFor(peer.endpoint());
  options.request_timeout_ms = 500;
  const auto client = TestCluster::Connect(options);
  {
    const LargePush large;
    const absl::Status status = Get(client->Push(Step(1), large.parts()));
    EXPECT_EQ(ReasonOf(status), RefusalReason::kDeadline) << status;
    EXPECT_TRUE(Contains(status, "the connection is up")) << status;
  }
  EXPECT_TRUE(Get(client->Push(Step(2), Gradients().parts())).ok());
}

TEST(ClientFaults, AnAnswerBeforeTheLastByteIsTakenAfterIt) {
  ScriptedPeer peer([](PeerConnection& connection) -> asio::awaitable<void> {
    FrameHeader header;
    auto [error, bytes] = co_await connection.socket.async_read_some(
        asio::buffer(&header, sizeof(header)), kAwaitTuple);
    EXPECT_EQ(bytes, sizeof(header));
    co_await connection.AnswerPush(header.request_id);
    std::vector<std::byte> rest(1 << 20);
    for (size_t left = PaddedBytes(header.body_bytes); left > 0;) {
      // No more than this frame: the next push may follow at once.
      auto [failed, taken] = co_await connection.socket.async_read_some(
          asio::buffer(rest.data(), std::min(left, rest.size())), kAwaitTuple);
      if (failed) co_return;
      left -= taken;
    }
    const ReceivedFrame push = co_await connection.Next(Op::kPush);
    co_await connection.AnswerPush(push.header.request_id);
    co_await connection.Next(Op::kPush);
  });
  const auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  {
    const LargePush large;
    EXPECT_TRUE(Get(client->Push(Step(1), large.parts())).ok());
  }
  EXPECT_TRUE(Get(client->Push(Step(2), Gradients().parts())).ok()) << "the stream is whole";
}

TEST(ClientFaults, DestructionInTheMiddleOfAFrameLetsGoOfTheArrays) {
  std::promise<void> begun;
  ScriptedPeer peer([&](PeerConnection& connection) -> asio::awaitable<void> {
    FrameHeader header;
    co_await connection.socket.async_read_some(asio::buffer(&header, sizeof(header)), kAwaitTuple);
    begun.set_value();
    (void)co_await connection.socket.async_wait(StreamSocket::wait_error, kAwaitTuple);
  });
  auto client = TestCluster::Connect(OptionsFor(peer.endpoint()));
  const LargePush large;
  auto pushed = client->Push(Step(1), large.parts());
  ASSERT_EQ(begun.get_future().wait_for(60s), std::future_status::ready);
  client.reset();
  EXPECT_TRUE(absl::IsCancelled(Get(std::move(pushed))));
}

}  // namespace
}  // namespace rowhouse

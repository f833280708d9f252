// The client library against real servers.

#include "worker/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <deque>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "common/refusal.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

using std::chrono_literals::operator""s;

absl::Status Get(std::future<absl::Status> future) {
  if (future.wait_for(60s) != std::future_status::ready) {
    return absl::InternalError("no answer within the test's patience");
  }
  return future.get();
}

void ExpectOk(std::future<absl::Status> future) {
  const absl::Status status = Get(std::move(future));
  EXPECT_TRUE(status.ok()) << status;
}

std::vector<Key> Keys(const std::vector<uint64_t>& numbers) {
  std::vector<Key> keys;
  for (const uint64_t number : numbers) keys.push_back(Key(number));
  return keys;
}

std::vector<Key> Range(uint64_t count) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(Key(i));
  return keys;
}

Table Create(Client& client, const TableSpec& spec) {
  const auto table = client.CreateTable(spec);
  EXPECT_TRUE(table.ok()) << table.status();
  return table.value_or(Table{});
}

std::vector<float> Pull(Client& client, const Table& table, const std::vector<Key>& keys) {
  std::vector<float> rows(keys.size() * table.dim, -99);
  const absl::Status status = Get(client.Pull(Step(1), {{table, keys, rows}}));
  EXPECT_TRUE(status.ok()) << status;
  return rows;
}

absl::Status Push(Client& client, uint64_t step, const Table& table, const std::vector<Key>& keys,
                  const std::vector<float>& gradients) {
  return Get(client.Push(Step(step), {{table, keys, gradients}}));
}

bool Contains(const absl::Status& status, const std::string& text) {
  return std::string(status.message()).find(text) != std::string::npos;
}

// One step of a made-up training: keys repeat, gradients differ in magnitude.
struct Batch {
  std::vector<Key> users;
  std::vector<Key> items;
  std::vector<float> user_gradients;
  std::vector<float> item_gradients;

  Batch(uint64_t step, uint32_t user_dim, uint32_t item_dim) {
    std::mt19937_64 random(step);
    std::normal_distribution<float> gradient(0, 1);
    for (int i = 0; i < 60; ++i) users.push_back(Key(random() % 50));
    for (int i = 0; i < 20; ++i) items.push_back(Key(~(random() % 30)));
    for (size_t i = 0; i < users.size() * user_dim; ++i) user_gradients.push_back(gradient(random));
    for (size_t i = 0; i < items.size() * item_dim; ++i) item_gradients.push_back(gradient(random));
  }
};

struct Trained {
  std::vector<float> users;
  std::vector<float> items;
  bool operator==(const Trained&) const = default;
};

// Tells another thread how many steps are done.
class Progress {
 public:
  void Reach(uint64_t step) {
    step_ = step;
    step_.notify_all();
  }
  void Await(uint64_t step) {
    for (uint64_t at = step_; at < step; at = step_) step_.wait(at);
  }
  static constexpr uint64_t kEnd = ~0ull;

 private:
  std::atomic<uint64_t> step_ = 0;
};

// Steps 1 to `steps`, at most eight pushes in flight, each followed by a pull.
void Train(Client& client, uint64_t steps, Progress* progress = nullptr) {
  const Table user = Create(client, UniformTable("user", 8));
  const Table item = Create(client, UniformTable("item", 3));
  struct Flight {
    std::unique_ptr<Batch> batch;
    std::vector<float> rows;
    std::future<absl::Status> pushed;
    std::future<absl::Status> pulled;
  };
  std::deque<Flight> flights;
  uint64_t landed = 0;
  const auto land = [&] {
    ExpectOk(std::move(flights.front().pushed));
    ExpectOk(std::move(flights.front().pulled));
    flights.pop_front();
    if (progress != nullptr) progress->Reach(++landed);
  };
  for (uint64_t step = 1; step <= steps; ++step) {
    if (flights.size() == 8) land();
    Flight& flight = flights.emplace_back();
    flight.batch = std::make_unique<Batch>(step, user.dim, item.dim);
    const Batch& batch = *flight.batch;
    flight.rows.resize(batch.users.size() * user.dim);
    flight.pushed = client.Push(Step(step), {{user, batch.users, batch.user_gradients},
                                             {item, batch.items, batch.item_gradients}});
    flight.pulled = client.Pull(Step(step), {{user, batch.users, flight.rows}});
  }
  while (!flights.empty()) land();
}

Trained Contents(Client& client) {
  std::vector<Key> items;
  for (uint64_t i = 0; i < 30; ++i) items.push_back(Key(~i));
  return {Pull(client, Create(client, UniformTable("user", 8)), Range(50)),
          Pull(client, Create(client, UniformTable("item", 3)), items)};
}

// What one undisturbed server has after these steps.
Trained Undisturbed(uint64_t steps) {
  TestCluster cluster({});
  const auto client = cluster.Connect();
  Train(*client, steps);
  return Contents(*client);
}

class ClientOnAnyShape : public testing::TestWithParam<ClusterShape> {
 protected:
  TestCluster cluster_{GetParam()};
  std::unique_ptr<Client> client_ = cluster_.Connect();
};

INSTANTIATE_TEST_SUITE_P(Shapes, ClientOnAnyShape,
                         testing::Values(ClusterShape{1, 1}, ClusterShape{1, 2}, ClusterShape{3, 1},
                                         ClusterShape{1, 5}, ClusterShape{2, 2}),
                         [](const auto& info) {
                           return std::to_string(info.param.servers) + "servers" +
                                  std::to_string(info.param.shards) + "shards";
                         });

TEST_P(ClientOnAnyShape, PullsInitialValuesThatDependOnNothingButTheKey) {
  EXPECT_EQ(client_->shard_count(), GetParam().servers * GetParam().shards);
  const Table table = Create(*client_, UniformTable("user", 5));
  const std::vector<float> rows = Pull(*client_, table, Range(300));
  for (const float value : rows) EXPECT_TRUE(value >= -0.5f && value < 0.5f) << value;

  TestCluster other({});
  const auto other_client = other.Connect();
  EXPECT_EQ(rows, Pull(*other_client, Create(*other_client, UniformTable("user", 5)), Range(300)));
  EXPECT_EQ(CounterOf(*client_, "rows"), 0u) << "a pull never writes";
}

TEST_P(ClientOnAnyShape, FillsEveryOccurrenceOfAKey) {
  const Table table = Create(*client_, UniformTable("user", 2));
  const std::vector<float> each = Pull(*client_, table, Range(4));
  const std::vector<Key> keys = Keys({3, 1, 3, 0, 1, 1});
  const std::vector<float> rows = Pull(*client_, table, keys);
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(rows[2 * i], each[2 * keys[i].value()]);
    EXPECT_EQ(rows[2 * i + 1], each[2 * keys[i].value() + 1]);
  }
}

TEST_P(ClientOnAnyShape, APullSeesEveryPushMadeBeforeIt) {
  const Table table = Create(*client_, UniformTable("user", 3));
  const std::vector<Key> keys = Range(64);
  const std::vector<float> gradients(keys.size() * table.dim, 1);
  std::vector<std::future<absl::Status>> futures;
  std::vector<std::vector<float>> seen(20, std::vector<float>(gradients.size()));
  for (uint64_t step = 1; step <= 20; ++step) {
    futures.push_back(client_->Push(Step(step), {{table, keys, gradients}}));
    futures.push_back(client_->Pull(Step(step), {{table, keys, seen[step - 1]}}));
  }
  for (auto& future : futures) ExpectOk(std::move(future));
  // With the same gradient every step, each pull finds every weight lower than the one before.
  for (size_t i = 1; i < seen.size(); ++i) {
    for (size_t j = 0; j < gradients.size(); ++j) ASSERT_LT(seen[i][j], seen[i - 1][j]) << i;
  }
}

TEST_P(ClientOnAnyShape, SumsGradientsOfRepeatedKeys) {
  const Table merged = Create(*client_, UniformTable("a", 2));
  const Table repeated = Create(*client_, UniformTable("b", 2));
  const std::vector<float> before_a = Pull(*client_, merged, Range(2));
  const std::vector<float> before_b = Pull(*client_, repeated, Range(2));
  ASSERT_TRUE(Push(*client_, 1, merged, Keys({0, 1}), {3, 30, 7, 70}).ok());
  ASSERT_TRUE(Push(*client_, 1, repeated, Keys({0, 1, 0}), {1, 10, 7, 70, 2, 20}).ok());
  const std::vector<float> after_a = Pull(*client_, merged, Range(2));
  const std::vector<float> after_b = Pull(*client_, repeated, Range(2));
  for (size_t i = 0; i < after_a.size(); ++i) {
    EXPECT_NE(after_a[i], before_a[i]);
    // The first Adagrad step moves by lr whatever the gradient; the second tells the sums apart.
    EXPECT_NEAR(after_a[i] - before_a[i], after_b[i] - before_b[i], 1e-6);
  }
  ASSERT_TRUE(Push(*client_, 2, merged, Keys({0, 1}), {3, 3, 3, 3}).ok());
  ASSERT_TRUE(Push(*client_, 2, repeated, Keys({0, 1}), {3, 3, 3, 3}).ok());
  const std::vector<float> last_a = Pull(*client_, merged, Range(2));
  const std::vector<float> last_b = Pull(*client_, repeated, Range(2));
  for (size_t i = 0; i < after_a.size(); ++i) {
    EXPECT_NEAR(last_a[i] - after_a[i], last_b[i] - after_b[i], 1e-6);
  }
}

TEST_P(ClientOnAnyShape, TrainsTwoTablesToTheSameBitsAsOneShard) {
  Train(*client_, 60);
  EXPECT_TRUE(Contents(*client_) == Undisturbed(60));
}

TEST_P(ClientOnAnyShape, GoesOnWhenServersAreStoppedAndStartedAgain) {
  Progress progress;
  std::thread training([&] {
    Train(*client_, 300, &progress);
    progress.Reach(Progress::kEnd);
  });
  uint32_t restarts = 0;
  for (; restarts < 10; ++restarts) {
    progress.Await(25 * restarts + 10);
    const uint32_t server = restarts % GetParam().servers;
    cluster_.StopServer(server);
    cluster_.StartServer(server);
  }
  training.join();
  EXPECT_TRUE(Contents(*client_) == Undisturbed(300)) << "after " << restarts << " restarts";
}

TEST_P(ClientOnAnyShape, RefusedPushesChangeNothingAndNameTableKeyAndPlace) {
  const Table table = Create(*client_, UniformTable("user", 2));
  const std::vector<float> before = Pull(*client_, table, Range(3));
  const absl::Status nan = Push(*client_, 1, table, Keys({0, 1, 2}), {1, 1, 1, NAN, 1, 1});
  EXPECT_EQ(ReasonOf(nan), RefusalReason::kBadGradient) << nan;
  EXPECT_TRUE(Contains(nan, "user")) << nan;
  EXPECT_TRUE(Contains(nan, "key 1")) << nan;
  EXPECT_TRUE(Contains(nan, "shard ")) << nan;
  EXPECT_EQ(Pull(*client_, table, Keys({1})),
            std::vector<float>(before.begin() + 2, before.begin() + 4));
  EXPECT_TRUE(Push(*client_, 1, table, Keys({1}), {1, 1}).ok()) << "others go on";
}

TEST_P(ClientOnAnyShape, CountsOfEveryShard) {
  const Table table = Create(*client_, UniformTable("user", 2));
  ASSERT_TRUE(Push(*client_, 1, table, Range(500), std::vector<float>(1000, 1)).ok());
  const auto stats = client_->Stats();
  ASSERT_TRUE(stats.ok()) << stats.status();
  ASSERT_EQ(stats->size(), client_->shard_count());
  for (const StatsAnswer& shard : *stats) EXPECT_EQ(CounterOf(shard, "pushes"), 1u);
  EXPECT_EQ(CounterOf(*client_, "rows"), 500u);
}

TEST(Client, AReadOnlyClientLeavesNothingBehind) {
  TestCluster cluster({1, 2}, [](ServerOptions* options) { options->limits.clients_max = 1; });
  const auto writer = cluster.Connect();
  const Table table = Create(*writer, UniformTable("user", 2));
  ASSERT_TRUE(Push(*writer, 1, table, Range(50), std::vector<float>(100, 1)).ok());
  const uint64_t lsns = CounterOf(*writer, "last_lsn");
  ClientOptions options = cluster.client_options();
  options.read_only = true;
  const auto reader = TestCluster::Connect(options);
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(Pull(*reader, table, Range(50)), Pull(*writer, table, Range(50)));
  const absl::Status pushed = Push(*reader, 1, table, Range(1), {1, 1});
  EXPECT_TRUE(Contains(pushed, "read-only")) << pushed;

  cluster.StopServer(0);
  cluster.StartServer(0);
  EXPECT_EQ(Pull(*reader, table, Range(50)), Pull(*writer, table, Range(50)));
  EXPECT_EQ(CounterOf(*reader, "clients"), 2u);  // one on each shard
  EXPECT_EQ(CounterOf(*reader, "last_lsn"), lsns + 2) << "the writer opened again, nobody else";
}

TEST(Client, RefusesAnotherSpecUnderTheSameName) {
  TestCluster cluster({1, 2});
  const auto client = cluster.Connect();
  const Table table = Create(*client, UniformTable("user", 64));
  EXPECT_EQ(Create(*client, UniformTable("user", 64)).generation, table.generation);
  const absl::Status status = client->CreateTable(UniformTable("user", 32)).status();
  EXPECT_EQ(ReasonOf(status), RefusalReason::kTableConflict) << status;
  EXPECT_TRUE(Contains(status, "table 'user': dim is 64 on the server, 32 in this request"))
      << status;
  EXPECT_TRUE(Contains(status, cluster.endpoints()[0])) << status;
}

TEST(Client, RefusesTablesThatAreNotThereOrHaveAnotherDim) {
  TestCluster cluster({1, 2});
  const auto client = cluster.Connect();
  Table table = Create(*client, UniformTable("user", 2));
  const std::vector<Key> keys = Range(10);
  std::vector<float> rows(30);
  const auto both = [&](const Table& wrong, RefusalReason reason, const std::string& named) {
    for (const absl::Status& status : {Get(client->Pull(Step(1), {{wrong, keys, rows}})),
                                       Get(client->Push(Step(1), {{wrong, keys, rows}}))}) {
      EXPECT_EQ(ReasonOf(status), reason) << status;
      EXPECT_TRUE(Contains(status, named)) << status;
    }
  };
  both({TableId(4711), Generation(1), 3}, RefusalReason::kUnknownTable, "table 0000000000001267");
  both({table.id, table.generation, 3}, RefusalReason::kWrongDim, "user");
  both({table.id, Generation(9), 3}, RefusalReason::kWrongGeneration, "user");
  // Shapes are checked here, before anything is sent.
  table.dim = 2;
  const absl::Status shape = Get(client->Pull(Step(1), {{table, keys, rows}}));
  EXPECT_TRUE(Contains(shape, "table 'user': `rows` has 30 elements; 10 keys of dim 2 need 20"))
      << shape;
  EXPECT_EQ(ReasonOf(Get(client->Push(Step(0), {}))), RefusalReason::kBadStep);
}

TEST(Client, PullsOfAnySizeArePushesAreNot) {
  TestCluster cluster({1, 2},
                      [](ServerOptions* options) { options->limits.keys_per_request_max = 100; });
  const auto client = cluster.Connect();
  const Table table = Create(*client, UniformTable("user", 4));
  const std::vector<Key> keys = Range(1000);
  TestCluster roomy({});
  const auto other = roomy.Connect();
  EXPECT_EQ(Pull(*client, table, keys),
            Pull(*other, Create(*other, UniformTable("user", 4)), keys));
  const absl::Status status = Push(*client, 1, table, keys, std::vector<float>(4000, 1));
  EXPECT_EQ(ReasonOf(status), RefusalReason::kTooManyKeys) << status;
  EXPECT_TRUE(Contains(status, "keys_per_request_max is 100")) << status;
  EXPECT_EQ(CounterOf(*client, "pushes"), 0u);
}

TEST(Client, KeepsToTheFrameLimitOfTheServer) {
  TestCluster cluster({}, [](ServerOptions* options) { options->limits.frame_bytes_max = 8192; });
  const auto client = cluster.Connect();
  const Table table = Create(*client, UniformTable("user", 64));
  EXPECT_EQ(Pull(*client, table, Range(500)).size(), 500u * 64);
  const absl::Status status = Push(*client, 1, table, Range(500), std::vector<float>(32000, 1));
  EXPECT_EQ(ReasonOf(status), RefusalReason::kFrameTooLarge) << status;
}

TEST(Client, CallsFromManyThreadsAreAppliedOnceEach) {
  TestCluster cluster({1, 2});
  ClientOptions options = cluster.client_options();
  options.requests_in_flight_max = 3;
  const auto client = cluster.Connect(options);
  const Table table = Create(*client, UniformTable("user", 2));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<std::future<absl::Status>> futures;
      const std::vector<Key> keys = Range(100);
      const std::vector<float> gradients(200, 1);
      for (uint64_t step = 1; step <= 50; ++step) {
        futures.push_back(client->Push(Step(step), {{table, keys, gradients}}));
      }
      for (auto& future : futures) ExpectOk(std::move(future));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(CounterOf(*client, "pushes"), 2 * 4 * 50u);
  EXPECT_EQ(CounterOf(*client, "duplicate_pushes"), 0u);
}

TEST(Client, ANewIncarnationFencesTheOldOne) {
  TestCluster cluster({1, 2});
  ClientOptions options = cluster.client_options();
  options.client = ClientId(77);
  const auto old = cluster.Connect(options);
  const Table table = Create(*old, UniformTable("user", 2));
  ASSERT_TRUE(Push(*old, 1, table, Keys({1}), {1, 1}).ok());
  const auto next = cluster.Connect(options);
  const absl::Status fenced = Push(*old, 2, table, Range(10), std::vector<float>(20, 1));
  EXPECT_EQ(ReasonOf(fenced), RefusalReason::kFenced) << fenced;
  const absl::Status later = Push(*old, 3, table, Range(10), std::vector<float>(20, 1));
  EXPECT_EQ(ReasonOf(later), RefusalReason::kFenced) << later;
  EXPECT_TRUE(Push(*next, 2, table, Range(10), std::vector<float>(20, 1)).ok());
}

TEST(Client, DeadlinesNameTheEndpointAndTheLastReason) {
  TestCluster cluster({2, 1});
  ClientOptions options = cluster.client_options();
  options.request_timeout_ms = 300;
  const auto client = cluster.Connect(options);
  const Table table = Create(*client, UniformTable("user", 2));
  cluster.StopServer(1);
  const absl::Status status = Push(*client, 7, table, Range(100), std::vector<float>(200, 1));
  EXPECT_EQ(ReasonOf(status), RefusalReason::kDeadline) << status;
  EXPECT_TRUE(Contains(status, "push of step 7")) << status;
  EXPECT_TRUE(Contains(status, cluster.endpoints()[1])) << status;
  EXPECT_TRUE(Contains(status, "300 ms")) << status;
  EXPECT_TRUE(Contains(status, "refused")) << status;
}

TEST(Client, AStepOfUnknownOutcomeIsTheLastOfItsIncarnation) {
  TestCluster cluster({2, 1});
  ClientOptions options = cluster.client_options();
  options.client = ClientId(77);
  options.request_timeout_ms = 300;
  const auto client = cluster.Connect(options);
  const Table table = Create(*client, UniformTable("user", 2));
  cluster.StopServer(1);
  const std::vector<float> gradients(200, 1);
  EXPECT_FALSE(Push(*client, 7, table, Range(100), gradients).ok());
  cluster.StartServer(1);
  const absl::Status no_more = Push(*client, 8, table, Range(100), gradients);
  EXPECT_TRUE(Contains(no_more, "push of step 7")) << no_more;
  EXPECT_TRUE(Contains(no_more, "connect a new client")) << no_more;
  options.request_timeout_ms = 60'000;
  EXPECT_TRUE(Push(*cluster.Connect(options), 8, table, Range(100), gradients).ok());
}

TEST(Client, DestructionEndsOpenCalls) {
  TestCluster cluster({2, 1});
  auto client = cluster.Connect();
  const Table table = Create(*client, UniformTable("user", 2));
  cluster.StopServer(1);
  const std::vector<Key> keys = Range(100);
  const std::vector<float> gradients(200, 1);
  std::vector<float> rows(200);
  auto pushed = client->Push(Step(1), {{table, keys, gradients}});
  auto pulled = client->Pull(Step(1), {{table, keys, rows}});
  client.reset();
  EXPECT_TRUE(absl::IsCancelled(Get(std::move(pushed))));
  EXPECT_TRUE(absl::IsCancelled(Get(std::move(pulled))));
}

TEST(Client, AnotherClusterOnTheSamePortIsNotMistakenForTheOld) {
  std::string endpoint;
  std::unique_ptr<Client> client;
  Table table;
  {
    TestCluster cluster({});
    endpoint = cluster.endpoints()[0];
    client = cluster.Connect();
    table = Create(*client, UniformTable("user", 2));
  }
  TestCluster other({}, [&](ServerOptions* options) {
    options->listen = {endpoint};
    options->cluster_name = "another";
  });
  const absl::Status status = Push(*client, 1, table, Keys({1}), {1, 1});
  EXPECT_EQ(ReasonOf(status), RefusalReason::kWrongTimeline) << status;
  EXPECT_TRUE(Contains(status, endpoint)) << status;
}

TEST(Client, ServesOverUnixSockets) {
  const TempDir dir;
  TestCluster cluster(
      {}, [&](ServerOptions* options) { options->listen = {"unix:" + dir.path() + "/socket"}; });
  const auto client = cluster.Connect();
  const Table table = Create(*client, UniformTable("user", 2));
  EXPECT_TRUE(Push(*client, 1, table, Range(100), std::vector<float>(200, 1)).ok());
  cluster.StopServer(0);
  cluster.StartServer(0);
  EXPECT_TRUE(Push(*client, 2, table, Range(100), std::vector<float>(200, 1)).ok());
}

absl::Status ConnectStatus(const ClientOptions& options) {
  return Client::Connect(options).status();
}

TEST(ClientConnect, NamesAShardThatNoServerHosts) {
  TestCluster cluster({2, 2});
  ClientOptions options = cluster.client_options();
  options.servers.pop_back();
  const absl::Status status = ConnectStatus(options);
  EXPECT_TRUE(Contains(status, "shard 2 of 4")) << status;
  EXPECT_TRUE(Contains(status, options.servers[0])) << status;
}

TEST(ClientConnect, NamesAShardThatTwoServersHost) {
  TestCluster a({2, 1});
  TestCluster b({2, 1});
  ClientOptions options = a.client_options();
  options.servers.push_back(b.endpoints()[1]);
  const absl::Status status = ConnectStatus(options);
  EXPECT_TRUE(Contains(status, "shard 1 is hosted by")) << status;
  EXPECT_TRUE(Contains(status, a.endpoints()[1])) << status;
  EXPECT_TRUE(Contains(status, b.endpoints()[1])) << status;
}

TEST(ClientConnect, NamesServersOfDifferentClusters) {
  TestCluster a({});
  TestCluster b({}, [](ServerOptions* options) { options->cluster_name = "another"; });
  ClientOptions options = a.client_options();
  options.servers.push_back(b.endpoints()[0]);
  const absl::Status status = ConnectStatus(options);
  EXPECT_TRUE(Contains(status, "different clusters")) << status;
  EXPECT_TRUE(Contains(status, b.endpoints()[0])) << status;
}

TEST(ClientConnect, RefusesWhatIsNoEndpointOrIsNamedTwice) {
  ClientOptions options;
  options.servers = {"nonsense"};
  EXPECT_TRUE(Contains(ConnectStatus(options), "nonsense"));
  options.servers = {"127.0.0.1:1", "127.0.0.1:1"};
  EXPECT_TRUE(Contains(ConnectStatus(options), "named twice"));
  options.servers = {};
  EXPECT_TRUE(Contains(ConnectStatus(options), "servers is empty"));
}

TEST(ClientConnect, GivesUpOnAServerThatIsNotThere) {
  ClientOptions options;
  {
    TestCluster cluster({});
    options = cluster.client_options();
  }
  options.connect_timeout_ms = 200;
  const absl::Status status = ConnectStatus(options);
  EXPECT_EQ(ReasonOf(status), RefusalReason::kDeadline) << status;
  EXPECT_TRUE(Contains(status, options.servers[0])) << status;
  EXPECT_TRUE(Contains(status, "refused")) << status;
}

TEST(ClientConnect, WaitsForAServerThatIsStillStarting) {
  TestCluster cluster({2, 1});
  cluster.StopServer(0);
  auto connecting = std::async(std::launch::async, [options = cluster.client_options()] {
    return Client::Connect(options);
  });
  cluster.StartServer(0);
  const auto client = connecting.get();
  EXPECT_TRUE(client.ok()) << client.status();
}

}  // namespace
}  // namespace rowhouse

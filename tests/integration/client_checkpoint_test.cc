// Checkpoints through the client library, against real servers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/refusal.h"
#include "common/slot_map.h"
#include "common/text.h"
#include "ps/checkpoint_restore.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/integration/raw_client.h"
#include "tests/support/frames.h"
#include "tests/support/temp_dir.h"
#include "worker/checkpoint/checkpoint_directory.h"
#include "worker/checkpoint/checkpoint_driver.h"
#include "worker/checkpoint/checkpoint_prune.h"
#include "worker/checkpoint/checkpoint_verify.h"
#include "worker/client.h"

namespace rowhouse {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

absl::Status Get(std::future<absl::Status> future) {
  if (future.wait_for(60s) != std::future_status::ready) {
    return absl::InternalError("no answer within the test's patience");
  }
  return future.get();
}

// The number of the first checkpoint where clients have registered: their marks begin with 1.
constexpr uint64_t kFirst = 2;

// Rows begin equal.
TableSpec ZeroTable() {
  TableSpec spec = UniformTable("t", 4);
  spec.initializer = Initializer::Uniform(0, 0);
  return spec;
}

std::vector<Key> KeysFrom(uint64_t first) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 64; ++i) keys.push_back(Key(first + i));
  return keys;
}

std::vector<float> RowsFrom(Client& client, uint64_t first_key) {
  const Table table = *client.CreateTable(ZeroTable());
  const std::vector<Key> keys = KeysFrom(first_key);
  std::vector<float> rows(keys.size() * table.dim, -99);
  EXPECT_TRUE(Get(client.Pull(Step(1), {{table, keys, rows}})).ok());
  return rows;
}

// A client whose every step pushes the same rows, which lie on all shards.
class Pusher {
 public:
  Pusher(const ClientOptions& options, uint64_t first_key)
      : client_(TestCluster::Connect(options)),
        table_(*client_->CreateTable(ZeroTable())),
        keys_(KeysFrom(first_key)),
        gradients_(keys_.size() * table_.dim, 1) {}

  std::future<absl::Status> Begin() {
    return client_->Push(Step(++step_), {{table_, keys_, gradients_}});
  }
  absl::Status Push() { return Get(Begin()); }
  Client& client() { return *client_; }
  Table table() const { return table_; }

 private:
  std::unique_ptr<Client> client_;
  Table table_;
  uint64_t step_ = 0;
  const std::vector<Key> keys_;
  const std::vector<float> gradients_;
};

// A checkpoint copies the whole log: under a sanitizer one that is written at full speed grows
// faster than it is copied.
constexpr std::chrono::milliseconds kUnhurried = 3ms;

// Pushes several steps at once until it is destroyed: as fast as it can, or with a pause after
// each.
class BusyPusher {
 public:
  BusyPusher(const ClientOptions& options, uint64_t first_key,
             std::chrono::milliseconds pause = 0ms)
      : pause_(pause), pusher_(options, first_key), thread_([this] { Run(); }) {}
  ~BusyPusher() {
    stop_ = true;
    thread_.join();
  }

  // Until so many more steps are done.
  void Await(uint64_t more) {
    const uint64_t until = steps_ + more;
    for (uint64_t at = steps_; at < until; at = steps_) steps_.wait(at);
  }

 private:
  void Run() {
    std::deque<std::future<absl::Status>> open;
    while (!stop_ || !open.empty()) {
      while (!stop_ && open.size() < 6) open.push_back(pusher_.Begin());
      if (open.empty()) break;
      const absl::Status pushed = Get(std::move(open.front()));
      open.pop_front();
      EXPECT_TRUE(pushed.ok()) << pushed;
      ++steps_;
      steps_.notify_all();
      if (!stop_) std::this_thread::sleep_for(pause_);
    }
  }

  const std::chrono::milliseconds pause_;
  Pusher pusher_;
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> steps_ = 0;
  std::thread thread_;
};

class ClientCheckpointTest : public ::testing::Test, public CheckpointObserver {
 protected:
  ClientCheckpointTest() {
    options_.directory = dir_.path() + "/checkpoints";
    options_.poll_ms = 2;
    options_.timeout_ms = 60'000;
  }

  void Announced(Mark) override { on_announced_(); }
  void Progressed(const CheckpointProgress& progress) override {
    if (progress.stage == CheckpointStage::kWaiting) on_waiting_();
  }
  void Left(const UnclosedClient& client) override { left_.push_back(client.client); }

  ClientOptions Quick() const {
    ClientOptions options = cluster_.client_options();
    options.lease_ms = 20;
    return options;
  }
  // Says nothing of its own accord, not even at its end: as good as dead.
  ClientOptions Silent() const {
    ClientOptions options = cluster_.client_options();
    options.lease_ms = 600'000;
    options.leave_timeout_ms = 0;
    return options;
  }

  absl::StatusOr<CheckpointManifest> Create() {
    ClientOptions options = cluster_.client_options();
    options.read_only = true;
    const auto client = TestCluster::Connect(options);
    return CreateCheckpoint(*client, options_, *this);
  }
  CheckpointManifest Good() {
    auto created = Create();
    EXPECT_TRUE(created.ok()) << created.status();
    return created.value_or(CheckpointManifest{});
  }
  CheckpointDirectory directory() const { return *CheckpointDirectory::Open(options_.directory); }
  std::vector<std::string> Damages(Mark mark) const {
    const auto verdict = VerifyCheckpoint(directory(), mark, [](uint64_t, uint64_t) {});
    EXPECT_TRUE(verdict.ok()) << verdict.status();
    return verdict.ok() ? verdict->damages : std::vector<std::string>{"no verdict"};
  }
  static std::set<std::string> NamesIn(const CheckpointManifest& manifest) {
    std::set<std::string> names;
    for (const ShardManifest& shard : manifest.shards) {
      for (const CheckpointFile& file : shard.files) names.insert(file.name);
    }
    return names;
  }
  std::set<std::string> NamesOnDisk() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory().files_path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  // Opens the client everywhere and pushes the first of two parts of its step, to shard 0.
  void HalfPush(ClientId client, Step step, const Table& table) {
    for (uint32_t i = 0; i < 3; ++i) {
      auto shard = RawClient::Greet(cluster_.endpoints()[i], ShardId(i));
      ASSERT_TRUE(shard.ok()) << shard.status();
      const auto known = shard->Ask<QueryClientAnswer>(Op::kQueryClient, QueryClient{client});
      ASSERT_TRUE(known.ok()) << known.status();
      const OpenClient open{client, Incarnation(1), known->mark};
      ASSERT_TRUE(shard->Ask<OpenClientAnswer>(Op::kOpenClient, open).ok());
      if (i != 0) continue;
      uint64_t key = 0;
      while (SlotMap(3).ShardOf(table.id, Key(key)) != ShardId(0)) ++key;
      TestPush push;
      push.client = client;
      push.step = step;
      push.part_count = 2;
      push.sections = {{table.id, table.generation, table.dim, {Key(key)}, {1, 1, 1, 1}}};
      const auto pushed = shard->Push(push);
      ASSERT_TRUE(pushed.ok()) << pushed.status();
    }
  }

  TempDir dir_;
  TestCluster cluster_{{.servers = 3, .shards = 1}};
  CheckpointOptions options_;
  std::vector<ClientId> left_;
  std::function<void()> on_announced_ = [] {};
  std::function<void()> on_waiting_ = [] {};
};

TEST_F(ClientCheckpointTest, IsMadeWhileTwoClientsPushAtFullSpeed) {
  BusyPusher one(Quick(), 0);
  BusyPusher two(Quick(), 1000);
  one.Await(20);
  two.Await(20);
  for (uint64_t number = kFirst; number < kFirst + 3; ++number) {
    const CheckpointManifest manifest = Good();
    EXPECT_EQ(manifest.mark, Mark(number));
    EXPECT_THAT(manifest.shards, SizeIs(3));
    EXPECT_THAT(manifest.half_steps, IsEmpty());
    EXPECT_THAT(Damages(Mark(number)), IsEmpty());
    one.Await(1);
    two.Await(1);
  }
  EXPECT_THAT(left_, IsEmpty());
}

// New servers, one shard each, on what a checkpoint holds.
class RestoredCluster {
 public:
  RestoredCluster(const CheckpointDirectory& from, Mark mark, uint32_t servers) {
    for (uint32_t i = 0; i < servers; ++i) {
      CheckpointRestoreOptions options;
      options.manifest_path = from.ManifestPath(mark);
      options.data_dir = DataDir(i);
      options.server_index = i;
      options.server_count = servers;
      options.timeline = Timeline(1234);
      const auto restored = RestoreCheckpoint(options, [](const auto&) {});
      EXPECT_TRUE(restored.ok()) << restored.status();
    }
    cluster_ = std::make_unique<TestCluster>(
        ClusterShape{.servers = servers, .shards = 1},
        [this](ServerOptions* options) { options->data_dir = DataDir(options->server_index); });
  }
  const TestCluster& cluster() const { return *cluster_; }

 private:
  std::string DataDir(uint32_t server) const { return StrCat(dir_.path(), "/server-", server); }

  TempDir dir_;
  std::unique_ptr<TestCluster> cluster_;
};

// What a client's rows are after its first `steps` steps.
std::vector<float> RowsAfter(uint64_t steps) {
  TestCluster cluster({});
  Pusher pusher(cluster.client_options(), 0);
  for (uint64_t i = 0; i < steps; ++i) EXPECT_TRUE(pusher.Push().ok());
  return RowsFrom(pusher.client(), 0);
}

TEST_F(ClientCheckpointTest, HoldsExactlyEachClientsFirstStepsOnAllShards) {
  ClientOptions options[2] = {Quick(), Quick()};
  std::vector<std::unique_ptr<BusyPusher>> pushers;
  for (uint64_t i = 0; i < 2; ++i) {
    options[i].client = ClientId(11 + i);
    pushers.push_back(std::make_unique<BusyPusher>(options[i], 1000 * i, kUnhurried));
  }
  for (int made = 0; made < 3; ++made) {
    for (const auto& pusher : pushers) pusher->Await(10);
    Good();
  }
  for (const auto& pusher : pushers) pusher->Await(10);  // what no checkpoint may hold
  pushers.clear();

  Step last[2];
  for (const auto& [mark, servers] : {std::pair{2u, 3u}, {3u, 1u}, {4u, 3u}, {4u, 5u}}) {
    const RestoredCluster restored(directory(), Mark(mark), servers);
    for (uint64_t i = 0; i < 2; ++i) {
      options[i].servers = restored.cluster().endpoints();
      const auto client = TestCluster::Connect(options[i]);
      EXPECT_GE(client->last_step(), last[i]);
      last[i] = client->last_step();
      EXPECT_GT(last[i], Step(9));
      EXPECT_EQ(RowsFrom(*client, 1000 * i), RowsAfter(last[i].value()))
          << "checkpoint " << mark << " on " << servers << " shards, client " << i;
    }
  }
}

TEST_F(ClientCheckpointTest, IsMadeOfAClusterWithoutClientsAndOfOneWithIdleOnes) {
  EXPECT_EQ(Good().mark, Mark(1));
  Pusher idle(Quick(), 0);
  ASSERT_TRUE(idle.Push().ok());
  EXPECT_EQ(Good().mark, Mark(2)) << "a renewal tells the mark";
  ASSERT_TRUE(idle.Push().ok());
  EXPECT_EQ(Good().mark, Mark(3));
}

TEST_F(ClientCheckpointTest, AClientThatEndsInOrderHoldsNothingUp) {
  {
    Pusher pusher(Silent(), 0);
    ASSERT_TRUE(pusher.Push().ok());
  }
  {
    ClientOptions options = Silent();
    options.leave_timeout_ms = 10'000;
    Pusher pusher(options, 0);
    ASSERT_TRUE(pusher.Push().ok());
  }
  options_.leave_after_ms = 300;
  EXPECT_EQ(Good().mark, Mark(2));
  EXPECT_THAT(left_, SizeIs(1)) << "the one that did not say so";
}

TEST_F(ClientCheckpointTest, ASilentClientIsLeftBehindAndToldSo) {
  Pusher silent(Silent(), 0);
  ASSERT_TRUE(silent.Push().ok());
  Pusher alive(Quick(), 1000);
  ASSERT_TRUE(alive.Push().ok());
  options_.leave_after_ms = 300;
  EXPECT_EQ(Good().mark, Mark(2));
  EXPECT_THAT(left_, ElementsAre(silent.client().id()));
  const absl::Status refused = silent.Push();
  EXPECT_EQ(ReasonOf(refused), RefusalReason::kNotOpened) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("taken for gone"));
  EXPECT_TRUE(alive.Push().ok());
}

TEST_F(ClientCheckpointTest, TheNextPushOfWhoDrivesBearsTheMark) {
  Pusher driver(Quick(), 0);
  ASSERT_TRUE(driver.Push().ok());
  // A push that is made when the mark is announced is not in the checkpoint, so whoever waits for
  // it to be closed does not wait for that push.
  std::future<absl::Status> later;
  on_announced_ = [&] { later = std::async(std::launch::async, [&] { return driver.Push(); }); };
  const auto created = CreateCheckpoint(driver.client(), options_, *this);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(later.get().ok());
}

TEST_F(ClientCheckpointTest, AnAttemptThatIsCancelledHindersNoOtherAndItsNumberIsNotUsedAgain) {
  Pusher silent(Silent(), 0);
  ASSERT_TRUE(silent.Push().ok());
  on_waiting_ = [&] { options_.cancellation->Cancel(); };
  EXPECT_THAT(std::string(Create().status().message()), HasSubstr("cancelled"));
  EXPECT_THAT(*directory().Numbers(), IsEmpty());

  on_waiting_ = [] {};
  options_.cancellation = std::make_shared<Cancellation>();
  options_.leave_after_ms = 200;
  EXPECT_EQ(Good().mark, Mark(3));
}

TEST_F(ClientCheckpointTest, NamesTheStepThatALivingClientLeftHalfDone) {
  ClientOptions options = Quick();
  options.request_timeout_ms = 2000;
  options.backoff_max_ms = 20;
  Pusher pusher(options, 0);
  ASSERT_TRUE(pusher.Push().ok());
  const std::vector<Key> keys = KeysFrom(0);
  const std::vector<float> gradients(keys.size() * pusher.table().dim, 1);
  cluster_.StopServer(2);
  const absl::Status failed =
      Get(pusher.client().Push(Step(2), {{pusher.table(), keys, gradients}}));
  cluster_.StartServer(2);
  EXPECT_EQ(ReasonOf(failed), RefusalReason::kDeadline) << failed;
  const absl::Status no_more =
      Get(pusher.client().Push(Step(3), {{pusher.table(), keys, gradients}}));
  EXPECT_THAT(std::string(no_more.message()), HasSubstr("push of step 2"));
  options_.leave_after_ms = 0;  // it says itself that it has left
  const CheckpointManifest manifest = Good();
  EXPECT_THAT(left_, IsEmpty());
  ASSERT_THAT(manifest.half_steps, SizeIs(1));
  EXPECT_EQ(manifest.half_steps[0].client, pusher.client().id());
  EXPECT_EQ(manifest.half_steps[0].step, Step(2));
  EXPECT_EQ(manifest.half_steps[0].parts_present, 2u);
  EXPECT_EQ(manifest.half_steps[0].parts, 3u);
  EXPECT_EQ(RowsFrom(pusher.client(), 0).size(), gradients.size());  // pulls go on
}

TEST_F(ClientCheckpointTest, AStepThatIsRefusedWholeEndsNothing) {
  Pusher pusher(Quick(), 0);
  const std::vector<Key> keys = KeysFrom(0);
  const std::vector<float> bad(keys.size() * pusher.table().dim, 2 * kGradientAbsMax);
  EXPECT_FALSE(Get(pusher.client().Push(Step(1), {{pusher.table(), keys, bad}})).ok());
  EXPECT_TRUE(pusher.Push().ok());
  EXPECT_THAT(Good().half_steps, IsEmpty());
}

TEST_F(ClientCheckpointTest, AServerThatRestartsEndsTheAttemptByName) {
  Pusher silent(Silent(), 0);
  ASSERT_TRUE(silent.Push().ok());
  bool restarted = false;
  on_waiting_ = [&] {
    if (std::exchange(restarted, true)) return;
    cluster_.StopServer(1);
    cluster_.StartServer(1);
  };
  const absl::Status status = Create().status();
  EXPECT_EQ(ReasonOf(status), RefusalReason::kNoCheckpoint) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("shard 1 at "));
  options_.leave_after_ms = 300;
  EXPECT_EQ(Good().mark, Mark(3));
}

TEST_F(ClientCheckpointTest, RestartsDuringCheckpointsFailNoPushAndNoLaterCheckpoint) {
  {
    BusyPusher one(Quick(), 0, kUnhurried);
    BusyPusher two(Quick(), 1000, kUnhurried);
    for (uint32_t round = 0; round < 6; ++round) {
      std::future<absl::Status> attempt =
          std::async(std::launch::async, [this] { return Create().status(); });
      one.Await(1 + round);
      cluster_.StopServer(round % 3);
      cluster_.StartServer(round % 3);
      const absl::Status status = Get(std::move(attempt));
      EXPECT_TRUE(status.ok() || ReasonOf(status) == RefusalReason::kNoCheckpoint) << status;
      two.Await(1);
    }
    Good();
  }
  EXPECT_THAT(left_, IsEmpty());
  const auto numbers = directory().Numbers();
  ASSERT_TRUE(numbers.ok());
  for (const Mark mark : *numbers) EXPECT_THAT(Damages(mark), IsEmpty());
}

TEST_F(ClientCheckpointTest, FilesThatTwoCheckpointsShareAreStoredOnce) {
  Pusher pusher(Quick(), 0);
  ASSERT_TRUE(pusher.Push().ok());
  const auto first = NamesIn(Good());
  Pusher other(Quick(), 1'000'000);
  ASSERT_TRUE(other.Push().ok());
  const auto second = NamesIn(Good());
  std::set<std::string> both;
  std::set_intersection(first.begin(), first.end(), second.begin(), second.end(),
                        std::inserter(both, both.end()));
  EXPECT_GE(both.size(), 3u) << "the rows of the first are not written again";
  std::set<std::string> all = first;
  all.insert(second.begin(), second.end());
  EXPECT_EQ(NamesOnDisk(), all);
}

TEST_F(ClientCheckpointTest, PruningLeavesTheOthersWhole) {
  Pusher pusher(Quick(), 0);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(pusher.Push().ok());
    Good();
  }
  const auto pruned = PruneCheckpoints(directory(), {.keep = 2}, false);
  ASSERT_TRUE(pruned.ok()) << pruned.status();
  EXPECT_THAT(pruned->removed, ElementsAre(Mark(2)));
  EXPECT_THAT(Damages(Mark(3)), IsEmpty());
  EXPECT_THAT(Damages(Mark(4)), IsEmpty());
  std::set<std::string> kept = NamesIn(*directory().Read(Mark(3)));
  kept.merge(NamesIn(*directory().Read(Mark(4))));
  EXPECT_EQ(NamesOnDisk(), kept);
  ASSERT_TRUE(pusher.Push().ok());
  EXPECT_EQ(Good().mark, Mark(5));
}

TEST_F(ClientCheckpointTest, VerificationFindsOneFlippedBitInAnyFile) {
  Pusher pusher(Quick(), 0);
  ASSERT_TRUE(pusher.Push().ok());
  const CheckpointManifest manifest = Good();
  ASSERT_THAT(Damages(manifest.mark), IsEmpty());
  for (const std::string& name : NamesIn(manifest)) {
    const std::string path = directory().files_path() + "/" + name;
    if (std::filesystem::file_size(path) == 0) continue;
    const auto flip = [&] {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(0);
      const char byte = static_cast<char>(file.get() ^ 1);
      file.seekp(0);
      file.put(byte);
    };
    flip();
    EXPECT_THAT(Damages(manifest.mark), ::testing::Each(HasSubstr(name)));
    EXPECT_THAT(Damages(manifest.mark), ::testing::Not(IsEmpty()));
    flip();
  }
}

TEST_F(ClientCheckpointTest, AClientLearnsItsLastStepOfAnyLife) {
  ClientOptions options = Quick();
  options.client = ClientId(77);
  {
    Pusher pusher(options, 0);
    EXPECT_EQ(pusher.client().last_step(), Step(0));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(pusher.Push().ok());
  }
  EXPECT_EQ(TestCluster::Connect(options)->last_step(), Step(3));
  cluster_.StopServer(2);
  cluster_.StartServer(2);
  EXPECT_EQ(TestCluster::Connect(options)->last_step(), Step(3));
}

// One part of a push that has two, as a client leaves it that is killed in between.
TEST_F(ClientCheckpointTest, NamesTheStepThatADeadClientLeftHalfDone) {
  Pusher alive(Quick(), 0);
  ASSERT_TRUE(alive.Push().ok());
  HalfPush(ClientId(5), Step(41), alive.table());
  options_.leave_after_ms = 300;
  const CheckpointManifest manifest = Good();
  ASSERT_THAT(manifest.half_steps, SizeIs(1));
  EXPECT_EQ(manifest.half_steps[0].client, ClientId(5));
  EXPECT_EQ(manifest.half_steps[0].step, Step(41));
  EXPECT_EQ(manifest.half_steps[0].parts_present, 1u);
  EXPECT_EQ(manifest.half_steps[0].parts, 2u);
}

}  // namespace
}  // namespace rowhouse

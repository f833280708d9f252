// A checkpoint of four shards on real RocksDB directories, restored into one, three and eight.
#include "ps/checkpoint_restore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "common/checkpoint_manifest.h"
#include "common/refusal.h"
#include "common/slot_map.h"
#include "common/text.h"
#include "common/wire/checkpoint.h"
#include "ps/net/server.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"
#include "tests/integration/raw_client.h"
#include "tests/support/shard_driver.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

constexpr uint32_t kOldShards = 4;
constexpr uint64_t kKeys = 4000;
constexpr uint64_t kAttempt = 77;
constexpr Mark kMark{3};

TableSpec Spec(const std::string& name, uint32_t dim) {
  TableSpec spec;
  spec.name = name;
  spec.dim = dim;
  spec.seed = 9;
  spec.initializer = Initializer::Normal(0, 0.1f);
  spec.adagrad.lr = 0.1;
  return spec;
}

using Rows = std::map<std::string, std::string>;  // the disk tier's keys and values

// A server with shards in `data_dir`, and a connection to each.
class Cluster {
 public:
  Cluster(const std::string& data_dir, uint32_t shards) : shards_(shards) {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.data_dir = data_dir;
    options.shards = shards;
    options.limits.flush_file_rows = 300;
    options.limits.flush_log_bytes = 20'000;  // a checkpoint then has rows in files and in its log
    options.limits.flush_log_ratio = 0;
    auto server = Server::Start(options);
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return;
    server_ = std::move(*server);
    for (uint32_t i = 0; i < shards; ++i) {
      auto client = RawClient::Greet(server_->endpoints().at(0), ShardId(i));
      EXPECT_TRUE(client.ok()) << client.status();
      clients_.push_back(std::move(*client));
    }
  }

  template <typename Answer, typename Message>
  std::vector<Answer> AskAll(Op op, const Message& message) {
    std::vector<Answer> answers;
    for (RawClient& client : clients_) {
      auto answer = client.Ask<Answer>(op, message);
      EXPECT_TRUE(answer.ok()) << answer.status();
      if (answer.ok()) answers.push_back(std::move(*answer));
    }
    return answers;
  }
  // One optimizer step of client 7 on every shard.
  void Step(uint64_t sequence, Mark mark) {
    for (uint32_t i = 0; i < shards_; ++i) {
      TestPush push;
      push.sequence = push.unretried_below = Sequence(sequence);
      push.step = rowhouse::Step(sequence);
      push.mark = mark;
      push.first_shard = ShardId(i);
      push.part_count = static_cast<uint16_t>(shards_);
      for (const TableSpec& spec : specs_) {
        // A third of the keys a step, others each time.
        std::vector<Key> keys;
        for (uint64_t key = sequence % 3; key < kKeys; key += 3) {
          if (map().ShardOf(TableIdOf(spec.name), Key(key)) == ShardId(i)) keys.push_back(Key(key));
        }
        std::vector<float> gradients(keys.size() * spec.dim);
        for (size_t f = 0; f < gradients.size(); ++f) {
          gradients[f] = static_cast<float>((f * 31 + sequence * 7) % 100) / 50 - 1;
        }
        push.sections.push_back(SectionOf(spec, std::move(keys), std::move(gradients)));
      }
      const auto answer = clients_[i].Push(push);
      ASSERT_TRUE(answer.ok()) << answer.status();
    }
  }
  void Prepare() {
    for (const TableSpec& spec : specs_) {
      AskAll<CreateTableAnswer>(Op::kCreateTable, CreateTable{spec});
    }
    AskAll<OpenClientAnswer>(Op::kOpenClient, OpenClient{ClientId(7), Incarnation(1), Mark(0)});
  }
  // Asks until every shard has come to this phase.
  std::vector<CheckpointStatusAnswer> Await(CheckpointPhase phase) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < deadline) {
      auto answers =
          AskAll<CheckpointStatusAnswer>(Op::kCheckpointStatus, CheckpointStatus{kAttempt});
      size_t there = 0;
      for (const auto& answer : answers) {
        EXPECT_NE(answer.phase, CheckpointPhase::kFailed) << answer.failure;
        there += answer.phase == phase;
      }
      if (there == shards_ || testing::Test::HasFailure()) return answers;
    }
    ADD_FAILURE() << "no phase " << static_cast<int>(phase);
    return {};
  }
  std::vector<float> PullSome() {
    std::vector<float> all;
    for (const TableSpec& spec : specs_) {
      for (uint64_t key = 0; key < kKeys; key += 17) {
        const ShardId shard = map().ShardOf(TableIdOf(spec.name), Key(key));
        const auto rows = clients_[shard.value()].Pull(spec, {Key(key)});
        EXPECT_TRUE(rows.ok()) << rows.status();
        if (!rows.ok()) return all;
        all.insert(all.end(), rows->begin(), rows->end());
      }
    }
    return all;
  }
  void Stop() {
    const absl::Status stopped = server_->Stop();
    EXPECT_TRUE(stopped.ok()) << stopped;
  }
  RawClient& client(uint32_t shard) { return clients_[shard]; }

 private:
  SlotMap map() const { return SlotMap(shards_); }

  const uint32_t shards_;
  const std::vector<TableSpec> specs_ = {Spec("user", 8), Spec("item", 3)};
  std::unique_ptr<Server> server_;
  std::vector<RawClient> clients_;
};

// Every row of the shards' directories; each must lie on the shard that owns its slot.
Rows RowsIn(const std::string& data_dir, uint32_t shards) {
  Rows rows;
  for (uint32_t i = 0; i < shards; ++i) {
    const auto disk = OpenRocksDiskTierReadOnly(StrCat(data_dir, "/shard-", i, "/rows"));
    EXPECT_TRUE(disk.ok()) << disk.status();
    if (!disk.ok()) return rows;
    const absl::Status scanned =
        (*disk)->Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
          EXPECT_EQ(SlotMap(shards).ShardOfSlot(DecodeRowKey(key)->slot), ShardId(i));
          EXPECT_TRUE(rows.emplace(key, value).second);
          return absl::OkStatus();
        });
    EXPECT_TRUE(scanned.ok()) << scanned;
  }
  return rows;
}

// Weights and state without the LSN, which says nothing from one log to another.
Rows WithoutLsns(Rows rows) {
  for (auto& [key, value] : rows) value.erase(8, 8);
  return rows;
}

class CheckpointRestoreTest : public testing::Test {
 protected:
  // Steps 1 to 6 and 8 belong to the checkpoint; 7 and 9 bear its mark.
  static void SetUpTestSuite() {
    dir_ = new TempDir();
    Cluster cluster(dir_->path() + "/old", kOldShards);
    cluster.Prepare();
    for (uint64_t step = 1; step <= 4; ++step) cluster.Step(step, Mark(0));
    cluster.AskAll<Done>(Op::kPrepareCheckpoint, PrepareCheckpoint{kAttempt});
    cluster.Step(5, Mark(0));
    cluster.Await(CheckpointPhase::kPrepared);
    cluster.Step(6, Mark(1));
    cluster.AskAll<Done>(Op::kAnnounceMark, AnnounceMark{kMark});
    cluster.Step(7, kMark);
    cluster.Step(8, Mark(2));
    cluster.AskAll<Done>(Op::kCloseMark, CloseMark{ClientId(7), Incarnation(1), kMark});
    cluster.Await(CheckpointPhase::kSealed);
    cluster.Step(9, kMark);
    cluster.AskAll<Done>(Op::kPublishCheckpoint,
                         PublishCheckpoint{kAttempt, dir_->path() + "/checkpoints"});
    WriteManifest(cluster.Await(CheckpointPhase::kPublished));
    cluster.Step(10, kMark);
    cluster.Stop();
  }
  static void TearDownTestSuite() { delete dir_; }

  static void WriteManifest(const std::vector<CheckpointStatusAnswer>& shards) {
    CheckpointManifest manifest;
    manifest.mark = kMark;
    manifest.timeline = Timeline(5);
    manifest.shard_count = kOldShards;
    manifest.slot_bits = kSlotBits;
    for (uint32_t i = 0; i < shards.size(); ++i) {
      manifest.shards.push_back({ShardId(i), shards[i].watermark, shards[i].cut, shards[i].files});
    }
    std::ofstream(ManifestPath(), std::ios::binary) << EncodeManifest(manifest);
  }
  static std::string ManifestPath() { return dir_->path() + "/checkpoints/" + ManifestName(kMark); }
  absl::StatusOr<CheckpointRestored> Restore(const std::string& data_dir, uint32_t shards,
                                             uint32_t index = 0, uint32_t count = 1,
                                             Timeline timeline = Timeline(0)) {
    return RestoreCheckpoint({ManifestPath(), data_dir, shards, index, count, timeline},
                             [](const CheckpointRestoreProgress&) {});
  }
  // What a cluster has that was told the cut's steps alone.
  Rows WantedRows() {
    const std::string data_dir = own_.path() + "/wanted";
    Cluster cluster(data_dir, kOldShards);
    cluster.Prepare();
    for (const uint64_t step : {1, 2, 3, 4, 5, 6, 8}) cluster.Step(step, Mark(0));
    wanted_weights_ = cluster.PullSome();
    cluster.Stop();
    return WithoutLsns(RowsIn(data_dir, kOldShards));
  }

  static TempDir* dir_;
  TempDir own_;
  std::vector<float> wanted_weights_;
};

TempDir* CheckpointRestoreTest::dir_ = nullptr;

TEST_F(CheckpointRestoreTest, GivesEqualTablesForAnyNumberOfShards) {
  const Rows wanted = WantedRows();
  ASSERT_GT(wanted.size(), kKeys);
  Rows first;
  for (const uint32_t shards : {1u, 3u, 8u}) {
    SCOPED_TRACE(shards);
    const std::string data_dir = StrCat(own_.path(), "/new-", shards);
    const auto restored = Restore(data_dir, shards);
    ASSERT_TRUE(restored.ok()) << restored.status();
    const Rows rows = RowsIn(data_dir, shards);
    EXPECT_TRUE(WithoutLsns(rows) == wanted);
    if (first.empty()) first = rows;
    EXPECT_TRUE(rows == first);  // LSNs too

    Cluster cluster(data_dir, shards);
    EXPECT_TRUE(cluster.PullSome() == wanted_weights_);
    const auto known =
        cluster.AskAll<QueryClientAnswer>(Op::kQueryClient, QueryClient{ClientId(7)});
    for (const QueryClientAnswer& answer : known) {
      EXPECT_EQ(answer.incarnation, Incarnation(1));
      EXPECT_EQ(answer.step, rowhouse::Step(8));
      EXPECT_EQ(answer.mark, kMark);
    }
    // It goes on: a higher incarnation, LSNs above all that were restored.
    EXPECT_EQ(ReasonOf(cluster.client(0)
                           .Ask<OpenClientAnswer>(Op::kOpenClient,
                                                  OpenClient{ClientId(7), Incarnation(1), kMark})
                           .status()),
              RefusalReason::kFenced);
    cluster.AskAll<OpenClientAnswer>(Op::kOpenClient,
                                     OpenClient{ClientId(7), Incarnation(2), kMark});
    for (uint32_t i = 0; i < shards; ++i) {
      EXPECT_GT(cluster.client(i).Counters()->at("last_lsn"), restored->lsn.value());
    }
    cluster.Stop();
    EXPECT_FALSE(fs::exists(data_dir + "/restoring"));
  }
}

TEST_F(CheckpointRestoreTest, AShardLargerThanTheMemoryGivesTheSameRows) {
  const auto whole = Restore(own_.path() + "/whole", 2);
  ASSERT_TRUE(whole.ok()) << whole.status();
  CheckpointRestoreOptions options{ManifestPath(), own_.path() + "/small", 2};
  options.memory_bytes_max = 100'000;
  const auto small = RestoreCheckpoint(options, [](const CheckpointRestoreProgress&) {});
  ASSERT_TRUE(small.ok()) << small.status();
  EXPECT_TRUE(RowsIn(own_.path() + "/small", 2) == RowsIn(own_.path() + "/whole", 2));
}

TEST_F(CheckpointRestoreTest, SeveralServersHoldTheSameRowsUnderTheTimelineThatTheyAreGiven) {
  const auto whole = Restore(own_.path() + "/whole", 4);
  ASSERT_TRUE(whole.ok()) << whole.status();
  uint64_t rows = 0;
  for (uint32_t i = 0; i < 2; ++i) {
    const auto part = Restore(StrCat(own_.path(), "/part-", i), 2, i, 2, Timeline(77));
    ASSERT_TRUE(part.ok()) << part.status();
    EXPECT_EQ(part->timeline, Timeline(77));
    EXPECT_EQ(part->lsn, whole->lsn);
    for (const RestoredShard& shard : part->shards) rows += shard.rows;
  }
  uint64_t whole_rows = 0;
  for (const RestoredShard& shard : whole->shards) whole_rows += shard.rows;
  EXPECT_EQ(rows, whole_rows);
}

TEST_F(CheckpointRestoreTest, EveryRestoreIsATimelineOfItsOwn) {
  const auto first = Restore(own_.path() + "/first", 2);
  const auto second = Restore(own_.path() + "/second", 2);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->timeline, second->timeline);
  EXPECT_NE(first->timeline, Timeline(5));  // the checkpoint's
}

// Each would draw its own.
TEST_F(CheckpointRestoreTest, SeveralServersMustBeGivenATimeline) {
  const absl::Status refused = Restore(own_.path() + "/part", 2, 0, 2).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--timeline"));
  EXPECT_FALSE(fs::exists(own_.path() + "/part"));
}

TEST_F(CheckpointRestoreTest, RefusesATargetThatIsNotEmpty) {
  fs::create_directories(own_.path() + "/full/photos");
  const auto restored = Restore(own_.path() + "/full", 1);
  EXPECT_THAT(std::string(restored.status().message()), HasSubstr("'photos'"));
}

TEST_F(CheckpointRestoreTest, ADamagedFileIsNamedAndLeavesNoDataDirectory) {
  const std::string copy = own_.path() + "/checkpoints";
  fs::copy(dir_->path() + "/checkpoints", copy, fs::copy_options::recursive);
  std::string victim;
  for (const auto& entry : fs::directory_iterator(copy + "/files")) {
    if (entry.path().filename().string().starts_with("sst-")) victim = entry.path();
  }
  ASSERT_FALSE(victim.empty());
  std::fstream(victim, std::ios::in | std::ios::out | std::ios::binary).seekp(100).put('\xa5');
  const std::string data_dir = own_.path() + "/new";
  const auto restored =
      RestoreCheckpoint({copy + "/" + ManifestName(kMark), data_dir, 2, 0, 1, Timeline(0)},
                        [](const CheckpointRestoreProgress&) {});
  EXPECT_EQ(restored.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(restored.status().message()),
              HasSubstr(fs::path(victim).filename().string()));
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.data_dir = data_dir;
  options.shards = 2;
  EXPECT_FALSE(Server::Start(options).ok());
}

TEST_F(CheckpointRestoreTest, AManifestThatIsMissingOrDamagedIsNamed) {
  const auto missing = RestoreCheckpoint(
      {"/nowhere/checkpoint-00000001.json", own_.path() + "/new", 1, 0, 1, Timeline(0)},
      [](const CheckpointRestoreProgress&) {});
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/nowhere/checkpoint-00000001"));
  const std::string path = own_.path() + "/bad.json";
  std::ofstream(path) << "{}";
  const auto damaged = RestoreCheckpoint({path, own_.path() + "/new", 1, 0, 1, Timeline(0)},
                                         [](const CheckpointRestoreProgress&) {});
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr(path));
  EXPECT_FALSE(fs::exists(own_.path() + "/new"));
}

}  // namespace
}  // namespace rowhouse

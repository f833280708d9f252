// Tables larger than the memory budget, over sockets and the real disk tier.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <map>
#include <string>

#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"
#include "tests/integration/cluster_fixture.h"
#include "worker/data/generated_ratings.h"
#include "worker/models/matrix_factorization.h"
#include "worker/training/trainer.h"

namespace rowhouse {
namespace {

constexpr uint64_t kMiB = 1ull << 20;

using TableContents = std::map<std::string, std::string>;

absl::Status Train(Client& client, const std::vector<Rating>& ratings) {
  MatrixFactorizationOptions model_options;
  model_options.dim = 8;
  model_options.lr_decay = 1e-3;
  const MatrixFactorization model(model_options, MeanRating(ratings), ratings);
  auto tables = CreateTables(client, model.Tables());
  if (!tables.ok()) return tables.status();
  TrainerOptions options;
  options.epochs = 1;
  options.prefetch_steps = 2;
  TrainingObserver observer;
  return Trainer(client, model, *tables, options, observer).Run();
}

struct Outcome {
  TableContents contents;
  uint64_t evicted = 0;
  uint64_t misses = 0;
};

Outcome TrainWithin(uint64_t memory_bytes_max, const std::vector<Rating>& ratings) {
  const TempDir dir;
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.data_dir = dir.path();
  options.shards = 2;
  options.memory_bytes_max = memory_bytes_max;
  auto server = Server::Start(options);
  EXPECT_TRUE(server.ok()) << server.status();
  Outcome outcome;
  {
    ClientOptions client_options;
    client_options.servers = (*server)->endpoints();
    auto client = Client::Connect(client_options);
    EXPECT_TRUE(client.ok()) << client.status();
    const absl::Status trained = Train(**client, ratings);
    EXPECT_TRUE(trained.ok()) << trained;
    outcome.evicted = CounterOf(**client, "rows_evicted");
    outcome.misses = CounterOf(**client, "row_misses");
  }
  EXPECT_TRUE((*server)->Stop().ok());
  server->reset();
  for (uint32_t i = 0; i < options.shards; ++i) {
    const auto disk = OpenRocksDiskTier(dir.path() + "/shard-" + std::to_string(i) + "/rows");
    EXPECT_TRUE(disk.ok()) << disk.status();
    const absl::Status status =
        (*disk)->Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
          outcome.contents.emplace(key, value);
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
  }
  return outcome;
}

TEST(MemoryBudget, TrainsToTheSameBytesAsWithoutOne) {
  GeneratorOptions generated;
  generated.ratings = 4000;
  const std::vector<Rating> ratings = GenerateRatings(generated).ratings;
  const Outcome free = TrainWithin(0, ratings);
  EXPECT_EQ(free.evicted, 0u);
  ASSERT_GT(free.contents.size(), 500u);
  const Outcome tiny = TrainWithin(48 << 10, ratings);
  EXPECT_GT(tiny.evicted, 300u);
  EXPECT_GT(tiny.misses, 300u);
  EXPECT_TRUE(tiny.contents == free.contents);
}

uint64_t ResidentBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != "VmRSS:") continue;
    uint64_t kib = 0;
    status >> kib;
    return kib << 10;
  }
  return 0;
}

// Ten times the budget is pushed, then pulled, in tables that take turns. The constant of
// docs/operations.md, and what the client in this process needs, come on top. Sanitizers keep
// shadows of memory, and freed memory too: what is resident is mostly theirs.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kResidentIsOurs = false;
#else
constexpr bool kResidentIsOurs = true;
#endif

TEST(MemoryBudget, ResidentMemoryStaysWithinItAndAConstant) {
  constexpr uint64_t kBudget = 12 * kMiB;
  constexpr uint64_t kConstant = 64 * kMiB;
  constexpr uint64_t kPageBytes = 4096;  // the last one of each table counts as far as it is used
  constexpr uint64_t kTables = 3;
  constexpr uint32_t kDim = 64;
  constexpr uint64_t kBatch = 2000;
  constexpr uint64_t kTableBatches = 10 * kBudget / (2 * kDim * sizeof(float)) / kBatch / kTables;
  const uint64_t before = ResidentBytes();
  TestCluster cluster({}, [](ServerOptions* options) {
    options->memory_bytes_max = kBudget;
    options->log.segment_bytes = 16 * kMiB;
  });
  auto client = cluster.Connect();
  std::vector<Table> tables;
  for (uint64_t i = 0; i < kTables; ++i) {
    const auto table = client->CreateTable(UniformTable("user" + std::to_string(i), kDim));
    ASSERT_TRUE(table.ok()) << table.status();
    tables.push_back(*table);
  }
  const std::vector<float> gradients(kBatch * kDim, 0.5f);
  std::vector<float> rows(kBatch * kDim);
  uint64_t highest = 0;
  const auto for_each_batch = [&](auto handle) {
    for (uint64_t batch = 0; batch < kTables * kTableBatches; ++batch) {
      std::vector<Key> keys;
      for (uint64_t i = 0; i < kBatch; ++i) keys.push_back(Key(batch * kBatch + i));
      ASSERT_TRUE(handle(tables[batch / kTableBatches], keys).ok());
      highest = std::max(highest, ResidentBytes());
    }
  };
  for_each_batch([&](const Table& table, const std::vector<Key>& keys) {
    return client->Push(Step(1), {{table, keys, gradients}}).get();
  });
  for_each_batch([&](const Table& table, const std::vector<Key>& keys) {
    return client->Pull(Step(2), {{table, keys, rows}}).get();
  });
  EXPECT_GT(CounterOf(*client, "rows_evicted"), kTables * kTableBatches * kBatch * 8 / 10);
  EXPECT_LE(CounterOf(*client, "rows_resident_bytes"), kBudget + kTables * kPageBytes);
  if (kResidentIsOurs) {
    EXPECT_LE(highest, before + kBudget + kConstant)
        << "grew by " << (highest - before) / kMiB << " MiB";
  }
  RecordProperty("grown_mib", static_cast<int>((highest - before) / kMiB));
}

}  // namespace
}  // namespace rowhouse

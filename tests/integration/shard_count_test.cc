// What a table holds after training does not depend on how many shards held it.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>

#include "ps/net/server.h"
#include "storage/rocks_disk_tier.h"
#include "storage/row_codec.h"
#include "tests/support/temp_dir.h"
#include "worker/client.h"
#include "worker/data/generated_ratings.h"
#include "worker/models/matrix_factorization.h"
#include "worker/training/trainer.h"

namespace rowhouse {
namespace {

// Weights and optimizer state by row key. LSNs differ between shard counts, so they are left out.
using TableContents = std::map<std::string, std::string>;

constexpr size_t kValueHeaderBytes = 16;  // format, generation, LSN: row_codec.h

absl::Status Train(const Server& server, const std::vector<Rating>& ratings) {
  MatrixFactorizationOptions model_options;
  model_options.dim = 8;
  model_options.lr_decay = 1e-3;
  const MatrixFactorization model(model_options, MeanRating(ratings), ratings);
  ClientOptions client_options;
  client_options.servers = server.endpoints();
  auto client = Client::Connect(client_options);
  if (!client.ok()) return client.status();
  auto tables = CreateTables(**client, model.Tables());
  if (!tables.ok()) return tables.status();
  TrainerOptions options;
  options.epochs = 3;
  options.prefetch_steps = 2;
  TrainingObserver observer;
  return Trainer(**client, model, *tables, options, observer).Run();
}

void ReadShard(const std::string& path, TableContents* contents) {
  const auto disk = OpenRocksDiskTier(path);
  ASSERT_TRUE(disk.ok()) << disk.status();
  const absl::Status status =
      (*disk)->Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
        EXPECT_TRUE(contents->emplace(key, value.substr(kValueHeaderBytes)).second);
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
}

TableContents TrainOn(uint32_t shards, const std::vector<Rating>& ratings) {
  const TempDir dir;
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.data_dir = dir.path();
  options.shards = shards;
  auto server = Server::Start(options);
  EXPECT_TRUE(server.ok()) << server.status();
  const absl::Status trained = Train(**server, ratings);
  EXPECT_TRUE(trained.ok()) << trained;
  EXPECT_TRUE((*server)->Stop().ok());
  server->reset();
  TableContents contents;
  for (uint32_t i = 0; i < shards; ++i) {
    ReadShard(dir.path() + "/shard-" + std::to_string(i) + "/rows", &contents);
  }
  return contents;
}

TEST(ShardCount, LeavesKeysWeightsAndOptimizerStateByteEqual) {
  GeneratorOptions generated;
  generated.ratings = 4000;
  const std::vector<Rating> ratings = GenerateRatings(generated).ratings;
  const TableContents one = TrainOn(1, ratings);
  ASSERT_GT(one.size(), 500u);
  for (const uint32_t shards : {2u, 3u, 5u}) {
    EXPECT_TRUE(TrainOn(shards, ratings) == one) << shards << " shards";
  }
}

}  // namespace
}  // namespace rowhouse

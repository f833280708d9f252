#include "worker/worker_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/text.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WorkerOptionsTest : public ::testing::Test {
 protected:
  absl::Status Parse(std::vector<const char*> words) {
    options_ = {};
    Settings settings;
    BindWorkerSettings(options_, settings);
    words.insert(words.begin(), "rowhouse-worker");
    const Program program = WorkerProgram("1");
    const auto parsed = settings.ParseCommandLine(words.size(), words.data(), program);
    if (!parsed.ok()) return parsed.status();
    return FinishWorkerOptions(parsed->command, options_);
  }
  std::string ErrorOf(std::vector<const char*> words) {
    return std::string(Parse(std::move(words)).message());
  }

  WorkerOptions options_;
};

TEST_F(WorkerOptionsTest, TrainsByDefaultWithTheKnownRecipe) {
  const absl::Status status = Parse({"--servers", "a:1,unix:/b", "--data", "u.data"});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(options_.client.servers, ElementsAre("a:1", "unix:/b"));
  EXPECT_EQ(options_.fold, std::nullopt);
  EXPECT_EQ(options_.model.dim, 64u);
  EXPECT_EQ(options_.model.l2, 0.12);
  EXPECT_EQ(options_.trainer.epochs, 12u);
  EXPECT_EQ(options_.trainer.schedule.batch_rows, 256u);
  EXPECT_EQ(options_.trainer.prefetch_steps, 1u);
}

TEST_F(WorkerOptionsTest, SharesSeedAndIdentity) {
  ASSERT_TRUE(Parse({"--servers", "a:1", "--data", "d", "--seed", "9", "--client-id", "77",
                     "--rank", "2", "--world", "3"})
                  .ok());
  EXPECT_EQ(options_.model.seed, 9u);
  EXPECT_EQ(options_.trainer.schedule.seed, 9u);
  EXPECT_EQ(options_.client.client, ClientId(77));
  EXPECT_THAT(options_.client.program, HasSubstr("rank 2"));
}

TEST_F(WorkerOptionsTest, OnlyTrainingOpensAClientThatPushes) {
  ASSERT_TRUE(Parse({"train", "--servers", "a:1", "--data", "d"}).ok());
  EXPECT_FALSE(options_.client.read_only);
  ASSERT_TRUE(Parse({"evaluate", "--servers", "a:1", "--data", "d", "--fold", "0"}).ok());
  EXPECT_TRUE(options_.client.read_only);
  ASSERT_TRUE(Parse({"nearest", "--servers", "a:1", "--items", "i"}).ok());
  EXPECT_TRUE(options_.client.read_only);
  ASSERT_TRUE(Parse({"stats", "--servers", "a:1"}).ok());
  EXPECT_TRUE(options_.client.read_only);
}

TEST_F(WorkerOptionsTest, TakesServersFromTheClusterFile) {
  const std::string path = StrCat(::testing::TempDir(), "/cluster.", getpid(), ".toml");
  std::ofstream(path) << "[cluster]\nservers = ['a:1', 'b:2']\n";
  EXPECT_TRUE(Parse({"stats", "--cluster", path.c_str()}).ok());
  EXPECT_THAT(options_.client.servers, ElementsAre("a:1", "b:2"));
  EXPECT_THAT(ErrorOf({"stats", "--cluster", path.c_str(), "--servers", "c:1"}),
              HasSubstr("--servers or --cluster, not both"));
  unlink(path.c_str());
}

TEST_F(WorkerOptionsTest, NamesWhatACommandLacks) {
  EXPECT_THAT(ErrorOf({"--data", "d"}), HasSubstr("train needs --servers or --cluster"));
  EXPECT_THAT(ErrorOf({"--servers", "a:1"}), HasSubstr("train needs --data"));
  EXPECT_THAT(ErrorOf({"evaluate", "--servers", "a:1", "--data", "d"}),
              HasSubstr("evaluate needs --fold"));
  EXPECT_THAT(ErrorOf({"nearest", "--servers", "a:1"}), HasSubstr("nearest needs --items"));
  EXPECT_THAT(ErrorOf({"generate"}), HasSubstr("generate needs --out"));
  EXPECT_TRUE(Parse({"generate", "--out", "d"}).ok());
}

TEST_F(WorkerOptionsTest, ChecksFlagsAgainstEachOther) {
  EXPECT_THAT(ErrorOf({"--rank", "2", "--world", "2"}), HasSubstr("--rank is 2"));
  EXPECT_THAT(ErrorOf({"--fold", "5"}), HasSubstr("--fold is 5"));
  EXPECT_THAT(ErrorOf({"--backoff-min-ms", "9", "--backoff-max-ms", "8"}),
              HasSubstr("--backoff-min-ms is 9 ms"));
}

TEST_F(WorkerOptionsTest, CheckpointsByStepsMakeTheTrainerDrain) {
  ASSERT_TRUE(Parse({"--servers", "a:1", "--data", "d", "--checkpoint-dir", "c",
                     "--checkpoint-every-steps", "100", "--checkpoint-keep", "3"})
                  .ok());
  EXPECT_EQ(options_.trainer.drain_every_steps, 100u);
  EXPECT_EQ(options_.checkpoint.keep, 3u);
  ASSERT_TRUE(Parse({"--servers", "a:1", "--data", "d", "--checkpoint-dir", "c",
                     "--checkpoint-every-ms", "1000"})
                  .ok());
  EXPECT_EQ(options_.trainer.drain_every_steps, 0u);
}

TEST_F(WorkerOptionsTest, CheckpointsNeedADirectory) {
  for (const char* flag : {"--checkpoint-every-steps", "--checkpoint-every-ms"}) {
    EXPECT_THAT(ErrorOf({"--servers", "a:1", "--data", "d", flag, "5"}),
                HasSubstr("--checkpoint-dir"));
  }
}

TEST_F(WorkerOptionsTest, ResumeNeedsToKnowWhoItIs) {
  EXPECT_THAT(ErrorOf({"--servers", "a:1", "--data", "d", "--resume"}), HasSubstr("--client-id"));
  EXPECT_THAT(ErrorOf({"--servers", "a:1", "--data", "d", "--resume", "--client-id", "3",
                       "--start-epoch", "2"}),
              HasSubstr("not both"));
  EXPECT_TRUE(Parse({"--servers", "a:1", "--data", "d", "--resume", "--client-id", "3"}).ok());
}

}  // namespace
}  // namespace rowhouse

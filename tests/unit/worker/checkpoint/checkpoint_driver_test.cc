#include "worker/checkpoint/checkpoint_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "common/refusal.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "tests/support/temp_dir.h"
#include "worker/checkpoint/checkpoint_directory.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Shards that do at once what they are told; a test changes what they say before it is sent.
class ScriptedShards : public Client {
 public:
  explicit ScriptedShards(uint32_t count) : shards(count) {}

  void AskAllShards(std::string what, Op op, ControlBody message,
                    std::function<void(ControlAnswers)> done) override {
    asked.push_back(what);
    if (what == fails)
      return done(Refuse(RefusalReason::kDisconnected, "shard 1 at b:2: connection lost"));
    if (what == keeps_quiet) return on_quiet();
    std::vector<ControlBody> answers;
    for (CheckpointStatusAnswer& shard : shards) answers.push_back(Answer(&shard, op, message));
    done(std::move(answers));
  }

  absl::StatusOr<Table> CreateTable(const TableSpec&) override { return Table{}; }
  std::future<absl::Status> Pull(Step, std::vector<PullPart>) override { return {}; }
  std::future<absl::Status> Push(Step, std::vector<PushPart>) override { return {}; }
  absl::StatusOr<std::vector<StatsAnswer>> Stats() override { return std::vector<StatsAnswer>{}; }
  uint32_t shard_count() const override { return static_cast<uint32_t>(shards.size()); }
  ClientId id() const override { return ClientId(1); }
  Timeline timeline() const override { return Timeline(77); }
  Step last_step() const override { return Step(0); }

  std::vector<CheckpointStatusAnswer> shards;
  std::vector<std::string> asked;
  std::string fails;        // the request that does
  std::string keeps_quiet;  // the request that is never answered
  std::function<void()> on_quiet = [] {};
  std::string directory;
  bool shows_files = true;  // false: the directory is another one of the same name
  // Called before each status answer.
  std::function<void(CheckpointStatusAnswer*)> before_status = [](CheckpointStatusAnswer*) {};

 private:
  ControlBody Answer(CheckpointStatusAnswer* shard, Op op, const ControlBody& message) {
    if (op == Op::kCheckpointStatus) {
      before_status(shard);
      return EncodeControl(*shard);
    }
    if (op == Op::kPrepareCheckpoint) shard->phase = CheckpointPhase::kPrepared;
    if (op == Op::kAnnounceMark) {
      shard->mark = DecodeControl<AnnounceMark>(message)->mark;
      shard->phase = CheckpointPhase::kMarked;
    }
    if (op == Op::kLeaveClient) shard->unclosed.clear();
    if (op == Op::kPublishCheckpoint) {
      directory = DecodeControl<PublishCheckpoint>(message)->directory;
      if (shows_files) std::ofstream(directory + "/files/name") << "12345";
      shard->phase = CheckpointPhase::kPublished;
    }
    if (shard->phase == CheckpointPhase::kMarked && shard->unclosed.empty()) {
      shard->phase = CheckpointPhase::kSealed;
    }
    return EncodeControl(Done{shard->mark});
  }
};

class CheckpointDriverTest : public ::testing::Test, public CheckpointObserver {
 protected:
  CheckpointDriverTest() {
    options_.directory = dir_.path() + "/checkpoints";
    options_.user_data = "epoch 3";
    options_.poll_ms = 1;
    for (uint32_t i = 0; i < shards_.shards.size(); ++i) {
      shards_.shards[i].watermark = Lsn(10 + i);
      shards_.shards[i].cut = Lsn(20 + i);
      shards_.shards[i].files.push_back({"name", "rows/1.sst", 5, 6});
    }
  }

  void Announced(Mark mark) override { announced_ = mark; }
  void Left(const UnclosedClient& client) override { left_.push_back(client.client); }

  absl::StatusOr<CheckpointManifest> Create() { return CreateCheckpoint(shards_, options_, *this); }
  std::string ErrorOfCreate() { return std::string(Create().status().message()); }
  size_t TimesAsked(const std::string& what) const {
    return static_cast<size_t>(std::count(shards_.asked.begin(), shards_.asked.end(), what));
  }
  size_t CheckpointCount() const {
    return CheckpointDirectory::Open(options_.directory)->Numbers()->size();
  }

  TempDir dir_;
  ScriptedShards shards_{3};
  CheckpointOptions options_;
  Mark announced_;
  std::vector<ClientId> left_;
};

TEST_F(CheckpointDriverTest, WritesWhatTheShardsTellIntoTheManifest) {
  const auto created = Create();
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(announced_, Mark(1));
  EXPECT_EQ(shards_.directory, options_.directory);
  const auto read = CheckpointDirectory::Open(options_.directory)->Read(Mark(1));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->timeline, Timeline(77));
  EXPECT_EQ(read->user_data, "epoch 3");
  EXPECT_EQ(read->shard_count, 3u);
  ASSERT_THAT(read->shards, SizeIs(3));
  EXPECT_EQ(read->shards[2].watermark, Lsn(12));
  EXPECT_EQ(read->shards[2].cut, Lsn(22));
  EXPECT_THAT(read->shards[2].files, SizeIs(1));
  EXPECT_GT(read->created_ms, 1'700'000'000'000u);
}

TEST_F(CheckpointDriverTest, TakesANumberAboveEveryMarkAndEveryManifest) {
  shards_.shards[1].mark = Mark(6);
  ASSERT_TRUE(Create().ok());
  EXPECT_EQ(announced_, Mark(7));
  for (CheckpointStatusAnswer& shard : shards_.shards) shard.mark = Mark(0);  // another cluster
  ASSERT_TRUE(Create().ok());
  EXPECT_EQ(announced_, Mark(8));
}

TEST_F(CheckpointDriverTest, AnnouncesOnlyWhenEveryShardIsPrepared) {
  int asked = 0;
  shards_.before_status = [&](CheckpointStatusAnswer* shard) {
    if (shard != &shards_.shards[2] || shard->phase > CheckpointPhase::kPrepared) return;
    EXPECT_EQ(TimesAsked("announce mark 1"), 0u);
    shard->phase = ++asked < 5 ? CheckpointPhase::kFlushing : CheckpointPhase::kPrepared;
  };
  ASSERT_TRUE(Create().ok());
  EXPECT_EQ(asked, 5);
}

TEST_F(CheckpointDriverTest, AbandonsAndNamesAShardThatFails) {
  shards_.before_status = [&](CheckpointStatusAnswer* shard) {
    if (shard != &shards_.shards[1] || shard->phase != CheckpointPhase::kPublished) return;
    shard->phase = CheckpointPhase::kFailed;
    shard->failure = "no space left";
  };
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("no checkpoint was made: shard 1: no space left"));
  EXPECT_EQ(shards_.asked.back(), "end checkpoint");
  EXPECT_EQ(CheckpointCount(), 0u);
}

TEST_F(CheckpointDriverTest, AbandonsWhereAShardCannotBeReached) {
  shards_.fails = "announce mark 1";
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("shard 1 at b:2: connection lost"));
  EXPECT_EQ(shards_.asked.back(), "end checkpoint");
}

TEST_F(CheckpointDriverTest, LeavesSilentClientsBehindOnEveryShard) {
  options_.leave_after_ms = 500;
  for (CheckpointStatusAnswer& shard : shards_.shards) {
    shard.unclosed.push_back({ClientId(5), Incarnation(2), 100});
  }
  shards_.before_status = [&](CheckpointStatusAnswer* shard) {
    for (UnclosedClient& client : shard->unclosed) client.silent_ms += 100;
  };
  ASSERT_TRUE(Create().ok());
  EXPECT_THAT(left_, ElementsAre(ClientId(5)));
  EXPECT_EQ(TimesAsked("leave client 5 incarnation 2 behind"), 1u);
}

TEST_F(CheckpointDriverTest, WaitsForAClientThatAnyShardHasHeardOf) {
  options_.leave_after_ms = 500;
  options_.timeout_ms = 30;
  for (uint64_t i = 0; i < 3; ++i) {
    shards_.shards[i].unclosed.push_back({ClientId(5), Incarnation(2), 499 + i});
  }
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("first for client 5 incarnation 2"));
  EXPECT_THAT(left_, ElementsAre());
}

TEST_F(CheckpointDriverTest, GivesUpWhenItIsCancelled) {
  shards_.shards[0].unclosed.push_back({ClientId(5), Incarnation(2), 0});
  options_.cancellation->Cancel();
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("cancelled"));
  EXPECT_EQ(shards_.asked.back(), "end checkpoint");
}

constexpr uint32_t kHoursMs = 10 * 3'600'000;

TEST_F(CheckpointDriverTest, IsWokenBetweenTwoQuestions) {
  shards_.shards[0].unclosed.push_back({ClientId(5), Incarnation(2), 0});
  options_.poll_ms = options_.timeout_ms = kHoursMs;
  std::promise<void> waits;
  bool told = false;
  shards_.before_status = [&](CheckpointStatusAnswer* shard) {
    if (shard->phase == CheckpointPhase::kMarked && !std::exchange(told, true)) waits.set_value();
  };
  auto error = std::async(std::launch::async, [&] { return ErrorOfCreate(); });
  waits.get_future().wait();
  options_.cancellation->Cancel();
  EXPECT_THAT(error.get(), HasSubstr("cancelled"));
}

TEST_F(CheckpointDriverTest, IsWokenWhileShardsDoNotAnswer) {
  shards_.keeps_quiet = "checkpoint status";
  std::promise<void> asked;
  shards_.on_quiet = [&] { asked.set_value(); };
  auto error = std::async(std::launch::async, [&] { return ErrorOfCreate(); });
  asked.get_future().wait();
  options_.cancellation->Cancel();
  EXPECT_THAT(error.get(), HasSubstr("cancelled"));
  EXPECT_EQ(shards_.asked.back(), "end checkpoint");
}

TEST_F(CheckpointDriverTest, ItsEndWaitsForShardsNoLongerThanItIsTold) {
  shards_.keeps_quiet = "end checkpoint";
  options_.abandon_timeout_ms = 1;
  EXPECT_TRUE(Create().ok());
}

TEST_F(CheckpointDriverTest, LeavesADirectoryAloneThatIsInUse) {
  const auto directory = CheckpointDirectory::Create(options_.directory);
  const auto lock = directory->Lock();
  EXPECT_THAT(ErrorOfCreate(), HasSubstr("LOCK"));
  EXPECT_THAT(shards_.asked, ElementsAre());
}

TEST_F(CheckpointDriverTest, NoticesThatTheServersWriteSomewhereElse) {
  shards_.shows_files = false;
  EXPECT_THAT(ErrorOfCreate(),
              ::testing::AllOf(HasSubstr("files/name"), HasSubstr("must be the same one")));
  EXPECT_EQ(CheckpointCount(), 0u);
}

// --- What all shards together say of a client that left.

CheckpointStatusAnswer Telling(const std::vector<CheckpointPart>& parts) {
  CheckpointStatusAnswer shard;
  shard.parts_of_left = parts;
  return shard;
}

CheckpointPart Part(uint64_t sequence, uint32_t count, uint64_t incarnation = 1) {
  return {ClientId(4), Incarnation(incarnation), Sequence(sequence), Step(sequence + 100), count};
}

TEST(HalfSteps, AreThoseOfWhichPartsAreMissing) {
  const std::vector<CheckpointStatusAnswer> shards = {Telling({Part(1, 2), Part(2, 3), Part(3, 1)}),
                                                      Telling({Part(1, 2), Part(2, 3)}),
                                                      Telling({Part(1, 0)})};
  const auto half = HalfStepsOf(shards);
  ASSERT_THAT(half, SizeIs(1));
  EXPECT_EQ(half[0].client, ClientId(4));
  EXPECT_EQ(half[0].sequence, Sequence(2));
  EXPECT_EQ(half[0].step, Step(102));
  EXPECT_EQ(half[0].parts_present, 2u);
  EXPECT_EQ(half[0].parts, 3u);
}

TEST(HalfSteps, BelowAFloorThatAnyShardKnowsAreDoneWith) {
  // The second shard has heard of the floor 3 and forgotten its parts below.
  const std::vector<CheckpointStatusAnswer> shards = {Telling({Part(1, 0), Part(2, 2), Part(3, 2)}),
                                                      Telling({Part(3, 0)})};
  const auto half = HalfStepsOf(shards);
  ASSERT_THAT(half, SizeIs(1));
  EXPECT_EQ(half[0].sequence, Sequence(3));
}

TEST(HalfSteps, KeepIncarnationsApart) {
  const std::vector<CheckpointStatusAnswer> shards = {Telling({Part(1, 2, 1), Part(1, 0, 2)}),
                                                      Telling({Part(1, 0, 1), Part(1, 2, 2)})};
  EXPECT_THAT(HalfStepsOf(shards), SizeIs(2));
}

TEST(HalfSteps, AreNotOfAnIncarnationThatClosedTheMarkOnAShardBeforeItWasReplaced) {
  // The second shard was sealed while the incarnation was open there still.
  const std::vector<CheckpointStatusAnswer> shards = {Telling({Part(1, 0), Part(1, 2)}),
                                                      Telling({})};
  EXPECT_THAT(HalfStepsOf(shards), SizeIs(0));
}

TEST(SilentClients, AreSilentOnEveryShardThatWaitsForThem) {
  std::vector<CheckpointStatusAnswer> shards(2);
  shards[0].unclosed = {{ClientId(1), Incarnation(1), 50}, {ClientId(2), Incarnation(1), 50}};
  shards[1].unclosed = {{ClientId(1), Incarnation(1), 49}};
  const auto silent = SilentClients(shards, 50);
  ASSERT_THAT(silent, SizeIs(1));
  EXPECT_EQ(silent[0].client, ClientId(2));
}

}  // namespace
}  // namespace rowhouse

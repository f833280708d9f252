// The shard as a state machine, on storage in memory: no socket, no thread.
#include "ps/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "common/refusal.h"
#include "common/text.h"
#include "ps/shard_storage.h"
#include "storage/initializer.h"
#include "storage/row_codec.h"
#include "tests/support/shard_driver.h"

namespace rowhouse {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TableSpec Spec(std::string name = "user", uint32_t dim = 4) {
  TableSpec spec;
  spec.name = std::move(name);
  spec.dim = dim;
  spec.seed = 5;
  spec.initializer = Initializer::Normal(0, 0.1f);
  spec.adagrad.lr = 0.1;
  spec.adagrad.lr_decay = 0.01;
  return spec;
}

std::vector<float> InitialOf(const TableSpec& spec, Key key) {
  std::vector<float> row(spec.dim);
  InitialWeights(spec.initializer, spec.seed, TableIdOf(spec.name), key, row);
  return row;
}

class ShardTest : public testing::Test {
 protected:
  explicit ShardTest(ShardDriver::Options options = {}) : driver_(std::move(options)) {}

  void SetUp() override {
    ASSERT_TRUE(driver_.Start().ok());
    driver_.Create(spec_);
    driver_.Open(ClientId(7), Incarnation(1));
  }

  TestPush PushOf(uint64_t sequence, std::vector<Key> keys, float gradient = 1) {
    TestPush push;
    push.sequence = Sequence(sequence);
    push.step = Step(sequence);
    const std::vector<float> gradients(keys.size() * spec_.dim, gradient);
    push.sections = {SectionOf(spec_, std::move(keys), gradients)};
    return push;
  }
  Reply Push(const TestPush& push) { return driver_.Send(Op::kPush, PushBody(push)); }

  // Log jobs that a push begins; none may come once its rows have changed.
  std::vector<LogJob> JobsBegunBeforeRowsChange(const TestPush& push, Effects* effects) {
    const uint64_t pushed = driver_.CounterValue("rows_pushed");
    std::vector<LogJob> begun;
    effects->begin_log = [&](const LogJob& job) {
      begun.push_back(job);
      EXPECT_EQ(driver_.CounterValue("rows_pushed"), pushed);
    };
    const ReceivedFrame frame = Request(Op::kPush, 1000, PushBody(push));
    driver_.shard().OnRequest(SessionId(1), frame, 1, effects);
    effects->begin_log = nullptr;
    EXPECT_EQ(driver_.CounterValue("rows_pushed"), pushed + push.sections[0].keys.size());
    return begun;
  }

  // Refused for `reason` with a message that holds `text`, and nothing changed.
  void ExpectRefused(const TestPush& push, RefusalReason reason, const std::string& text) {
    const uint64_t lsn = driver_.CounterValue("last_lsn");
    const uint64_t rows = driver_.CounterValue("rows");
    const Reply reply = Push(push);
    EXPECT_EQ(ReasonOf(reply.status), reason) << reply.status;
    EXPECT_THAT(std::string(reply.status.message()), HasSubstr(text));
    EXPECT_EQ(driver_.CounterValue("last_lsn"), lsn);
    EXPECT_EQ(driver_.CounterValue("rows"), rows);
  }

  TableSpec spec_ = Spec();
  ShardDriver driver_;
};

TEST_F(ShardTest, PullsInitialValuesAndCreatesNothing) {
  const auto rows = driver_.Pull(spec_, {Key(1), Key(1), Key(~0ull)});
  const auto first = InitialOf(spec_, Key(1));
  EXPECT_EQ(std::vector<float>(rows.begin(), rows.begin() + 4), first);
  EXPECT_EQ(std::vector<float>(rows.begin() + 4, rows.begin() + 8), first);
  EXPECT_EQ(std::vector<float>(rows.begin() + 8, rows.end()), InitialOf(spec_, Key(~0ull)));
  EXPECT_EQ(driver_.CounterValue("rows"), 0u);
}

TEST_F(ShardTest, APushIsSeenByTheNextPull) {
  ASSERT_TRUE(Push(PushOf(1, {Key(1)})).status.ok());
  const auto initial = InitialOf(spec_, Key(1));
  const float rate = EffectiveLearningRate(spec_.adagrad, Step(1));
  const float expected = initial[0] - (rate * 1.0f) / (std::sqrt(1.0f) + 1e-10f);
  EXPECT_EQ(driver_.Pull(spec_, {Key(1)})[0], expected);
}

TEST_F(ShardTest, AGrowingTableAsksForItsNextMemoryOnceASlab) {
  spec_ = Spec("wide", 1024);
  driver_.Create(spec_);
  constexpr uint64_t kRowsOfAPush = 64;
  const TableRows& table = *driver_.tables().all().back();
  std::vector<uint64_t> asked;  // rows at which memory was asked for
  uint64_t bytes = 0;
  for (uint64_t sequence = 1; table.resident_bytes() < uint64_t{64} << 20; ++sequence) {
    std::vector<Key> keys;
    for (uint64_t i = 0; i < kRowsOfAPush; ++i) keys.push_back(Key(sequence << 32 | i));
    ASSERT_TRUE(Push(PushOf(sequence, std::move(keys))).status.ok());
    if (driver_.memory_ahead_bytes() == bytes) continue;
    asked.push_back(table.row_count());
    bytes = driver_.memory_ahead_bytes();
  }
  ASSERT_GE(asked.size(), 2u);
  const uint64_t rows_of_a_slab = bytes / asked.size() / table.layout().stride_bytes();
  EXPECT_GE(asked.front(), 7 * rows_of_a_slab);
  EXPECT_NEAR(static_cast<double>(asked[1] - asked[0]), static_cast<double>(rows_of_a_slab),
              kRowsOfAPush);
}

TEST_F(ShardTest, ARetriedPushIsAnsweredWithItsLsnAndNotAppliedAgain) {
  const Reply first = Push(PushOf(1, {Key(1)}));
  const auto rows = driver_.Pull(spec_, {Key(1)});
  const Reply again = Push(PushOf(1, {Key(1)}));
  EXPECT_EQ(again.As<PushAnswer>().lsn, first.As<PushAnswer>().lsn);
  EXPECT_EQ(again.As<PushAnswer>().duplicate, 1u);
  EXPECT_EQ(driver_.Pull(spec_, {Key(1)}), rows);
}

TEST_F(ShardTest, TheWindowOutlivesAnOrderlyStopAndACrash) {
  const Reply first = Push(PushOf(1, {Key(1)}));
  const auto rows = driver_.Pull(spec_, {Key(1)});
  ASSERT_TRUE(driver_.Stop());
  ASSERT_TRUE(driver_.Start().ok());
  EXPECT_EQ(Push(PushOf(1, {Key(1)})).As<PushAnswer>().lsn, first.As<PushAnswer>().lsn);
  ASSERT_TRUE(Push(PushOf(2, {Key(1)})).status.ok());
  driver_.Crash();
  ASSERT_TRUE(driver_.Start().ok());
  EXPECT_EQ(Push(PushOf(2, {Key(1)})).As<PushAnswer>().duplicate, 1u);
  EXPECT_EQ(driver_.CounterValue("rows"), 1u);
}

TEST_F(ShardTest, TablesAndFencesThatWereAnsweredOutliveAPowerCut) {
  spec_.name = "other";
  spec_.durability = Durability::kMemory;
  driver_.Create(spec_);
  driver_.Open(ClientId(7), Incarnation(5));
  driver_.Crash();
  driver_.files().DropUnsynced();
  ASSERT_TRUE(driver_.Start().ok());
  const Reply known = driver_.SendControl(Op::kQueryClient, QueryClient{ClientId(7)});
  const auto answer = DecodeControl<QueryClientAnswer>(known.frame.body);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->incarnation, Incarnation(5));
  EXPECT_EQ(driver_.shard().tables().all().size(), 2u);
}

TEST_F(ShardTest, StopAndStartGiveTheSameRows) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 500; ++i) keys.push_back(Key(i * i));
  for (uint64_t s = 1; s <= 5; ++s) ASSERT_TRUE(Push(PushOf(s, keys, 0.5f)).status.ok());
  const auto rows = driver_.Pull(spec_, keys);
  ASSERT_TRUE(driver_.Stop());
  const auto disk = driver_.DiskContents();
  ASSERT_TRUE(driver_.Start().ok());
  EXPECT_EQ(driver_.Pull(spec_, keys), rows);
  ASSERT_TRUE(driver_.Stop());
  EXPECT_EQ(driver_.DiskContents(), disk);
}

TEST_F(ShardTest, ReplayOfTheLogGivesTheSameRowsAsAFlush) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 100; ++i) keys.push_back(Key(i));
  for (uint64_t s = 1; s <= 5; ++s) ASSERT_TRUE(Push(PushOf(s, keys, 0.5f)).status.ok());
  const auto rows = driver_.Pull(spec_, keys);
  driver_.Crash();
  ASSERT_TRUE(driver_.Start().ok());
  EXPECT_EQ(driver_.Pull(spec_, keys), rows);
}

TEST_F(ShardTest, RefusesAnUnknownTable) {
  TestPush push = PushOf(1, {Key(1)});
  push.sections[0].table = TableIdOf("item");
  ExpectRefused(push, RefusalReason::kUnknownTable, "create it first");
}

TEST_F(ShardTest, RefusesAWrongDimWithBothValues) {
  TestPush push = PushOf(1, {Key(1)});
  push.sections[0].dim = 2;
  push.sections[0].gradients.resize(2);
  ExpectRefused(push, RefusalReason::kWrongDim,
                "table 'user': dim is 4 on the server, 2 in this request");
}

TEST_F(ShardTest, RefusesAWrongGeneration) {
  TestPush push = PushOf(1, {Key(1)});
  push.sections[0].generation = Generation(2);
  ExpectRefused(push, RefusalReason::kWrongGeneration, "generation is 1 on the server, 2");
}

TEST_F(ShardTest, RefusesRepeatedKeysAndNamesThem) {
  ExpectRefused(PushOf(1, {Key(5), Key(9), Key(5)}), RefusalReason::kDuplicateKey,
                "table 'user': key 5 occurs twice in this push, at positions 0 and 2");
}

TEST_F(ShardTest, RefusesGradientsThatAreNotFiniteOrTooLargeAndNamesTheKey) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), 2e15f, -2e15f}) {
    TestPush push = PushOf(1, {Key(5), Key(9)});
    push.sections[0].gradients[6] = bad;
    ExpectRefused(push, RefusalReason::kBadGradient, "table 'user': key 9: gradient element 2");
  }
}

TEST_F(ShardTest, RefusesStepZero) {
  TestPush push = PushOf(1, {Key(1)});
  push.step = Step(0);
  ExpectRefused(push, RefusalReason::kBadStep, "step is 0");
}

TEST_F(ShardTest, RefusesAnEpochThatIsNotItsOwn) {
  TestPush push = PushOf(1, {Key(1)});
  push.epoch = Epoch(9);
  ExpectRefused(push, RefusalReason::kStaleEpoch, "epoch is 1 on the server, 9");
}

TEST_F(ShardTest, RefusesAFencedIncarnation) {
  driver_.Open(ClientId(7), Incarnation(2));
  ExpectRefused(PushOf(1, {Key(1)}), RefusalReason::kFenced, "replaced by 2");
}

TEST_F(ShardTest, RefusesAConflictingSpecWithBothValues) {
  TableSpec other = spec_;
  other.dim = 8;
  const Reply reply = driver_.SendControl(Op::kCreateTable, CreateTable{other});
  EXPECT_EQ(ReasonOf(reply.status), RefusalReason::kTableConflict);
  EXPECT_THAT(std::string(reply.status.message()),
              HasSubstr("dim is 4 on the server, 8 in this request"));
}

TEST_F(ShardTest, CreatingTheSameTableAgainChangesNothing) {
  const uint64_t lsn = driver_.CounterValue("last_lsn");
  driver_.Create(spec_);
  EXPECT_EQ(driver_.CounterValue("last_lsn"), lsn);
}

TEST_F(ShardTest, AnswersAPushOnlyWhenItsRecordIsWritten) {
  driver_.set_run_log_jobs(false);
  EXPECT_FALSE(Push(PushOf(1, {Key(1)})).answered);
  const uint64_t push_id = driver_.last_request_id();
  EXPECT_NE(driver_.Pull(spec_, {Key(1)}), InitialOf(spec_, Key(1)));  // applied all the same
  driver_.RunJobs();
  EXPECT_TRUE(driver_.Late(push_id).answered);
}

TEST_F(ShardTest, BeginsToWriteAPushBeforeItsRowsChange) {
  for (const Durability durability : {Durability::kLog, Durability::kFsync}) {
    TableSpec spec = Spec(StrCat("of-", static_cast<int>(durability)));
    spec.durability = durability;
    driver_.Create(spec);
    driver_.set_run_log_jobs(false);
    TestPush push;
    push.sequence = push.unretried_below = Sequence(100 + static_cast<uint64_t>(durability));
    push.sections = {SectionOf(spec, {Key(1)}, std::vector<float>(4, 1))};
    Effects effects;
    const std::vector<LogJob> begun = JobsBegunBeforeRowsChange(push, &effects);
    ASSERT_EQ(begun.size(), 1u);
    EXPECT_EQ(begun[0].records.size(), 1u);
    EXPECT_EQ(begun[0].sync, durability == Durability::kFsync);
    EXPECT_FALSE(effects.log_job.has_value());
    EXPECT_EQ(effects.answers.size(), 0u);
    Effects after;
    driver_.shard().OnLogDone(RunLogJob(begun[0], &driver_.log()), &after);
    driver_.set_run_log_jobs(true);
  }
}

// Pushes to a table of durability `memory`, whose log records may gather.
class ShardGatherTest : public ShardTest {
 protected:
  explicit ShardGatherTest(uint32_t log_delay_ms = 10) : ShardTest(WithDelay(log_delay_ms)) {
    spec_.durability = Durability::kMemory;
  }

  uint64_t PushOnce(size_t rows = 1) {
    std::vector<Key> keys;
    for (size_t i = 0; i < rows; ++i) keys.push_back(Key(i + 1));
    EXPECT_TRUE(Push(PushOf(++pushes_, std::move(keys))).answered);
    return pushes_;
  }
  bool AllWritten() { return driver_.CounterValue("log_buffered_bytes") == 0; }

 private:
  static ShardDriver::Options WithDelay(uint32_t log_delay_ms) {
    ShardDriver::Options options;
    options.limits.log_delay_ms = log_delay_ms;
    return options;
  }
  uint64_t pushes_ = 0;
};

TEST_F(ShardGatherTest, PushesAreAnsweredAtOnceAndWrittenTogetherAfterADelay) {
  PushOnce();
  const uint64_t one = driver_.CounterValue("log_buffered_bytes");
  EXPECT_GT(one, 0u);
  PushOnce();
  EXPECT_EQ(driver_.CounterValue("log_buffered_bytes"), 2 * one);
  EXPECT_TRUE(driver_.LogDelay());
  EXPECT_TRUE(AllWritten());
  EXPECT_FALSE(driver_.LogDelay()) << "no timer where nothing gathers";
  PushOnce();
  EXPECT_TRUE(driver_.LogDelay());
  EXPECT_TRUE(AllWritten());
}

// Nobody waits for the log, and the record is on its way there before a row changes.
TEST_F(ShardGatherTest, ALargePushIsWrittenAtOnce) {
  const size_t rows = (256 << 10) / (sizeof(Key) + spec_.dim * sizeof(float));
  std::vector<Key> keys;
  for (size_t i = 0; i < rows; ++i) keys.push_back(Key(i + 1));
  const TestPush push = PushOf(1, std::move(keys));
  driver_.set_run_log_jobs(false);
  Effects effects;
  const std::vector<LogJob> begun = JobsBegunBeforeRowsChange(push, &effects);
  ASSERT_EQ(begun.size(), 1u);
  EXPECT_EQ(effects.answers.size(), 1u);
  EXPECT_FALSE(effects.log_delay);
}

TEST_F(ShardGatherTest, AStopWritesWhatHasGathered) {
  const uint64_t pushes = PushOnce();
  EXPECT_TRUE(driver_.Stop());
  ASSERT_TRUE(driver_.Start().ok());
  EXPECT_EQ(Push(PushOf(pushes, {Key(1)})).As<PushAnswer>().duplicate, 1u);
}

TEST_F(ShardGatherTest, WhatHasGatheredWhenTheLogFailsIsWrittenLater) {
  PushOnce();
  driver_.files().SetDiskBytesMax(0);
  EXPECT_TRUE(driver_.LogDelay());
  EXPECT_FALSE(AllWritten());
  driver_.files().SetDiskBytesMax(1 << 30);
  driver_.Retry();
  EXPECT_TRUE(AllWritten());
}

class ShardWithoutLogDelayTest : public ShardGatherTest {
 protected:
  ShardWithoutLogDelayTest() : ShardGatherTest(0) {}
};

TEST_F(ShardWithoutLogDelayTest, EveryPushIsWrittenAtOnce) {
  PushOnce();
  EXPECT_TRUE(AllWritten());
  EXPECT_FALSE(driver_.LogDelay());
}

TEST_F(ShardTest, WhenTheLogFailsPushesAreRefusedPullsGoOnAndServiceResumes) {
  driver_.files().SetDiskBytesMax(0);
  const Reply first = Push(PushOf(1, {Key(1)}));
  EXPECT_EQ(ReasonOf(first.status), RefusalReason::kLogUnavailable);
  EXPECT_TRUE(IsRetryable(first.status));
  EXPECT_EQ(ReasonOf(Push(PushOf(2, {Key(2)})).status), RefusalReason::kLogUnavailable);
  const auto rows = driver_.Pull(spec_, {Key(1)});

  driver_.files().SetDiskBytesMax(1 << 30);
  driver_.Retry();
  const Reply again = Push(PushOf(1, {Key(1)}));
  EXPECT_TRUE(again.status.ok()) << again.status;
  EXPECT_EQ(again.As<PushAnswer>().duplicate, 1u);
  EXPECT_EQ(driver_.Pull(spec_, {Key(1)}), rows);
}

TEST_F(ShardTest, WhileTheLogFailsReadersStillFindTablesAndRefusalsSayWhy) {
  driver_.files().SetDiskBytesMax(0);
  Push(PushOf(1, {Key(1)}));
  const Reply known = driver_.SendControl(Op::kCreateTable, CreateTable{spec_});
  EXPECT_TRUE(known.answered);
  EXPECT_TRUE(known.status.ok()) << known.status;
  TableSpec other = spec_;
  other.name = "other";
  const Reply refused = driver_.SendControl(Op::kCreateTable, CreateTable{other});
  EXPECT_EQ(ReasonOf(refused.status), RefusalReason::kLogUnavailable);
  EXPECT_NE(refused.status.message().find("the disk is full"), std::string::npos) << refused.status;
}

TEST(ShardCongestion, RequestsWaitForASlowLogButNotForOneThatFails) {
  ShardDriver::Options options;
  options.limits.log_buffer_bytes_max = 100;  // less than one push
  ShardDriver driver(options);
  ASSERT_TRUE(driver.Start().ok());
  driver.Create(Spec());
  driver.Open(ClientId(7), Incarnation(1));
  TestPush push;
  push.sections = {SectionOf(Spec(), {Key(1)}, std::vector<float>(4, 1))};
  driver.set_run_log_jobs(false);
  driver.Send(Op::kPush, PushBody(push));
  EXPECT_TRUE(driver.shard().congested());
  driver.files().SetDiskBytesMax(0);
  driver.RunJobs();
  EXPECT_FALSE(driver.shard().congested());
}

TEST_F(ShardTest, RefusesEverythingWhileStopping) {
  Effects effects;
  driver_.shard().OnStop(&effects);
  EXPECT_EQ(ReasonOf(Push(PushOf(1, {Key(1)})).status), RefusalReason::kStopping);
}

TEST_F(ShardTest, CountsTheLongestEventOfEachKind) {
  for (const uint64_t micros : {30u, 900u, 70u}) {
    driver_.shard().NoteEventTime(EventKind::kFlushStep, micros);
  }
  driver_.shard().NoteEventTime(EventKind::kRequest, 5);
  EXPECT_EQ(driver_.CounterValue("longest_flush_step_us"), 900u);
  EXPECT_EQ(driver_.CounterValue("longest_request_us"), 5u);
}

TEST(ShardFlush, ABackgroundFlushTrimsTheLogAndLosesNothing) {
  ShardDriver::Options options;
  options.limits.flush_log_bytes = 1 << 14;
  options.limits.flush_log_ratio = 0;
  options.limits.flush_step_rows = 7;
  options.limits.flush_file_rows = 50;
  ShardDriver driver(options);
  ASSERT_TRUE(driver.Start().ok());
  const TableSpec spec = Spec();
  driver.Create(spec);
  driver.Open(ClientId(7), Incarnation(1));
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 200; ++i) keys.push_back(Key(i));
  for (uint64_t s = 1; s <= 20; ++s) {
    TestPush push;
    push.sequence = push.unretried_below = Sequence(s);
    push.sections = {SectionOf(spec, keys, std::vector<float>(keys.size() * 4, 0.25f))};
    ASSERT_TRUE(driver.Send(Op::kPush, PushBody(push)).status.ok());
  }
  EXPECT_GT(driver.CounterValue("flushes"), 2u);
  EXPECT_GT(driver.CounterValue("watermark"), 10u);
  const auto rows = driver.Pull(spec, keys);
  driver.Crash();
  ASSERT_TRUE(driver.Start().ok());
  EXPECT_EQ(driver.Pull(spec, keys), rows);
}

// Pushes of 200 rows, over and over, until a flush has come, or 100 of them.
uint64_t PushesUntilAFlush(const ShardLimits& limits) {
  ShardDriver::Options options;
  options.limits = limits;
  ShardDriver driver(options);
  EXPECT_TRUE(driver.Start().ok());
  const TableSpec spec = Spec();
  driver.Create(spec);
  driver.Open(ClientId(7), Incarnation(1));
  std::vector<Key> keys;
  for (uint64_t i = 0; i < 200; ++i) keys.push_back(Key(i));
  for (uint64_t s = 1; s <= 100; ++s) {
    TestPush push;
    push.sequence = push.unretried_below = Sequence(s);
    push.sections = {SectionOf(spec, keys, std::vector<float>(keys.size() * 4, 0.25f))};
    EXPECT_TRUE(driver.Send(Op::kPush, PushBody(push)).status.ok());
    if (driver.CounterValue("flushes") > 0) return s;
  }
  return 101;
}

TEST(ShardFlush, WaitsUntilTheLogOutweighsTheChangedRows) {
  ShardLimits limits;
  limits.flush_log_bytes = 1000;
  limits.flush_log_ratio = 0;
  EXPECT_EQ(PushesUntilAFlush(limits), 1u);
  // A push of 200 rows of dim 4 has 200 * 24 bytes and a little more; the rows have 200 * 56.
  limits.flush_log_ratio = 4;
  const uint64_t pushes = PushesUntilAFlush(limits);
  EXPECT_GE(pushes, 8u);
  EXPECT_LE(pushes, 11u);
  limits.flush_log_bytes_max = 3 * 200 * 24;
  EXPECT_LE(PushesUntilAFlush(limits), 4u);
}

TEST(ShardFlush, UsesALullFromFlushLogBytesOn) {
  ShardDriver::Options options;
  options.limits.flush_log_bytes = 3 * 24;
  options.limits.flush_log_ratio = 1000;
  ShardDriver driver(options);
  ASSERT_TRUE(driver.Start().ok());
  driver.Create(Spec());
  driver.Open(ClientId(7), Incarnation(1));
  const auto push = [&](uint64_t sequence) {
    TestPush body;
    body.sequence = body.unretried_below = Sequence(sequence);
    body.sections = {SectionOf(Spec(), {Key(1), Key(2)}, std::vector<float>(8, 0.25f))};
    ASSERT_TRUE(driver.Send(Op::kPush, PushBody(body)).status.ok());
  };
  push(1);
  const uint64_t before = driver.CounterValue("flushes");  // without changed rows any log outweighs
  push(2);
  push(3);
  ASSERT_TRUE(driver.Lull());  // asked for by an earlier one: the last came meanwhile
  EXPECT_EQ(driver.CounterValue("flushes"), before);
  ASSERT_TRUE(driver.Lull());
  EXPECT_EQ(driver.CounterValue("flushes"), before + 1);
  EXPECT_EQ(driver.CounterValue("watermark"), driver.CounterValue("last_lsn"));
  EXPECT_FALSE(driver.Lull());  // nothing is left to do
}

TEST(ShardFlush, LeavesALullAloneWhereItIsToldTo) {
  ShardDriver::Options options;
  options.limits.flush_log_bytes = 1;
  options.limits.flush_log_ratio = 1000;
  options.limits.flush_lull_ms = 0;
  ShardDriver driver(options);
  ASSERT_TRUE(driver.Start().ok());
  driver.Create(Spec());
  EXPECT_FALSE(driver.Lull());
}

// A flush that trims after every push, with a segment for each.
class ShardTrimTest : public ShardTest {
 protected:
  ShardTrimTest() : ShardTest(SmallSegments()) {}

 private:
  static ShardDriver::Options SmallSegments() {
    ShardDriver::Options options;
    options.limits.flush_log_bytes = 1;
    options.limits.flush_log_ratio = 0;
    options.log.segment_bytes = 1;
    return options;
  }
};

TEST_F(ShardTrimTest, ASegmentThatCannotBeUnlinkedIsTriedAgainAndPushesGoOn) {
  driver_.files().FailRemoves(true);
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
    ASSERT_TRUE(Push(PushOf(sequence, {Key(1)})).status.ok());
  }
  const uint64_t bytes = driver_.CounterValue("log_bytes");
  driver_.files().FailRemoves(false);
  driver_.Retry();
  EXPECT_LT(driver_.CounterValue("log_bytes"), bytes);
}

// Rows, then a push that only the bookkeeping knows of: clients are written as they are by then.
TEST_F(ShardTrimTest, DamageBetweenTheRowsAndTheBookkeepingStopsTheStart) {
  driver_.set_run_log_jobs(false);
  Push(PushOf(1, {Key(1)}));
  const auto rows_are_written = [this] {
    const auto contents = driver_.DiskContents();
    return !contents.empty() && contents.begin()->first < MetaBegin();
  };
  while (!rows_are_written()) ASSERT_TRUE(driver_.RunOneJob());
  const uint64_t last_lsn = driver_.CounterValue("last_lsn");
  Push(PushOf(2, {Key(1)}));
  const std::string watermark(reinterpret_cast<const char*>(&last_lsn), sizeof(last_lsn));
  while (driver_.DiskContents()[MetaKey("watermark")] != watermark) {
    ASSERT_TRUE(driver_.RunOneJob());
  }
  driver_.Crash();

  const std::string tail = driver_.files().List()->back();
  driver_.files().Contents(tail).back() ^= std::byte{1};
  const absl::Status status = driver_.Start();
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(tail), HasSubstr(StrCat("Everything up to LSN ", last_lsn + 1))));
}

TEST(ShardOwnership, RefusesKeysOfAnotherShard) {
  ShardDriver::Options options;
  options.identity.shard_count = 2;
  ShardDriver driver(options);
  ASSERT_TRUE(driver.Start().ok());
  const TableSpec spec = Spec();
  driver.Create(spec);
  Key foreign(0);
  while (SlotMap(2).ShardOf(TableIdOf(spec.name), foreign) == ShardId(0)) {
    foreign = Key(foreign.value() + 1);
  }
  const TestSection section = SectionOf(spec, {foreign});
  const Reply reply = driver.Send(Op::kPull, PullBody({&section, 1}));
  EXPECT_EQ(ReasonOf(reply.status), RefusalReason::kWrongShard);
  EXPECT_THAT(std::string(reply.status.message()), HasSubstr("belongs to shard 1"));
}

}  // namespace
}  // namespace rowhouse

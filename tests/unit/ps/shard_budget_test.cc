// A shard whose memory budget is far smaller than its table, on storage in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "common/refusal.h"
#include "common/wire/checkpoint.h"
#include "storage/row_codec.h"
#include "tests/support/forwarding_disk_tier.h"
#include "tests/support/shard_driver.h"

namespace rowhouse {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kDim = 4;
constexpr uint64_t kRowBytes = 24 + 2 * kDim * 4;
constexpr uint64_t kTableRows = 4000;
constexpr uint64_t kBudget = kTableRows * kRowBytes / 10;

TableSpec Spec(std::string name = "user") {
  TableSpec spec;
  spec.name = std::move(name);
  spec.dim = kDim;
  spec.seed = 5;
  spec.initializer = Initializer::Normal(0, 0.1f);
  spec.adagrad.lr = 0.1;
  spec.adagrad.lr_decay = 0.01;
  return spec;
}

ShardDriver::Options Tiny(uint64_t budget = kBudget) {
  ShardDriver::Options options;
  options.limits.memory_bytes_max = budget;
  options.limits.flush_step_rows = 50;
  options.limits.flush_file_rows = 64;
  options.limits.evict_step_rows = 128;
  options.limits.read_job_keys = 16;
  return options;
}

std::vector<Key> KeysFrom(uint64_t first, uint64_t count) {
  std::vector<Key> keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(Key((first + i) * 7919));
  return keys;
}

void Ready(ShardDriver& driver) {
  ASSERT_TRUE(driver.Start().ok());
  driver.Create(Spec());
  driver.Open(ClientId(7), Incarnation(1));
}

std::vector<std::byte> PushOf(uint64_t sequence, std::vector<Key> keys, float gradient = 1) {
  TestPush push;
  push.sequence = push.unretried_below = Sequence(sequence);
  push.step = Step(sequence);
  const std::vector<float> gradients(keys.size() * kDim, gradient);
  push.sections = {SectionOf(Spec(), std::move(keys), gradients)};
  return PushBody(push);
}

std::vector<std::byte> PullOf(std::vector<Key> keys) {
  const TestSection section = SectionOf(Spec(), std::move(keys));
  return PullBody({&section, 1});
}

// Every row once, in pushes of 100.
void Fill(ShardDriver& driver, uint64_t first_sequence = 1) {
  for (uint64_t i = 0; i < kTableRows / 100; ++i) {
    const Reply reply =
        driver.Send(Op::kPush, PushOf(first_sequence + i, KeysFrom(i * 100, 100), 0.5f));
    ASSERT_TRUE(reply.answered && reply.status.ok()) << i << " " << reply.status;
  }
}

uint64_t UsedBytes(ShardDriver& driver) {
  uint64_t bytes = 0;
  for (const auto& table : driver.shard().tables().all()) bytes += table->used_bytes();
  return bytes;
}

bool IsResident(ShardDriver& driver, Key key) {
  std::byte* row = nullptr;
  driver.shard().tables().all()[0]->Find({&key, 1}, {&row, 1});
  return row != nullptr;
}

// A key whose row is on disk only.
Key Evicted(ShardDriver& driver, uint64_t skip = 0) {
  for (const Key key : KeysFrom(0, kTableRows)) {
    if (!IsResident(driver, key) && skip-- == 0) return key;
  }
  ADD_FAILURE() << "everything is in memory";
  return Key(0);
}

// Writes everything out, then pulls all others until `key` has had to leave memory.
void Evict(ShardDriver& driver, Key key) {
  ASSERT_TRUE(driver.Stop());
  ASSERT_TRUE(driver.Start().ok());
  for (int round = 0; round < 10 && IsResident(driver, key); ++round) {
    for (uint64_t i = 0; i < kTableRows; i += 50) {
      std::vector<Key> keys = KeysFrom(i, 50);
      std::erase(keys, key);
      driver.Pull(Spec(), keys);
    }
  }
  ASSERT_FALSE(IsResident(driver, key));
}

std::vector<float> PullAll(ShardDriver& driver) {
  std::vector<float> all;
  for (uint64_t i = 0; i < kTableRows; i += 50) {
    const auto rows = driver.Pull(Spec(), KeysFrom(i, 50));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

TEST(ShardBudget, WithoutOneNothingIsEverReadOrEvicted) {
  ShardDriver driver;
  Ready(driver);
  Fill(driver);
  EXPECT_EQ(driver.CounterValue("rows"), kTableRows);
  EXPECT_EQ(driver.CounterValue("row_misses"), 0u);
  EXPECT_EQ(driver.CounterValue("rows_evicted"), 0u);
}

TEST(ShardBudget, MemoryStaysBelowItWhileATableOfTenTimesItIsPushed) {
  ShardDriver driver(Tiny());
  Ready(driver);
  for (uint64_t i = 0; i < kTableRows / 20; ++i) {
    ASSERT_TRUE(driver.Send(Op::kPush, PushOf(1 + i, KeysFrom(i * 20, 20))).status.ok());
    ASSERT_LE(UsedBytes(driver), kBudget) << i;
  }
  EXPECT_GT(driver.CounterValue("rows_evicted"), kTableRows * 8 / 10);
  EXPECT_LE(driver.CounterValue("rows_resident_bytes"), kBudget + (64 << 10));
}

TEST(ShardBudget, TheDisksIndexesTakeTheirPartOfIt) {
  ShardDriver driver(Tiny());
  Ready(driver);
  Fill(driver);
  PullAll(driver);
  EXPECT_GT(UsedBytes(driver), kBudget / 2);
  driver.shard().NoteDiskMemory(kBudget / 2);
  PullAll(driver);
  EXPECT_LE(UsedBytes(driver), kBudget / 2);
  driver.shard().NoteDiskMemory(100 * kBudget);  // rows keep their half
  PullAll(driver);
  EXPECT_GT(UsedBytes(driver), kBudget / 6);
  EXPECT_EQ(driver.CounterValue("disk_memory_bytes"), 100 * kBudget);
}

TEST(ShardBudget, RandomPushesAndPullsAreBitEqualToAShardWithoutOne) {
  ShardDriver tiny(Tiny());
  ShardDriver large;
  Ready(tiny);
  Ready(large);
  std::mt19937_64 random(20261124);
  for (uint64_t i = 1; i <= 1500; ++i) {
    std::vector<Key> keys;
    for (uint64_t n = 1 + random() % 60; n > 0; --n) {
      // Some often, all of them at some time.
      keys.push_back(Key(random() % (random() % 2 == 0 ? kTableRows / 20 : kTableRows)));
    }
    if (random() % 2 == 0) {
      ASSERT_EQ(tiny.Pull(Spec(), keys), large.Pull(Spec(), keys)) << i;
      continue;
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    const auto body = PushOf(i, keys, static_cast<float>(random() % 1000) / 500 - 1);
    ASSERT_TRUE(tiny.Send(Op::kPush, body).status.ok()) << i;
    ASSERT_TRUE(large.Send(Op::kPush, body).status.ok()) << i;
  }
  EXPECT_GT(tiny.CounterValue("row_misses"), 10000u);
  EXPECT_GT(tiny.CounterValue("rows_evicted"), 10000u);
  EXPECT_EQ(PullAll(tiny), PullAll(large));
  ASSERT_TRUE(tiny.Stop());
  ASSERT_TRUE(large.Stop());
  auto contents = tiny.DiskContents();
  auto expected = large.DiskContents();
  for (auto* disk : {&contents, &expected}) disk->erase(MetaKey(kRowsLsnName));
  EXPECT_EQ(contents, expected);
}

// Tables far wider than a slab, each pushed all over, then never again: what the first ones took is
// there for the next. What slabs and index hold is the whole of it.
void TrainInTurn(int tables, int rounds) {
  constexpr uint32_t kWideDim = 64;
  constexpr uint64_t kWideBudget = 20ull << 20;
  constexpr uint64_t kPageBytes = 4096;  // the last one of each table counts as far as it is used
  constexpr uint64_t kRowsOfPush = 500;
  constexpr uint64_t kRowsOfTable = 50'000;  // 26 MiB
  ShardDriver::Options options;
  options.limits.memory_bytes_max = kWideBudget;
  ShardDriver driver(options);
  ASSERT_TRUE(driver.Start().ok());
  driver.Open(ClientId(7), Incarnation(1));
  uint64_t sequence = 0;
  uint64_t most = 0;
  const auto check = [&](std::string_view what) {
    ASSERT_LE(UsedBytes(driver), kWideBudget) << what;
    const uint64_t held = driver.CounterValue("rows_resident_bytes");
    ASSERT_LE(held, kWideBudget + static_cast<uint64_t>(tables) * kPageBytes) << what;
    most = std::max(most, held);
  };
  for (int turn = 0; turn < rounds * tables; ++turn) {
    TableSpec spec = Spec("table-" + std::to_string(turn % tables));
    spec.dim = kWideDim;
    if (turn < tables) driver.Create(spec);
    for (uint64_t first = 0; first < kRowsOfTable; first += kRowsOfPush) {
      TestPush push;
      push.sequence = push.unretried_below = Sequence(++sequence);
      push.step = Step(sequence);
      push.sections = {SectionOf(spec, KeysFrom(first, kRowsOfPush),
                                 std::vector<float>(kRowsOfPush * kWideDim, 0.5f))};
      ASSERT_TRUE(driver.Send(Op::kPush, PushBody(push)).status.ok());
      check(spec.name);
    }
    EXPECT_GT(driver.shard().tables().all()[turn % tables]->used_bytes(), kWideBudget / 2)
        << "the table that is trained has most of the budget";
  }
  EXPECT_GT(most, kWideBudget * 8 / 10);
}

TEST(ShardBudget, TwoTablesTrainedInTurnStayWithinIt) { TrainInTurn(2, 2); }

TEST(ShardBudget, ThreeTablesTrainedInTurnStayWithinIt) { TrainInTurn(3, 1); }

class FullShard : public testing::Test {
 protected:
  void SetUp() override {
    Ready(driver_);
    Fill(driver_);
    ASSERT_TRUE(large_.Start().ok());
    large_.Create(Spec());
    large_.Open(ClientId(7), Incarnation(1));
    Fill(large_);
  }
  uint64_t Send(SessionId session, Op op, std::vector<std::byte> body) {
    driver_.SendOn(session, op, body);
    return driver_.last_request_id();
  }
  void Hold() { driver_.set_run_read_jobs(false); }
  void Release() {
    driver_.set_run_read_jobs(true);
    driver_.RunJobs();
  }
  std::vector<float> Expected(Key key) { return large_.Pull(Spec(), {key}); }

  const SessionId one_{1};
  const SessionId two_{2};
  ShardDriver driver_{Tiny()};
  ShardDriver large_;
};

TEST_F(FullShard, RequestsOfOneSessionTakeEffectInTheOrderSentWhileTheirLoadsOverlap) {
  const Key a = Evicted(driver_, 0), b = Evicted(driver_, 900);
  Hold();
  const uint64_t pull = Send(one_, Op::kPull, PullOf({a}));
  const uint64_t push = Send(one_, Op::kPush, PushOf(100, {b}));
  const uint64_t after = Send(one_, Op::kPull, PullOf({b}));
  EXPECT_EQ(driver_.held_read_jobs(), 2u);
  EXPECT_EQ(driver_.CounterValue("waiting_requests"), 3u);
  driver_.RunLastReadJob();  // the push could be done now, were it not for the pull
  EXPECT_FALSE(driver_.Late(push).answered);
  Release();
  const auto& answered = driver_.answered();
  EXPECT_EQ(std::vector<uint64_t>(answered.end() - 3, answered.end()),
            (std::vector<uint64_t>{pull, after, push}))
      << "the push is answered when its record is written";
  EXPECT_EQ(driver_.Late(pull).Rows(), Expected(a));
  large_.Send(Op::kPush, PushOf(100, {b}));
  EXPECT_EQ(driver_.Late(after).Rows(), Expected(b));
  EXPECT_EQ(driver_.CounterValue("waiting_requests"), 0u);
}

TEST_F(FullShard, OtherSessionsGoOnMeanwhile) {
  const Key a = Evicted(driver_);
  Hold();
  const uint64_t waits = Send(one_, Op::kPull, PullOf({a}));
  const Key resident = KeysFrom(kTableRows - 1, 1)[0];
  ASSERT_TRUE(IsResident(driver_, resident));
  EXPECT_TRUE(driver_.SendOn(two_, Op::kPull, PullOf({resident})).answered);
  EXPECT_FALSE(driver_.Late(waits).answered);
}

TEST_F(FullShard, ControlRequestsKeepTheirPlaceInTheSession) {
  const Key a = Evicted(driver_);
  Hold();
  const uint64_t pull = Send(one_, Op::kPull, PullOf({a}));
  const uint64_t create = Send(one_, Op::kCreateTable, EncodeControl(CreateTable{Spec("later")}));
  TestSection section = SectionOf(Spec("later"), {Key(1)});
  const uint64_t of_new = Send(one_, Op::kPull, PullBody({&section, 1}));
  EXPECT_FALSE(driver_.Late(create).answered);
  Release();
  EXPECT_TRUE(driver_.Late(pull).status.ok());
  EXPECT_TRUE(driver_.Late(create).status.ok());
  EXPECT_TRUE(driver_.Late(of_new).answered);
  EXPECT_TRUE(driver_.Late(of_new).status.ok()) << driver_.Late(of_new).status;
}

// Else a client whose reads take long would be taken for gone.
TEST_F(FullShard, ARenewalDoesNotWaitForRows) {
  const Key a = Evicted(driver_);
  Hold();
  const uint64_t pull = Send(one_, Op::kPull, PullOf({a}));
  const Reply renewed =
      driver_.SendControl(Op::kRenewClient, RenewClient{ClientId(7), Incarnation(1)});
  EXPECT_FALSE(driver_.Late(pull).answered);
  EXPECT_TRUE(renewed.answered);
  EXPECT_TRUE(renewed.status.ok()) << renewed.status;
}

TEST_F(FullShard, AReadHeldBackBringsNoStaleRow) {
  const Key a = Evicted(driver_);
  Hold();
  const uint64_t early = Send(one_, Op::kPull, PullOf({a}));
  ASSERT_EQ(driver_.held_read_jobs(), 1u);
  // A push of the same row joins the read: the row cannot be loaded, changed, flushed and evicted
  // behind the read's back.
  const uint64_t push = Send(two_, Op::kPush, PushOf(100, {a}));
  EXPECT_EQ(driver_.held_read_jobs(), 1u);
  for (uint64_t i = 0; i < 30; ++i) {
    const auto resident = KeysFrom(kTableRows - 1, 1);
    driver_.SendOn(SessionId(3), Op::kPush, PushOf(101 + i, resident));
    large_.Send(Op::kPush, PushOf(101 + i, resident));
  }
  EXPECT_FALSE(driver_.Late(push).answered);
  Release();
  EXPECT_EQ(driver_.Late(early).Rows(), Expected(a));
  EXPECT_EQ(ReasonOf(driver_.Late(push).status), RefusalReason::kBelowWindow)
      << "later pushes have given its number up meanwhile";
  const uint64_t again = Send(two_, Op::kPush, PushOf(200, {a}));
  EXPECT_TRUE(driver_.Late(again).status.ok());
  large_.Send(Op::kPush, PushOf(200, {a}));
  Evict(driver_, a);
  EXPECT_EQ(driver_.Pull(Spec(), {a}), Expected(a));
}

TEST_F(FullShard, ARetriedPushNeedsNoLoads) {
  const Key a = Evicted(driver_);
  const auto body = PushOf(100, {a});
  const uint64_t push = Send(one_, Op::kPush, body);
  const Lsn lsn = driver_.Late(push).As<PushAnswer>().lsn;
  Evict(driver_, a);
  Hold();
  const Reply again = driver_.SendOn(one_, Op::kPush, body);
  ASSERT_TRUE(again.answered);
  EXPECT_EQ(again.As<PushAnswer>().lsn, lsn);
  EXPECT_EQ(again.As<PushAnswer>().duplicate, 1u);
}

TEST_F(FullShard, ThePushAndItsRetryBehindItAreAppliedOnce) {
  const Key a = Evicted(driver_);
  Hold();
  const auto body = PushOf(100, {a});
  const uint64_t first = Send(one_, Op::kPush, body);
  const uint64_t second = Send(two_, Op::kPush, body);
  Release();
  EXPECT_EQ(driver_.Late(first).As<PushAnswer>().duplicate, 0u);
  EXPECT_EQ(driver_.Late(second).As<PushAnswer>().duplicate, 1u);
  large_.Send(Op::kPush, body);
  EXPECT_EQ(driver_.Pull(Spec(), {a}), Expected(a));
}

TEST_F(FullShard, WhatIsWrongIsRefusedBeforeAnythingIsRead) {
  const Key a = Evicted(driver_);
  Hold();
  TestPush push;
  push.sequence = push.unretried_below = Sequence(100);
  push.sections = {SectionOf(Spec(), {a, a}, std::vector<float>(2 * kDim, 1))};
  EXPECT_EQ(ReasonOf(driver_.Send(Op::kPush, PushBody(push)).status), RefusalReason::kDuplicateKey);
  EXPECT_EQ(driver_.held_read_jobs(), 0u);
}

TEST_F(FullShard, AFailedReadRefusesThoseWhoWaitAndLosesNothing) {
  const Key a = Evicted(driver_);
  Hold();
  const uint64_t push = Send(one_, Op::kPush, PushOf(100, {a}));
  const uint64_t behind = Send(one_, Op::kPush, PushOf(101, KeysFrom(kTableRows - 1, 1)));
  const uint64_t other = Send(two_, Op::kPull, PullOf({a}));
  const uint64_t lsn = driver_.CounterValue("last_lsn");
  driver_.FailReads(absl::UnavailableError("disk tier: cannot read rows: I/O error"));
  Release();
  for (const uint64_t id : {push, behind, other}) {
    EXPECT_TRUE(IsRetryable(driver_.Late(id).status)) << driver_.Late(id).status;
    EXPECT_THAT(std::string(driver_.Late(id).status.message()), HasSubstr("I/O error"));
  }
  EXPECT_EQ(driver_.CounterValue("last_lsn"), lsn);
  EXPECT_EQ(driver_.CounterValue("waiting_requests"), 0u);
  const Key resident = KeysFrom(kTableRows - 1, 1)[0];
  EXPECT_EQ(driver_.Pull(Spec(), {resident}), Expected(resident));

  driver_.FailReads(absl::OkStatus());
  EXPECT_EQ(driver_.Pull(Spec(), {a}), Expected(a));
  EXPECT_TRUE(driver_.Send(Op::kPush, PushOf(100, {a})).status.ok());
}

TEST_F(FullShard, AClosedSessionLeavesNothingWaitingOrPinned) {
  const Key a = Evicted(driver_, 0), b = Evicted(driver_, 500);
  Hold();
  Send(one_, Op::kPush, PushOf(100, {a}));
  Send(one_, Op::kPush, PushOf(101, {b}));
  const uint64_t lsn = driver_.CounterValue("last_lsn");
  driver_.CloseSession(one_);
  EXPECT_EQ(driver_.CounterValue("waiting_requests"), 0u);
  Release();
  EXPECT_EQ(driver_.CounterValue("last_lsn"), lsn);
  EXPECT_EQ(PullAll(driver_), PullAll(large_));
  EXPECT_LE(UsedBytes(driver_), kBudget);
}

TEST_F(FullShard, MoreWaitingRequestsThanMayBePinnedAreAllDone) {
  Hold();
  std::vector<uint64_t> pulls;
  for (uint64_t i = 0; i < 60; ++i) {
    pulls.push_back(Send(SessionId(10 + i % 7), Op::kPull, PullOf(KeysFrom(i * 50, 50))));
  }
  Release();
  for (uint64_t i = 0; i < pulls.size(); ++i) {
    ASSERT_EQ(driver_.Late(pulls[i]).Rows(), large_.Pull(Spec(), KeysFrom(i * 50, 50))) << i;
  }
  EXPECT_LE(UsedBytes(driver_), kBudget);
}

TEST_F(FullShard, ARequestOfMoreRowsThanTheBudgetHoldsIsServedAllTheSame) {
  EXPECT_EQ(driver_.Pull(Spec(), KeysFrom(0, kTableRows)),
            large_.Pull(Spec(), KeysFrom(0, kTableRows)));
  EXPECT_LE(UsedBytes(driver_), 2 * kBudget) << "what the index grew to stays";
  EXPECT_FALSE(driver_.shard().congested());
  EXPECT_EQ(PullAll(driver_), PullAll(large_));
}

TEST_F(FullShard, RestartsUnderTheBudgetAndAfterACrash) {
  for (const bool crash : {false, true}) {
    const auto body = PushOf(crash ? 101 : 100, KeysFrom(crash ? 20 : 1000, 300), 0.25f);
    ASSERT_TRUE(driver_.Send(Op::kPush, body).status.ok());
    ASSERT_TRUE(large_.Send(Op::kPush, body).status.ok());
    if (crash) {
      driver_.Crash();
    } else {
      ASSERT_TRUE(driver_.Stop());
    }
    RestoreOptions options;
    options.threads = crash ? 2 : 0;
    ASSERT_TRUE(driver_.Start(options).ok());
    EXPECT_LE(UsedBytes(driver_), kBudget);
    EXPECT_GT(driver_.CounterValue("rows"), 100u);
    EXPECT_EQ(PullAll(driver_), PullAll(large_)) << crash;
  }
}

// The log holds far more rows than the budget does: changed rows go to disk during the replay.
TEST(ShardBudget, ReplayOverTheBudgetFlushesAndGivesTheSameRows) {
  ShardDriver driver;  // no budget at first, so that all of it is in the log
  ShardDriver large;
  Ready(driver);
  Ready(large);
  for (uint64_t round = 0; round < 3; ++round) {
    Fill(driver, 1 + 100 * round);
    Fill(large, 1 + 100 * round);
  }
  driver.Crash();
  driver.set_limits(Tiny().limits);
  ASSERT_TRUE(driver.Start().ok());
  EXPECT_LE(UsedBytes(driver), kBudget);
  EXPECT_GT(driver.CounterValue("watermark"), 0u);
  driver.Crash();  // what the replay flushed is a start like any other
  ASSERT_TRUE(driver.Start().ok());
  EXPECT_EQ(PullAll(driver), PullAll(large));
  EXPECT_EQ(
      driver.Send(Op::kPush, PushOf(240, KeysFrom(3900, 100), 0.5f)).As<PushAnswer>().duplicate,
      1u);
}

// The power goes at the second file that is written.
class LastFile final : public ForwardingDiskTier {
 public:
  LastFile(DiskTier* tier, MemoryLogFiles* log) : ForwardingDiskTier(tier), log_(log) {}

  using DiskTier::Ingest;
  absl::Status Ingest(std::span<const DiskEntryView> entries) override {
    if (++files_ < 2) return tier().Ingest(entries);
    log_->DropUnsynced();
    return absl::UnavailableError("the power is off");
  }

 private:
  MemoryLogFiles* const log_;
  int files_ = 0;
};

// Even where the life before saw a sync of the log fail: the next one that succeeds proves nothing.
TEST(ShardBudget, AReplayPutsTheLogOnTheDiskBeforeItsRows) {
  const std::unique_ptr<DiskTier> rows = MakeMemoryDiskTier();
  ShardDriver driver;
  driver.set_disk(std::make_unique<ForwardingDiskTier>(rows.get()));
  Ready(driver);
  Fill(driver);
  const uint64_t last_lsn = driver.CounterValue("last_lsn");
  driver.files().FailSyncs(true);
  driver.SendControl(Op::kOpenClient, OpenClient{ClientId(8), Incarnation(1), Mark(0)});
  driver.files().FailSyncs(false);
  driver.Crash();

  driver.set_limits(Tiny().limits);
  driver.set_disk(std::make_unique<LastFile>(rows.get(), &driver.files()));
  EXPECT_THAT(std::string(driver.Start().message()), HasSubstr("the power is off"));
  driver.Crash();
  driver.set_disk(std::make_unique<ForwardingDiskTier>(rows.get()));
  const absl::Status status = driver.Start();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_GE(driver.CounterValue("last_lsn"), last_lsn);
}

TEST(ShardBudget, WhenRowsCannotBeWrittenPushesAreRefusedAndPullsGoOn) {
  ShardDriver driver(Tiny());
  Ready(driver);
  driver.FailFiles(absl::ResourceExhaustedError("No space left on device"));
  Reply refused;
  for (uint64_t i = 0; i < kTableRows / 20 && refused.status.ok(); ++i) {
    refused = driver.Send(Op::kPush, PushOf(1 + i, KeysFrom(i * 20, 20)));
  }
  EXPECT_TRUE(IsRetryable(refused.status)) << refused.status;
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("No space left on device"));
  EXPECT_FALSE(driver.shard().congested());
  EXPECT_LE(UsedBytes(driver), kBudget * 11 / 10);
  driver.Pull(Spec(), KeysFrom(0, 50));

  driver.FailFiles(absl::OkStatus());
  driver.Retry();
  EXPECT_LE(UsedBytes(driver), kBudget);
  EXPECT_TRUE(driver.Send(Op::kPush, PushOf(300, KeysFrom(0, 20))).status.ok());
}

TEST(ShardBudget, RequestsWaitForAFlushThatDoesNotKeepUpAndGoOnWhenItDoes) {
  ShardDriver driver(Tiny());
  Ready(driver);
  driver.set_run_log_jobs(false);
  uint64_t i = 0;
  for (; i < kTableRows / 20 && !driver.shard().congested(); ++i) {
    driver.Send(Op::kPush, PushOf(1 + i, KeysFrom(i * 20, 20)));
  }
  EXPECT_TRUE(driver.shard().congested());
  EXPECT_LT(i, kTableRows / 20);
  driver.RunJobs();
  EXPECT_FALSE(driver.shard().congested());
  EXPECT_LE(UsedBytes(driver), kBudget);
}

// A row that a flush has copied is clean, yet the disk has it only when the file is done.
TEST(ShardBudget, ARowOfAFileUnderWayIsNotEvicted) {
  ShardDriver driver(Tiny());
  ShardDriver large;
  Ready(driver);
  Ready(large);
  driver.FailFiles(absl::UnavailableError("not yet"));
  Reply reply;
  for (uint64_t i = 0; i < 30 && reply.status.ok(); ++i) {
    const auto body = PushOf(1 + i, KeysFrom(i * 20, 20));
    reply = driver.Send(Op::kPush, body);
    if (reply.status.ok()) large.Send(Op::kPush, body);
  }
  ASSERT_FALSE(reply.status.ok()) << "memory is used up";
  EXPECT_EQ(driver.CounterValue("rows_evicted"), 0u);
  EXPECT_EQ(driver.Pull(Spec(), KeysFrom(0, 300)), large.Pull(Spec(), KeysFrom(0, 300)));
}

TEST(ShardBudget, StopsWhileRequestsWait) {
  ShardDriver driver(Tiny());
  Ready(driver);
  Fill(driver);
  driver.set_run_read_jobs(false);
  driver.SendOn(SessionId(4), Op::kPull, PullOf({Evicted(driver)}));
  const uint64_t pull = driver.last_request_id();
  driver.set_run_read_jobs(true);
  EXPECT_TRUE(driver.Stop());
  EXPECT_TRUE(driver.Late(pull).status.ok());
}

}  // namespace
}  // namespace rowhouse

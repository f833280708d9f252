// Marks, closings and checkpoint attempts of whole shards, on storage in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_format.h"
#include "common/refusal.h"
#include "storage/checkpoint_files.h"
#include "tests/support/shard_driver.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint64_t kAttempt = 0xabc;

TableSpec Spec() {
  TableSpec spec;
  spec.name = "user";
  spec.dim = 4;
  spec.seed = 5;
  spec.adagrad.lr = 0.1;
  return spec;
}

// One shard with a table, and the words of clients and drivers.
class Node {
 public:
  explicit Node(uint32_t shard = 0, uint32_t shard_count = 1)
      : driver_(OptionsOf(shard, shard_count)) {
    Start();
    driver_.Create(Spec());
    for (uint64_t key = 0; keys_.size() < 3; ++key) {
      if (SlotMap(shard_count).ShardOf(TableIdOf("user"), Key(key)) == ShardId(shard)) {
        keys_.push_back(Key(key));
      }
    }
  }

  void Start() { EXPECT_TRUE(driver_.Start().ok()); }
  void Restart() {
    driver_.Crash();
    Start();
  }

  TestPush PushOf(uint64_t client, uint64_t sequence, uint64_t mark, float gradient = 1) const {
    TestPush push;
    push.client = ClientId(client);
    push.sequence = Sequence(sequence);
    push.step = Step(sequence);
    push.mark = Mark(mark);
    push.part_count = 2;
    push.sections = {SectionOf(Spec(), keys_, std::vector<float>(keys_.size() * 4, gradient))};
    return push;
  }
  RefusalReason Push(uint64_t client, uint64_t sequence, uint64_t mark, float gradient = 1) {
    return ReasonOf(
        driver_.Send(Op::kPush, PushBody(PushOf(client, sequence, mark, gradient))).status);
  }
  template <typename Message>
  RefusalReason Say(Op op, const Message& message) {
    const Reply reply = driver_.SendControl(op, message);
    EXPECT_TRUE(reply.answered);
    return ReasonOf(reply.status);
  }
  RefusalReason Open(uint64_t client, uint64_t mark, uint64_t incarnation = 1) {
    return Say(Op::kOpenClient, OpenClient{ClientId(client), Incarnation(incarnation), Mark(mark)});
  }
  RefusalReason Close(uint64_t client, uint64_t mark, uint64_t incarnation = 1) {
    return Say(Op::kCloseMark, CloseMark{ClientId(client), Incarnation(incarnation), Mark(mark)});
  }
  RefusalReason Leave(uint64_t client, uint64_t incarnation = 1) {
    return Say(Op::kLeaveClient, LeaveClient{ClientId(client), Incarnation(incarnation)});
  }
  RefusalReason Announce(uint64_t mark) { return Say(Op::kAnnounceMark, AnnounceMark{Mark(mark)}); }
  RefusalReason Prepare(uint64_t attempt = kAttempt) {
    return Say(Op::kPrepareCheckpoint, PrepareCheckpoint{attempt});
  }
  RefusalReason Publish(const std::string& directory) {
    return Say(Op::kPublishCheckpoint, PublishCheckpoint{kAttempt, directory});
  }
  RefusalReason StatusReason(uint64_t attempt = kAttempt) {
    return Say(Op::kCheckpointStatus, CheckpointStatus{attempt});
  }
  CheckpointStatusAnswer Status(uint64_t attempt = kAttempt) {
    const Reply reply = driver_.SendControl(Op::kCheckpointStatus, CheckpointStatus{attempt});
    EXPECT_TRUE(reply.status.ok()) << reply.status;
    if (!reply.status.ok()) return {};
    return *DecodeControl<CheckpointStatusAnswer>(reply.frame.body);
  }
  CheckpointPhase phase() { return Status().phase; }
  Mark mark() {
    const Reply reply = driver_.SendControl(Op::kQueryClient, QueryClient{ClientId(99)});
    return DecodeControl<QueryClientAnswer>(reply.frame.body)->mark;
  }
  std::vector<float> Rows() { return driver_.Pull(Spec(), keys_); }

  // The state that the attempt's files stand for, with the records marked less than `mark`.
  std::unique_ptr<ShardDriver> CutState(Mark mark) {
    const CheckpointStatusAnswer status = Status();
    ShardDriver::Options options = options_;
    options.replay_cut = mark;
    ShardStorage storage;
    storage.identity = options.identity;
    storage.disk = *driver_.disk().OpenFrozen(absl::StrFormat("%016x", kAttempt));
    storage.files = std::make_unique<MemoryLogFiles>();
    const auto parts = FindLogParts(driver_.files(), status.watermark, status.cut);
    EXPECT_TRUE(parts.ok()) << parts.status();
    for (const LogPart& part : *parts) {
      const auto bytes = driver_.files().Read(part.name, 0, part.bytes);
      const std::span<const std::byte> piece(*bytes);
      EXPECT_TRUE((*storage.files->Create(part.name))->Append({&piece, 1}).ok());
    }
    auto state = std::make_unique<ShardDriver>(options, std::move(storage));
    const absl::Status started = state->Start();
    EXPECT_TRUE(started.ok()) << started;
    return state;
  }
  std::vector<float> CutRows(Mark mark) { return CutState(mark)->Pull(Spec(), keys_); }

  ShardDriver& driver() { return driver_; }

 private:
  ShardDriver::Options OptionsOf(uint32_t shard, uint32_t shard_count) {
    options_.identity = {Timeline(1), ShardId(shard), shard_count, 14};
    options_.limits.checkpoint_timeout_ms = 1000;
    options_.limits.flush_log_bytes = 8000;
    options_.limits.flush_log_ratio = 0;
    options_.log.segment_bytes = 1000;
    return options_;
  }

  ShardDriver::Options options_;
  std::vector<Key> keys_;
  ShardDriver driver_;
};

constexpr auto kFine = RefusalReason::kNone;

TEST(ShardMarks, AMarkIsLearnedFromADriverAnOpeningAPushOrAClosing) {
  Node node;
  EXPECT_EQ(node.Announce(2), kFine);
  EXPECT_EQ(node.mark(), Mark(2));
  EXPECT_EQ(node.Announce(1), kFine);
  EXPECT_EQ(node.mark(), Mark(2));
  EXPECT_EQ(node.Open(1, 3), kFine);
  EXPECT_EQ(node.mark(), Mark(3));
  EXPECT_EQ(node.Push(1, 1, 4), kFine);
  EXPECT_EQ(node.mark(), Mark(4));
  EXPECT_EQ(node.Close(1, 5), kFine);
  EXPECT_EQ(node.mark(), Mark(5));
  node.Restart();
  EXPECT_EQ(node.mark(), Mark(5));
  EXPECT_TRUE(node.driver().Stop());  // flushed: now from the bookkeeping
  node.Start();
  EXPECT_EQ(node.mark(), Mark(5));
}

TEST(ShardMarks, AnswersTellTheAnnouncedMark) {
  Node node;
  EXPECT_EQ(node.Open(1, 0), kFine);
  EXPECT_EQ(node.Announce(6), kFine);
  const Reply push = node.driver().Send(Op::kPush, PushBody(node.PushOf(1, 1, 0)));
  EXPECT_EQ(push.As<PushAnswer>().mark, Mark(6));
  const TestSection section = SectionOf(Spec(), {Key(1)});
  const Reply pull = node.driver().Send(Op::kPull, PullBody({&section, 1}));
  EXPECT_EQ(pull.As<PullAnswerHeader>().mark, Mark(6));
  const Reply renewed =
      node.driver().SendControl(Op::kRenewClient, RenewClient{ClientId(1), Incarnation(1)});
  EXPECT_EQ(DecodeControl<RenewClientAnswer>(renewed.frame.body)->mark, Mark(6));
}

TEST(ShardMarks, RefusesAMarkThatNobodyCanHaveAnnounced) {
  Node node;
  EXPECT_EQ(node.Open(1, 0), kFine);
  const uint64_t lsn = node.driver().CounterValue("last_lsn");
  EXPECT_EQ(node.Announce(~0ull), RefusalReason::kMalformed);
  EXPECT_EQ(node.Push(1, 1, ~0ull), RefusalReason::kMalformed);
  EXPECT_EQ(node.Open(2, ~0ull), RefusalReason::kMalformed);
  EXPECT_EQ(node.Close(1, ~0ull), RefusalReason::kMalformed);
  EXPECT_EQ(node.driver().CounterValue("last_lsn"), lsn);
}

TEST(ShardMarks, RegistersNobodyBelowWhatWasAnnounced) {
  Node node;
  EXPECT_EQ(node.Announce(2), kFine);
  EXPECT_EQ(node.Open(1, 1), RefusalReason::kStaleMark);
  EXPECT_EQ(node.Open(1, 2), kFine);
}

TEST(ShardMarks, APushBelowWhatWasClosedIsRefusedAndItsRetryIsNot) {
  Node node;
  EXPECT_EQ(node.Open(1, 1), kFine);
  EXPECT_EQ(node.Push(1, 1, 1), kFine);
  EXPECT_EQ(node.Close(1, 2), kFine);
  const auto rows = node.Rows();
  EXPECT_EQ(node.Push(1, 1, 1), kFine);  // a duplicate
  EXPECT_EQ(node.Push(1, 2, 1), RefusalReason::kStaleMark);
  EXPECT_EQ(node.Rows(), rows);
  EXPECT_EQ(node.Push(1, 2, 2), kFine);
  EXPECT_EQ(node.Push(1, 3, 0), kFine);  // bears the shard's mark
}

TEST(ShardMarks, WhoLeftPushesNoMoreUntilItComesBackHigher) {
  Node node;
  EXPECT_EQ(node.Open(1, 0), kFine);
  EXPECT_EQ(node.Push(1, 1, 0), kFine);
  EXPECT_EQ(node.Leave(1), kFine);
  EXPECT_EQ(node.Leave(1), kFine);
  const auto rows = node.Rows();
  EXPECT_EQ(node.Push(1, 2, 0), RefusalReason::kNotOpened);
  EXPECT_EQ(node.Close(1, 1), RefusalReason::kNotOpened);
  EXPECT_EQ(node.Rows(), rows);
  node.Restart();
  EXPECT_EQ(node.Push(1, 2, 0), RefusalReason::kNotOpened);
  EXPECT_EQ(node.Open(1, 0, 1), RefusalReason::kFenced);
  EXPECT_EQ(node.Open(1, 0, 2), kFine);
  const Reply reply = node.driver().SendControl(Op::kQueryClient, QueryClient{ClientId(1)});
  EXPECT_EQ(DecodeControl<QueryClientAnswer>(reply.frame.body)->step, Step(1));
}

TEST(ShardMarks, LeavingOfAStrangerIsNoError) {
  Node node;
  EXPECT_EQ(node.Leave(5), kFine);
  EXPECT_EQ(node.Open(5, 0), kFine);
}

TEST(ShardMarks, ClosingIsAnsweredOnlyWhenItIsWritten) {
  Node node;
  EXPECT_EQ(node.Open(1, 0), kFine);
  node.driver().set_run_log_jobs(false);
  const CloseMark close{ClientId(1), Incarnation(1), Mark(1)};
  EXPECT_FALSE(node.driver().SendControl(Op::kCloseMark, close).answered);
  const uint64_t first = node.driver().last_request_id();
  EXPECT_FALSE(node.driver().SendControl(Op::kCloseMark, close).answered);  // repeated, no record
  EXPECT_FALSE(node.driver().SendControl(Op::kAnnounceMark, AnnounceMark{Mark(1)}).answered);
  node.driver().RunJobs();
  for (uint64_t id = first; id < first + 3; ++id) {
    EXPECT_TRUE(node.driver().Late(id).status.ok());
    EXPECT_TRUE(node.driver().Late(id).answered);
  }
}

TEST(ShardMarks, ClientsComeBackFromBookkeepingAndLogAlike) {
  Node node;
  EXPECT_EQ(node.Open(1, 0), kFine);
  EXPECT_EQ(node.Open(2, 0), kFine);
  EXPECT_EQ(node.Push(1, 1, 1), kFine);
  EXPECT_EQ(node.Close(1, 2), kFine);
  EXPECT_EQ(node.Leave(2), kFine);
  const auto clients = node.driver().shard().clients().Encode();
  node.Restart();
  EXPECT_EQ(node.driver().shard().clients().Encode(), clients);
  EXPECT_TRUE(node.driver().Stop());
  node.Start();
  EXPECT_EQ(node.driver().shard().clients().Encode(), clients);
}

// Two shards, two clients. Client 1 has closed mark 1 everywhere, client 2 on shard 0 alone.
class TwoShards : public testing::Test {
 protected:
  void SetUp() override {
    for (Node* node : nodes()) {
      EXPECT_EQ(node->Open(1, 0), kFine);
      EXPECT_EQ(node->Open(2, 0), kFine);
    }
    Step(1, 1, 0, 1.0f);
    Step(2, 1, 0, 0.5f);
    for (Node* node : nodes()) EXPECT_EQ(node->Prepare(), kFine);
    for (Node* node : nodes()) EXPECT_EQ(node->phase(), CheckpointPhase::kPrepared);
  }

  std::vector<Node*> nodes() { return {&a_, &b_}; }
  void Step(uint64_t client, uint64_t sequence, uint64_t mark, float gradient) {
    for (Node* node : nodes()) EXPECT_EQ(node->Push(client, sequence, mark, gradient), kFine);
  }
  void Close(uint64_t client, uint64_t mark) {
    for (Node* node : nodes()) EXPECT_EQ(node->Close(client, mark), kFine);
  }

  Node a_{0, 2};
  Node b_{1, 2};
};

TEST_F(TwoShards, TheCutHoldsEachStepOnBothShardsOrOnNone) {
  // What it must hold: everything marked 0, whatever its place in the logs.
  Node want_a{0, 2};
  Node want_b{1, 2};
  for (Node* node : {&want_a, &want_b}) {
    EXPECT_EQ(node->Open(1, 0), kFine);
    EXPECT_EQ(node->Open(2, 0), kFine);
    EXPECT_EQ(node->Push(1, 1, 0, 1.0f), kFine);
    EXPECT_EQ(node->Push(2, 1, 0, 0.5f), kFine);
  }
  EXPECT_EQ(a_.Announce(1), kFine);
  EXPECT_EQ(b_.Push(1, 2, 1, 2.0f), kFine);  // client 1 has it from shard 0; b learns it so
  EXPECT_EQ(b_.Announce(1), kFine);
  EXPECT_EQ(a_.Push(1, 2, 1, 2.0f), kFine);
  Close(1, 1);
  for (Node* node : nodes()) EXPECT_EQ(node->phase(), CheckpointPhase::kMarked);

  // Client 2 does not know yet: its step bears no mark of its own... so it names the old one.
  EXPECT_EQ(a_.Close(2, 1), kFine);
  EXPECT_EQ(a_.phase(), CheckpointPhase::kSealed);
  EXPECT_EQ(b_.phase(), CheckpointPhase::kMarked);
  ASSERT_THAT(b_.Status().unclosed, SizeIs(1));
  EXPECT_EQ(b_.Status().unclosed[0].client, ClientId(2));
  EXPECT_EQ(b_.Close(2, 1), kFine);
  EXPECT_EQ(b_.phase(), CheckpointPhase::kSealed);
  Step(2, 2, 1, 3.0f);

  EXPECT_EQ(a_.CutRows(Mark(1)), want_a.Rows());
  EXPECT_EQ(b_.CutRows(Mark(1)), want_b.Rows());
  EXPECT_NE(a_.CutRows(Mark(2)), want_a.Rows());  // the filter is what makes it so
  EXPECT_NE(b_.CutRows(Mark(2)), want_b.Rows());
}

TEST_F(TwoShards, ALateStepOfTheOldMarkBelongsToTheCutOnBothShards) {
  for (Node* node : nodes()) EXPECT_EQ(node->Announce(5), kFine);
  for (Node* node : nodes()) EXPECT_EQ(node->Announce(6), kFine);
  // Mark 5 was another's; this cut is what is marked less than 6.
  Step(1, 2, 6, 9.0f);
  Step(2, 2, 5, 0.25f);  // behind it in the log, within the cut
  Close(1, 6);
  Close(2, 6);
  Node want_a{0, 2};
  Node want_b{1, 2};
  for (Node* node : {&want_a, &want_b}) {
    EXPECT_EQ(node->Open(1, 0), kFine);
    EXPECT_EQ(node->Open(2, 0), kFine);
    EXPECT_EQ(node->Push(1, 1, 0, 1.0f), kFine);
    EXPECT_EQ(node->Push(2, 1, 0, 0.5f), kFine);
    EXPECT_EQ(node->Push(2, 2, 0, 0.25f), kFine);
  }
  EXPECT_EQ(a_.CutRows(Mark(6)), want_a.Rows());
  EXPECT_EQ(b_.CutRows(Mark(6)), want_b.Rows());
  EXPECT_EQ(a_.CutState(Mark(6))->shard().clients().Find(ClientId(1))->step, rowhouse::Step(1));
  EXPECT_EQ(a_.CutState(Mark(6))->shard().clients().Find(ClientId(2))->step, rowhouse::Step(2));
}

TEST_F(TwoShards, AHalfStepOfOneThatLeftIsToldByTheShardThatHasIt) {
  EXPECT_EQ(a_.Push(2, 2, 0), kFine);  // and then it dies
  for (Node* node : nodes()) {
    EXPECT_EQ(node->Announce(1), kFine);
    EXPECT_EQ(node->Close(1, 1), kFine);
    EXPECT_EQ(node->phase(), CheckpointPhase::kMarked);
    EXPECT_EQ(node->Leave(2), kFine);
    EXPECT_EQ(node->phase(), CheckpointPhase::kSealed);
  }
  const auto sequences = [](const CheckpointStatusAnswer& status) {
    std::vector<uint64_t> out;
    for (const CheckpointPart& part : status.parts_of_left) {
      EXPECT_EQ(part.client, ClientId(2));
      if (part.part_count > 0) out.push_back(part.sequence.value());
    }
    return out;
  };
  EXPECT_THAT(sequences(a_.Status()), ElementsAre(1, 2));
  EXPECT_THAT(sequences(b_.Status()), ElementsAre(1));
}

TEST_F(TwoShards, APushOutsideAJobBearsItsShardsMark) {
  EXPECT_EQ(a_.Announce(1), kFine);
  EXPECT_EQ(a_.Push(1, 2, 0, 4.0f), kFine);  // no mark of its own: beyond the cut here
  Close(1, 1);
  Close(2, 1);
  Node want{0, 2};
  EXPECT_EQ(want.Open(1, 0), kFine);
  EXPECT_EQ(want.Open(2, 0), kFine);
  EXPECT_EQ(want.Push(1, 1, 0, 1.0f), kFine);
  EXPECT_EQ(want.Push(2, 1, 0, 0.5f), kFine);
  EXPECT_EQ(a_.CutRows(Mark(1)), want.Rows());
}

// Registration races: a newcomer never has a push below the cut that nobody waits for.
TEST_F(TwoShards, ANewcomerUnderTheOldMarkIsWaitedForOrRefused) {
  EXPECT_EQ(a_.Open(3, 0), kFine);  // before the announcement: waited for
  for (Node* node : nodes()) EXPECT_EQ(node->Announce(1), kFine);
  EXPECT_EQ(b_.Open(3, 0), RefusalReason::kStaleMark);
  EXPECT_EQ(b_.Open(3, 1), kFine);
  Close(1, 1);
  Close(2, 1);
  EXPECT_EQ(b_.phase(), CheckpointPhase::kSealed);
  EXPECT_EQ(a_.phase(), CheckpointPhase::kMarked);
  EXPECT_EQ(a_.Close(3, 1), kFine);
  EXPECT_EQ(a_.phase(), CheckpointPhase::kSealed);
  EXPECT_EQ(a_.Push(3, 1, 0), kFine);  // bears 1
}

TEST_F(TwoShards, ANewcomerUnderTheNewMarkTakesItToAShardThatDoesNotKnowIt) {
  EXPECT_EQ(a_.Announce(1), kFine);
  EXPECT_EQ(a_.Open(3, 1), kFine);
  EXPECT_EQ(b_.Open(3, 1), kFine);
  EXPECT_EQ(b_.mark(), Mark(1));
  EXPECT_EQ(b_.phase(), CheckpointPhase::kMarked);
  EXPECT_EQ(b_.Open(4, 0), RefusalReason::kStaleMark);
  EXPECT_EQ(b_.Announce(1), kFine);
  Close(1, 1);
  Close(2, 1);
  for (Node* node : nodes()) EXPECT_EQ(node->phase(), CheckpointPhase::kSealed);
}

TEST_F(TwoShards, AnIncarnationThatReplacesOneTakesItsPlace) {
  for (Node* node : nodes()) EXPECT_EQ(node->Announce(1), kFine);
  Close(1, 1);
  for (Node* node : nodes()) EXPECT_EQ(node->Open(2, 1, 2), kFine);
  for (Node* node : nodes()) EXPECT_EQ(node->phase(), CheckpointPhase::kSealed);
}

class Attempt : public testing::Test {
 protected:
  void BringTo(CheckpointPhase phase) {
    EXPECT_EQ(node_.Open(1, node_.mark().value()), kFine);
    EXPECT_EQ(node_.Push(1, 1, 0), kFine);
    if (phase == CheckpointPhase::kFlushing) node_.driver().set_run_log_jobs(false);
    node_.driver().SendControl(Op::kPrepareCheckpoint, PrepareCheckpoint{kAttempt});
    if (phase == CheckpointPhase::kFlushing || phase == CheckpointPhase::kPrepared) return;
    EXPECT_EQ(node_.Announce(1), kFine);
    if (phase == CheckpointPhase::kMarked) return;
    EXPECT_EQ(node_.Close(1, 1), kFine);
    if (phase == CheckpointPhase::kSealed) return;
    if (phase == CheckpointPhase::kPublishing) node_.driver().set_run_log_jobs(false);
    node_.driver().SendControl(Op::kPublishCheckpoint, PublishCheckpoint{kAttempt, dir_.path()});
  }
  bool ImageExists() {
    return node_.driver().disk().OpenFrozen(absl::StrFormat("%016x", kAttempt)).ok();
  }

  TempDir dir_;
  Node node_;
};

constexpr CheckpointPhase kPhases[] = {CheckpointPhase::kFlushing,   CheckpointPhase::kPrepared,
                                       CheckpointPhase::kMarked,     CheckpointPhase::kSealed,
                                       CheckpointPhase::kPublishing, CheckpointPhase::kPublished};

class AttemptIn : public Attempt, public testing::WithParamInterface<CheckpointPhase> {};

TEST_P(AttemptIn, TellsItsPhase) {
  BringTo(GetParam());
  const Reply reply = node_.driver().SendControl(Op::kCheckpointStatus, CheckpointStatus{kAttempt});
  EXPECT_EQ(DecodeControl<CheckpointStatusAnswer>(reply.frame.body)->phase, GetParam());
}

TEST_P(AttemptIn, IsAbandonedAndTheNextOneWorks) {
  BringTo(GetParam());
  node_.driver().SendControl(Op::kAbandonCheckpoint, AbandonCheckpoint{kAttempt});
  node_.driver().set_run_log_jobs(true);
  node_.driver().RunJobs();
  EXPECT_EQ(node_.StatusReason(), RefusalReason::kNoCheckpoint);
  EXPECT_FALSE(ImageExists());
  EXPECT_EQ(node_.Prepare(7), kFine);
  EXPECT_EQ(node_.Status(7).phase, CheckpointPhase::kPrepared);
}

TEST_P(AttemptIn, EndsWithARestart) {
  BringTo(GetParam());
  node_.driver().set_run_log_jobs(true);
  const auto rows = node_.Rows();
  node_.Restart();
  EXPECT_EQ(node_.StatusReason(), RefusalReason::kNoCheckpoint);
  EXPECT_EQ(node_.Rows(), rows);
  EXPECT_EQ(node_.Prepare(), kFine);
  EXPECT_EQ(node_.phase(), CheckpointPhase::kPrepared);
}

TEST_P(AttemptIn, EndsWithAnOrderlyStop) {
  BringTo(GetParam());
  node_.driver().set_run_log_jobs(true);
  EXPECT_TRUE(node_.driver().Stop());
  EXPECT_FALSE(ImageExists());
}

TEST_P(AttemptIn, IsAbandonedWhenNobodyAsks) {
  BringTo(GetParam());
  node_.driver().set_run_log_jobs(true);
  node_.driver().Advance(1001);
  node_.driver().RunJobs();
  EXPECT_EQ(node_.Open(9, node_.mark().value()), kFine);  // any request tells the time
  EXPECT_EQ(node_.StatusReason(), RefusalReason::kNoCheckpoint);
  EXPECT_FALSE(ImageExists());
}

INSTANTIATE_TEST_SUITE_P(, AttemptIn, testing::ValuesIn(kPhases),
                         [](const auto& info) { return std::to_string(int(info.param)); });

TEST_F(Attempt, PublishesTheLogUpToTheCutAndLetsGo) {
  BringTo(CheckpointPhase::kSealed);
  EXPECT_EQ(node_.Push(1, 2, 1), kFine);
  const CheckpointStatusAnswer sealed = node_.Status();
  EXPECT_LT(sealed.cut.value(), node_.driver().CounterValue("last_lsn"));
  EXPECT_EQ(node_.Publish(dir_.path()), kFine);
  const CheckpointStatusAnswer published = node_.Status();
  EXPECT_EQ(published.phase, CheckpointPhase::kPublished) << published.failure;
  ASSERT_THAT(published.files, SizeIs(1));  // the rows are in memory
  EXPECT_THAT(published.files[0].original, HasSubstr("log/log-"));
  EXPECT_EQ(published.bytes_done, published.bytes_total);
  EXPECT_FALSE(ImageExists());
}

// As many rows as the log has bytes of a few each: writing them would cost more than it saves.
TEST_F(Attempt, RowsThatWouldCostMoreThanTheirLogAreNotFlushed) {
  std::vector<Key> keys;
  for (uint64_t key = 100; key < 140; ++key) keys.push_back(Key(key));
  EXPECT_EQ(node_.Open(1, node_.mark().value()), kFine);
  TestPush push = node_.PushOf(1, 1, 0);
  push.sections = {SectionOf(Spec(), keys, std::vector<float>(keys.size() * 4, 1))};
  EXPECT_TRUE(node_.driver().Send(Op::kPush, PushBody(push)).status.ok());
  EXPECT_EQ(node_.Prepare(), kFine);
  EXPECT_EQ(node_.phase(), CheckpointPhase::kPrepared);
  EXPECT_EQ(node_.driver().CounterValue("flushes"), 0u);
  EXPECT_EQ(node_.Announce(1), kFine);
  EXPECT_EQ(node_.Close(1, 1), kFine);
  EXPECT_EQ(node_.CutState(Mark(1))->Pull(Spec(), keys), node_.driver().Pull(Spec(), keys));
}

TEST_F(Attempt, RowsThatWerePushedOftenAreFlushed) {
  EXPECT_EQ(node_.Open(1, node_.mark().value()), kFine);
  for (uint64_t i = 1; i <= 10; ++i) EXPECT_EQ(node_.Push(1, i, 0), kFine);
  EXPECT_EQ(node_.driver().CounterValue("flushes"), 0u);
  EXPECT_EQ(node_.Prepare(), kFine);
  EXPECT_EQ(node_.driver().CounterValue("flushes"), 1u);
  EXPECT_EQ(node_.Status().watermark.value(), node_.driver().CounterValue("watermark"));
}

// Its clients had no shard to speak to meanwhile: none of them counts as silent for as long.
TEST_F(Attempt, TheTimeThatTheShardWasAwayIsNobodysSilence) {
  EXPECT_EQ(node_.Open(5, node_.mark().value()), kFine);
  node_.driver().Advance(60'000);
  node_.Restart();
  EXPECT_EQ(node_.Prepare(), kFine);
  EXPECT_EQ(node_.Announce(node_.mark().value() + 1), kFine);
  node_.driver().Advance(700);
  const auto unclosed = node_.Status().unclosed;
  ASSERT_FALSE(unclosed.empty());
  for (const UnclosedClient& client : unclosed) EXPECT_EQ(client.silent_ms, 700u);
}

TEST_F(Attempt, AFailingFreezeIsTold) {
  node_.driver().FailCheckpoints(CheckpointJob::Kind::kFreeze, absl::UnavailableError("bad disk"));
  BringTo(CheckpointPhase::kPrepared);
  EXPECT_EQ(node_.phase(), CheckpointPhase::kFailed);
  EXPECT_EQ(node_.Status().failure, "bad disk");
  EXPECT_EQ(node_.Publish(dir_.path()), RefusalReason::kNoCheckpoint);
  EXPECT_EQ(node_.Push(1, 2, 0), kFine);
}

TEST_F(Attempt, AFailingPublishIsToldAndLetsGo) {
  BringTo(CheckpointPhase::kSealed);
  EXPECT_EQ(node_.Publish("/dev/null/x"), kFine);
  EXPECT_EQ(node_.phase(), CheckpointPhase::kFailed);
  EXPECT_THAT(node_.Status().failure, HasSubstr("/dev/null"));
  EXPECT_FALSE(ImageExists());
}

TEST_F(Attempt, TheLogIsKeptFromTheImageOnAndTrimmedAfterwards) {
  BringTo(CheckpointPhase::kMarked);
  const CheckpointStatusAnswer marked = node_.Status();
  const uint64_t flushes = node_.driver().CounterValue("flushes");
  for (uint64_t i = 2; node_.driver().CounterValue("flushes") < flushes + 3; ++i) {
    ASSERT_EQ(node_.Push(1, i, 1), kFine);
  }
  EXPECT_GT(node_.driver().CounterValue("watermark"), marked.watermark.value());
  EXPECT_EQ(node_.Close(1, 1), kFine);
  const CheckpointStatusAnswer sealed = node_.Status();
  EXPECT_EQ(sealed.watermark, marked.watermark);
  EXPECT_TRUE(FindLogParts(node_.driver().files(), sealed.watermark, sealed.cut).ok());
  const uint64_t held_bytes = node_.driver().CounterValue("log_bytes");
  node_.driver().SendControl(Op::kAbandonCheckpoint, AbandonCheckpoint{kAttempt});
  EXPECT_LT(node_.driver().CounterValue("log_bytes"), held_bytes / 2);
  EXPECT_FALSE(FindLogParts(node_.driver().files(), sealed.watermark, sealed.cut).ok());
}

TEST_F(Attempt, WithoutClientsTheAnnouncementSeals) {
  EXPECT_EQ(node_.Prepare(), kFine);
  EXPECT_EQ(node_.Announce(1), kFine);
  EXPECT_EQ(node_.phase(), CheckpointPhase::kSealed);
}

TEST_F(Attempt, ATableMadeBehindTheMarkIsThereForThePushesWithinTheCut) {
  BringTo(CheckpointPhase::kPrepared);
  EXPECT_EQ(node_.Announce(1), kFine);
  EXPECT_EQ(node_.Open(2, 1), kFine);
  EXPECT_EQ(node_.Announce(2), kFine);
  TableSpec late = Spec();
  late.name = "late";
  node_.driver().Create(late);
  TestPush push = node_.PushOf(2, 1, 1);
  push.sections = {SectionOf(late, {Key(3)}, {1, 2, 3, 4})};
  EXPECT_TRUE(node_.driver().Send(Op::kPush, PushBody(push)).status.ok());
  EXPECT_EQ(node_.Close(1, 2), kFine);
  EXPECT_EQ(node_.Close(2, 2), kFine);
  EXPECT_EQ(node_.phase(), CheckpointPhase::kSealed);
  EXPECT_EQ(node_.CutState(Mark(2))->Pull(late, {Key(3)}), node_.driver().Pull(late, {Key(3)}));
}

TEST_F(Attempt, ASealWaitsForTheLog) {
  BringTo(CheckpointPhase::kMarked);
  node_.driver().files().SetDiskBytesMax(0);
  EXPECT_EQ(node_.Close(1, 1), RefusalReason::kLogUnavailable);
  EXPECT_EQ(node_.phase(), CheckpointPhase::kMarked);
  node_.driver().files().SetDiskBytesMax(1 << 30);
  node_.driver().Retry();
  EXPECT_EQ(node_.phase(), CheckpointPhase::kSealed);
}

}  // namespace
}  // namespace rowhouse

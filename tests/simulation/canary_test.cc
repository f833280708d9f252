// A check that cannot fail is worth nothing: each one here meets a history that is broken in just
// the way that it is there to find, and one that is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "common/text.h"
#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "ps/client_table.h"
#include "ps/optimizer/adagrad.h"
#include "ps/table_set.h"
#include "tests/simulation/checkpoint_checks.h"
#include "tests/simulation/checks.h"
#include "tests/support/frames.h"

namespace rowhouse {
namespace {

using testing::StartsWith;

TableSpec Spec() {
  TableSpec spec;
  spec.name = "user";
  spec.dim = 2;
  spec.seed = 3;
  spec.initializer = Initializer::Uniform(-1, 1);
  return spec;
}

TestPush PushOf(uint64_t sequence) {
  TestPush push;
  push.sequence = Sequence(sequence);
  push.step = Step(sequence);
  push.sections = {{TableIdOf("user"), Generation(1), 2, {Key(5), Key(6)}, {1, 2, 3, 4}}};
  return push;
}

// A table, client 7.1, and its pushes 1 to 3: LSNs 1 to 5.
class Canary : public testing::Test {
 protected:
  Canary() {
    Add(RecordType::kCreateTable, EncodeControl(TableRecord{Spec(), Generation(1)}));
    Add(RecordType::kOpenClient,
        EncodeControl(OpenClientRecord{ClientId(7), Incarnation(1), Mark(1), {}}));
    for (uint64_t sequence = 1; sequence <= 3; ++sequence) AddPush(PushOf(sequence));
    life_.journal = journal_;
    life_.synced = Lsn(4);
  }

  void Add(RecordType type, std::vector<std::byte> body) {
    auto words = std::make_shared<std::vector<uint64_t>>((body.size() + 7) / 8);
    std::memcpy(words->data(), body.data(), body.size());
    LogRecord record;
    record.lsn = Lsn(journal_.size() + 1);
    record.type = type;
    record.body = std::as_bytes(std::span(*words)).first(body.size());
    record.body_checksum = Checksum(record.body);
    record.owner = words;
    journal_.push_back(std::move(record));
  }
  void AddPush(const TestPush& push) {
    Add(RecordType::kPush, PushBody(push));
    const float rate = EffectiveLearningRate(Spec().adagrad, push.step);
    const auto bytes = std::as_bytes(std::span(&rate, 1));
    journal_.back().prefix.assign(bytes.begin(), bytes.end());
  }
  // The first `count` records.
  Journal First(size_t count) const { return {journal_.begin(), journal_.begin() + count}; }
  Ack AckOf(uint64_t sequence, uint64_t lsn, Durability durability) const {
    SentPart part{ClientId(7), Incarnation(1), Sequence(sequence), ShardId(0)};
    part.body_checksum = journal_[sequence + 1].body_checksum;  // pushes begin at LSN 3
    part.durability = durability;
    return {part, 0, Lsn(lsn)};
  }
  // The life ends, and another begins with `survived` records.
  std::vector<Life> EndedWith(LifeEnd end, uint64_t survived) const {
    Life first = life_;
    first.end = end;
    first.survived = Lsn(survived);
    Life second;
    second.journal = First(survived);
    return {first, second};
  }
  Rows OracleRows() const {
    Oracle oracle;
    for (const LogRecord& record : journal_) EXPECT_TRUE(oracle.Apply(record).ok());
    return oracle.rows();
  }
  static void ExpectBroken(const absl::Status& status, std::string_view check) {
    EXPECT_THAT(std::string(status.message()), StartsWith(std::string(check))) << status;
  }

  Journal journal_;
  Life life_;
};

TEST_F(Canary, RecordsAsTheyShouldBePass) { EXPECT_TRUE(CheckRecords(journal_).ok()); }

TEST_F(Canary, ADoubledRecordIsFound) {
  AddPush(PushOf(3));
  ExpectBroken(CheckRecords(journal_), "applied twice:");
}

TEST_F(Canary, ARecordWithAFlippedBitIsFound) {
  auto bytes =
      std::make_shared<std::vector<std::byte>>(journal_[3].body.begin(), journal_[3].body.end());
  bytes->back() ^= std::byte{1};
  journal_[3].body = *bytes;
  journal_[3].owner = bytes;
  ExpectBroken(CheckRecords(journal_), "record bytes:");
}

TEST_F(Canary, APushBehindItsFenceIsFound) {
  Add(RecordType::kOpenClient,
      EncodeControl(OpenClientRecord{ClientId(7), Incarnation(2), Mark(1), {}}));
  AddPush(PushOf(4));
  ExpectBroken(CheckRecords(journal_), "fence:");
}

TEST_F(Canary, AFenceThatFallsBackIsFound) {
  Add(RecordType::kOpenClient,
      EncodeControl(OpenClientRecord{ClientId(7), Incarnation(0), Mark(1), {}}));
  ExpectBroken(CheckRecords(journal_), "fence:");
}

TEST_F(Canary, PushesThatOvertookEachOtherAreFound) {
  AddPush(PushOf(5));
  AddPush(PushOf(4));
  ExpectBroken(CheckRecords(journal_), "order:");
}

TEST_F(Canary, AMissingRecordIsFound) {
  journal_.erase(journal_.begin() + 3);
  ExpectBroken(CheckRecords(journal_), "record order:");
}

TEST_F(Canary, ALogThatLostASyncedRecordIsFound) {
  life_.end = LifeEnd::kPowerCut;
  EXPECT_TRUE(CheckSurvival(life_, First(4)).ok());
  ExpectBroken(CheckSurvival(life_, First(3)), "log:");
}

TEST_F(Canary, ALogThatHoldsWhatNobodyWroteIsFound) {
  life_.end = LifeEnd::kKilled;
  EXPECT_TRUE(CheckSurvival(life_, journal_).ok());
  journal_[4].arrival_ms = 9;
  ExpectBroken(CheckSurvival(life_, journal_), "log:");
}

TEST_F(Canary, AStopThatLostARecordIsFound) {
  life_.end = LifeEnd::kStopped;
  ExpectBroken(CheckSurvival(life_, First(4)), "log:");
}

TEST_F(Canary, AnAcknowledgedPushThatIsLostIsFound) {
  const std::vector<Ack> log = {AckOf(3, 5, Durability::kLog)};
  const std::vector<Ack> fsync = {AckOf(3, 5, Durability::kFsync)};
  const std::vector<Ack> memory = {AckOf(3, 5, Durability::kMemory)};
  EXPECT_TRUE(CheckAcks(EndedWith(LifeEnd::kKilled, 5), log).ok());
  EXPECT_TRUE(CheckAcks(EndedWith(LifeEnd::kKilled, 4), memory).ok());
  EXPECT_TRUE(CheckAcks(EndedWith(LifeEnd::kPowerCut, 4), log).ok());
  ExpectBroken(CheckAcks(EndedWith(LifeEnd::kKilled, 4), log), "acknowledged push lost:");
  ExpectBroken(CheckAcks(EndedWith(LifeEnd::kPowerCut, 4), fsync), "acknowledged push lost:");
  ExpectBroken(CheckAcks(EndedWith(LifeEnd::kStopped, 4), memory), "acknowledged push lost:");
}

TEST_F(Canary, AnAcknowledgedPushThatWasNeverLoggedIsFound) {
  const std::vector<Ack> acks = {AckOf(3, 6, Durability::kLog)};
  ExpectBroken(CheckAcks({&life_, 1}, acks), "acknowledged push lost:");
}

TEST_F(Canary, AWrongLsnIsFound) {
  const std::vector<Ack> right = {AckOf(3, 5, Durability::kLog)};
  const std::vector<Ack> wrong = {AckOf(3, 4, Durability::kLog)};
  const std::vector<Ack> no_push = {AckOf(3, 1, Durability::kLog)};
  EXPECT_TRUE(CheckAcks({&life_, 1}, right).ok());
  ExpectBroken(CheckAcks({&life_, 1}, wrong), "wrong LSN:");
  ExpectBroken(CheckAcks({&life_, 1}, no_push), "wrong LSN:");
}

TEST_F(Canary, OtherBytesThanWereSentAreFound) {
  std::vector<Ack> acks = {AckOf(3, 5, Durability::kLog)};
  acks[0].part.body_checksum ^= 1;
  ExpectBroken(CheckAcks({&life_, 1}, acks), "payload:");
}

TEST_F(Canary, APulledRowOfAnotherMomentIsFound) {
  const std::vector<float> now = OracleRows().at({TableIdOf("user"), Key(5)}).weights;
  std::vector<PulledRow> pulled = {{0, Lsn(5), TableIdOf("user"), Key(5), now}};
  uint64_t unknown = 0;
  EXPECT_TRUE(CheckPulls({&life_, 1}, pulled, &unknown).ok());
  pulled[0].lsn = Lsn(4);
  ExpectBroken(CheckPulls({&life_, 1}, pulled, &unknown), "pulled row:");
  EXPECT_EQ(unknown, 0u);
  pulled[0].lsn = Lsn(6);
  EXPECT_TRUE(CheckPulls({&life_, 1}, pulled, &unknown).ok());
  EXPECT_EQ(unknown, 1u);
}

TEST_F(Canary, AFlippedBitInARowIsFound) {
  Rows rows = OracleRows();
  EXPECT_TRUE(CheckState(journal_, rows).ok());
  for (const bool in_state : {false, true}) {
    Rows broken = rows;
    OracleRow& row = broken.at({TableIdOf("user"), Key(6)});
    float& value = in_state ? row.state[1] : row.weights[1];
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    bits ^= 1;
    std::memcpy(&value, &bits, sizeof(bits));
    ExpectBroken(CheckState(journal_, broken), "state:");
  }
}

TEST_F(Canary, ARowTooFewTooManyOrWithAnotherLsnIsFound) {
  Rows rows = OracleRows();
  Rows missing = rows;
  missing.erase({TableIdOf("user"), Key(5)});
  ExpectBroken(CheckState(journal_, missing), "state:");
  Rows more = rows;
  more[{TableIdOf("user"), Key(9)}] = more.begin()->second;
  ExpectBroken(CheckState(journal_, more), "state:");
  rows.begin()->second.lsn = Lsn(4);
  ExpectBroken(CheckState(journal_, rows), "state:");
}

TEST_F(Canary, AnotherLearningRateIsFound) {
  journal_[4].prefix[0] ^= std::byte{1};
  ExpectBroken(CheckState(journal_, {}), "record:");
}

// Two shards with a push of two parts each; the cut is what is marked less than 2.
class CutCanary : public Canary {
 protected:
  CutCanary() {
    Add(RecordType::kAnnounceMark, EncodeControl(AnnounceMark{Mark(2)}));
    AddPush(Marked(4, 1));
    AddPush(Marked(5, 2));
    other_ = First(2);
    for (uint64_t sequence : {4, 5}) {
      other_.push_back(journal_[sequence + 2]);
      other_.back().lsn = Lsn(other_.size());
    }
  }
  static TestPush Marked(uint64_t sequence, uint64_t mark) {
    TestPush push = PushOf(sequence);
    push.mark = Mark(mark);
    push.part_count = 2;
    return push;
  }
  Rows RowsOf(const Journal& records) const {
    Oracle oracle;
    for (const LogRecord& record : records) EXPECT_TRUE(oracle.Apply(record).ok());
    return oracle.rows();
  }
  absl::Status CheckSteps(std::vector<HalfStep> half = {}, std::set<PushName> excused = {}) const {
    const std::vector<const Journal*> journals = {&journal_, &other_};
    return CheckWholeSteps(journals, Mark(2), half, excused);
  }

  Journal other_;  // of the other shard: LSN 3 is push 4, LSN 4 is push 5
};

TEST_F(CutCanary, ACutWithARecordTooFewOrTooManyIsFound) {
  Journal cut = First(5);
  cut.push_back(journal_[6]);
  EXPECT_TRUE(CheckCut(journal_, Mark(2), Lsn(8), RowsOf(cut)).ok());
  ExpectBroken(CheckCut(journal_, Mark(2), Lsn(8), RowsOf(First(5))), "checkpoint:");
  ExpectBroken(CheckCut(journal_, Mark(2), Lsn(8), RowsOf(journal_)), "checkpoint:");
}

TEST_F(CutCanary, ARecordOfTheCutBehindItsEndIsFound) {
  Journal cut = First(5);
  cut.push_back(journal_[6]);
  ExpectBroken(CheckCut(journal_, Mark(2), Lsn(6), RowsOf(cut)), "checkpoint:");
}

TEST_F(CutCanary, AHalfStepIsFound) {
  EXPECT_TRUE(CheckSteps().ok());
  other_.erase(other_.begin() + 2);
  ExpectBroken(CheckSteps(), "checkpoint:");
  const PushName name{ClientId(7), Incarnation(1), Sequence(4)};
  EXPECT_TRUE(CheckSteps({{ClientId(7), Incarnation(1), Sequence(4), Step(4), 1, 2}}).ok());
  EXPECT_TRUE(CheckSteps({}, {name}).ok());
}

TEST_F(CutCanary, AWholeStepThatIsNamedAsHalfDoneIsFound) {
  ExpectBroken(CheckSteps({{ClientId(7), Incarnation(1), Sequence(4), Step(4), 1, 2}}),
               "checkpoint:");
}

TEST_F(CutCanary, AStepWhosePartsBearTwoMarksIsFound) {
  other_.pop_back();
  const Journal whole = journal_;
  journal_ = other_;
  AddPush(Marked(5, 1));
  other_ = journal_;
  journal_ = whole;
  ExpectBroken(CheckSteps(), "checkpoint:");
}

TEST_F(CutCanary, PushesOfWhichAPartWasLostAreKnown) {
  std::set<PushName> lost;
  const std::vector<Ack> acks = {AckOf(3, 5, Durability::kMemory)};
  AddLostPushes(EndedWith(LifeEnd::kKilled, 5), acks, &lost);
  EXPECT_TRUE(lost.empty());
  AddLostPushes(EndedWith(LifeEnd::kKilled, 4), acks, &lost);
  EXPECT_EQ(lost.size(), 1u);
}

TEST_F(Canary, APullThatMissesAnEarlierPushIsFound) {
  std::vector<Answered> answers = {{1, false, 0, Lsn(5)}, {2, true, 0, Lsn(5)}};
  EXPECT_TRUE(CheckOrder(answers).ok());
  answers[1].lsn = Lsn(4);
  ExpectBroken(CheckOrder(answers), "order:");
  answers[1].life = 1;
  EXPECT_TRUE(CheckOrder(answers).ok());
}

}  // namespace
}  // namespace rowhouse

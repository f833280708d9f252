#include "tests/crash/part_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(NumberSet, AgreesWithASet) {
  std::mt19937 random(1);
  NumberSet numbers;
  std::set<uint64_t> expected;
  for (int i = 0; i < 3000; ++i) {
    const uint64_t number = random() % 1000;
    EXPECT_EQ(numbers.Add(number), expected.insert(number).second) << number;
  }
}

// One client, one shard; parts are known by their number.
class PartLedgerTest : public ::testing::Test {
 protected:
  void Log(uint64_t sequence, uint64_t lsn, uint64_t checksum = 5) {
    ledger_.NoteLogged({ClientId(1), Incarnation(1), ShardId(0), Sequence(sequence)},
                       {Lsn(lsn), checksum});
  }
  void Acknowledge(uint64_t sequence, uint64_t lsn, uint64_t checksum = 5) {
    ledger_.NoteAcknowledged(
        {ClientId(1), Incarnation(1), Sequence(sequence), ShardId(0), Lsn(lsn), false, checksum});
  }
  const std::vector<std::string>& Errors() {
    ledger_.Finish();
    return ledger_.errors();
  }

  PartLedger ledger_;
};

TEST_F(PartLedgerTest, AcceptsPartsInAnyOrder) {
  Log(1, 10);
  Acknowledge(1, 10);
  Acknowledge(2, 11);
  Log(2, 11);
  Log(3, 12);
  EXPECT_THAT(Errors(), IsEmpty());
  EXPECT_EQ(ledger_.never_acknowledged(), 1u);
}

TEST_F(PartLedgerTest, MissesAPartThatNoLogHolds) {
  Log(1, 10);
  Acknowledge(2, 11);
  EXPECT_THAT(Errors(), ElementsAre(HasSubstr("push 2 of client 1")));
}

TEST_F(PartLedgerTest, SeesAPartTwiceInTheLogWhetherAcknowledgedOrNot) {
  Log(1, 10);
  Acknowledge(1, 10);
  Log(1, 20);
  Log(2, 21);
  Log(2, 22);
  EXPECT_THAT(Errors(), ElementsAre(HasSubstr("twice"), HasSubstr("twice")));
}

TEST_F(PartLedgerTest, SeesAnotherLsnAndAnotherPayload) {
  Log(1, 10);
  Acknowledge(1, 11);
  Acknowledge(2, 12, 5);
  Log(2, 12, 6);
  EXPECT_THAT(Errors(), ElementsAre(HasSubstr("LSN 11"), HasSubstr("payload")));
}

TEST_F(PartLedgerTest, SeesASecondAcknowledgementOfOnePart) {
  Log(1, 10);
  Acknowledge(1, 10);
  Acknowledge(1, 10);
  EXPECT_THAT(Errors(), ElementsAre(HasSubstr("acknowledged twice")));
}

}  // namespace
}  // namespace rowhouse

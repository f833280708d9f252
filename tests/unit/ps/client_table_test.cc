#include "ps/client_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/refusal.h"

namespace rowhouse {
namespace {

constexpr uint64_t kRetentionMs = 1000;

void Open(ClientTable* table, uint64_t client, uint64_t incarnation, uint64_t now_ms = 1,
          Mark mark = Mark(0), Mark announced = Mark(0)) {
  const auto record = table->MakeOpen({ClientId(client), Incarnation(incarnation), mark}, announced,
                                      now_ms, kRetentionMs, 100);
  ASSERT_TRUE(record.ok()) << record.status();
  table->Apply(*record, now_ms);
}

LoggedPush PushOf(uint64_t client, uint64_t incarnation, uint64_t sequence, uint32_t shard,
                  uint64_t lsn, uint64_t unretried_below, uint64_t arrival_ms) {
  return {ClientId(client),
          Incarnation(incarnation),
          {Sequence(sequence), ShardId(shard)},
          {Lsn(lsn), Step(sequence), Mark(0), 1},
          Sequence(unretried_below),
          arrival_ms};
}

TEST(ClientTable, RefusesAClientThatWasNotOpened) {
  ClientTable table;
  EXPECT_EQ(ReasonOf(table.FindOpen(ClientId(1), Incarnation(1)).status()),
            RefusalReason::kNotOpened);
}

TEST(ClientTable, AHigherIncarnationFencesTheLower) {
  ClientTable table;
  Open(&table, 1, 1);
  table.AddPush(PushOf(1, 1, 1, 0, 2, 1, 1));
  Open(&table, 1, 2);
  EXPECT_EQ(ReasonOf(table.FindOpen(ClientId(1), Incarnation(1)).status()), RefusalReason::kFenced);
  const auto client = table.FindOpen(ClientId(1), Incarnation(2));
  ASSERT_TRUE(client.ok());
  EXPECT_EQ((*client)->window.size(), 0u);
  EXPECT_EQ(
      ReasonOf(table.MakeOpen({ClientId(1), Incarnation(1), Mark(0)}, Mark(0), 1, kRetentionMs, 100)
                   .status()),
      RefusalReason::kFenced);
}

TEST(ClientTable, OpeningTheSameIncarnationAgainKeepsItsWindow) {
  ClientTable table;
  Open(&table, 1, 1);
  table.AddPush(PushOf(1, 1, 1, 0, 2, 1, 1));
  Open(&table, 1, 1);
  EXPECT_EQ((*table.FindOpen(ClientId(1), Incarnation(1)))->window.size(), 1u);
}

TEST(ClientTable, WhenFullForgetsOnlyTheSilent) {
  ClientTable table;
  Open(&table, 1, 1, 1);
  Open(&table, 2, 1, 5000);
  const auto full =
      table.MakeOpen({ClientId(3), Incarnation(1), Mark(0)}, Mark(0), 900, kRetentionMs, 2);
  EXPECT_EQ(ReasonOf(full.status()), RefusalReason::kTooManyClients);
  const auto record =
      table.MakeOpen({ClientId(3), Incarnation(1), Mark(0)}, Mark(0), 5500, kRetentionMs, 2);
  ASSERT_TRUE(record.ok());
  table.Apply(*record, 5500);
  EXPECT_EQ(table.Find(ClientId(1)), nullptr);
  EXPECT_EQ(table.Find(ClientId(2))->incarnation, Incarnation(1));
}

TEST(ClientTable, ComesBackFromItsBytes) {
  ClientTable table;
  Open(&table, 1, 3);
  Open(&table, 2, 1);
  table.AddPush(PushOf(1, 3, 4, 2, 9, 2, 7));
  ClientTable copy;
  ASSERT_TRUE(copy.Decode(table.Encode()).ok());
  EXPECT_EQ(copy.Encode(), table.Encode());
  EXPECT_EQ((*copy.FindOpen(ClientId(1), Incarnation(3)))->window.Find({Sequence(4), ShardId(2)}),
            Lsn(9));
}

TEST(ClientTable, RefusesBytesThatAreCut) {
  ClientTable table;
  Open(&table, 1, 3);
  auto bytes = table.Encode();
  bytes.pop_back();
  EXPECT_FALSE(table.Decode(bytes).ok());
}

RefusalReason OpenRefusal(const ClientTable& table, const OpenClient& request, Mark announced) {
  return ReasonOf(table.MakeOpen(request, announced, 1, kRetentionMs, 100).status());
}

TEST(ClientTable, RegistersNobodyBelowTheAnnouncedMark) {
  ClientTable table;
  EXPECT_EQ(OpenRefusal(table, {ClientId(1), Incarnation(1), Mark(2)}, Mark(3)),
            RefusalReason::kStaleMark);
  Open(&table, 1, 1, 1, Mark(3), Mark(3));
  EXPECT_EQ(table.Find(ClientId(1))->closed, Mark(3));
  EXPECT_EQ(table.CountUnclosed(Mark(3)), 0u);
  EXPECT_EQ(table.CountUnclosed(Mark(4)), 1u);
}

TEST(ClientTable, OpeningAgainClosesNothing) {
  ClientTable table;
  Open(&table, 1, 1, 1, Mark(3), Mark(3));
  Open(&table, 1, 1, 1, Mark(3), Mark(4));  // a retry whose first answer was lost
  Open(&table, 1, 1, 1, Mark(4), Mark(4));  // its pushes marked 3 may still be on their way
  EXPECT_EQ(table.Find(ClientId(1))->closed, Mark(3));
}

TEST(ClientTable, ClosingIsMonotoneAndOfItsIncarnation) {
  ClientTable table;
  Open(&table, 1, 2);
  table.Apply(CloseMark{ClientId(1), Incarnation(2), Mark(5)}, 1);
  table.Apply(CloseMark{ClientId(1), Incarnation(2), Mark(4)}, 1);
  table.Apply(CloseMark{ClientId(1), Incarnation(1), Mark(9)}, 1);
  table.Apply(CloseMark{ClientId(8), Incarnation(1), Mark(9)}, 1);
  EXPECT_EQ(table.Find(ClientId(1))->closed, Mark(5));
  EXPECT_EQ(table.Find(ClientId(8)), nullptr);
}

TEST(ClientTable, LeavingIsOfOneIncarnation) {
  ClientTable table;
  Open(&table, 1, 1);
  table.AddPush(PushOf(1, 1, 4, 0, 2, 1, 1));
  table.Apply(LeaveClient{ClientId(1), Incarnation(1)}, 1);
  EXPECT_EQ(table.CountUnclosed(Mark(9)), 0u);
  EXPECT_EQ(ReasonOf(table.FindOpen(ClientId(1), Incarnation(1)).status()),
            RefusalReason::kNotOpened);
  EXPECT_EQ(OpenRefusal(table, {ClientId(1), Incarnation(1), Mark(0)}, Mark(0)),
            RefusalReason::kFenced);
  Open(&table, 1, 2);
  EXPECT_TRUE(table.FindOpen(ClientId(1), Incarnation(2)).ok());
  EXPECT_EQ(table.Find(ClientId(1))->step, Step(4));  // outlives the incarnation
  table.Apply(LeaveClient{ClientId(1), Incarnation(1)}, 1);
  EXPECT_FALSE(table.Find(ClientId(1))->left);
}

TEST(ClientTable, TellsTheFirstUnclosedAndHowLongTheyAreSilent) {
  ClientTable table;
  for (uint64_t id = 1; id <= 4; ++id) Open(&table, id, 1, 100);
  table.Apply(CloseMark{ClientId(2), Incarnation(1), Mark(5)}, 100);
  table.Heard(*table.FindOpen(ClientId(3), Incarnation(1)), 150);
  const auto unclosed = table.Unclosed(Mark(5), 160, 2);
  ASSERT_EQ(unclosed.size(), 2u);
  EXPECT_EQ(unclosed[0].client, ClientId(1));
  EXPECT_EQ(unclosed[0].silent_ms, 60u);
  EXPECT_EQ(unclosed[1].client, ClientId(3));
  EXPECT_EQ(unclosed[1].silent_ms, 10u);
}

LoggedPush PartOf(uint64_t incarnation, uint64_t sequence, uint64_t mark, uint32_t part_count,
                  uint64_t unretried_below = 1) {
  LoggedPush push = PushOf(1, incarnation, sequence, 0, sequence, unretried_below, 1);
  push.applied.mark = Mark(mark);
  push.applied.part_count = part_count;
  return push;
}

std::vector<std::string> PartsOfLeft(const ClientTable& table, Mark mark) {
  std::vector<std::string> parts;
  for (const CheckpointPart& part : table.PartsOfLeft(mark)) {
    parts.push_back(std::to_string(part.incarnation.value()) + "/" +
                    std::to_string(part.sequence.value()) + " of " +
                    std::to_string(part.part_count));
  }
  return parts;
}

TEST(ClientTable, TellsPartsWithinTheCutOfThoseWhoLeftOrWereReplaced) {
  ClientTable table;
  Open(&table, 1, 1);
  table.AddPush(PartOf(1, 5, 3, 2, 4));
  table.AddPush(PartOf(1, 6, 3, 1, 4));  // whole
  EXPECT_EQ(PartsOfLeft(table, Mark(4)), std::vector<std::string>());
  Open(&table, 1, 2);
  table.AddPush(PartOf(2, 1, 3, 3));
  table.AddPush(PartOf(2, 2, 4, 3));  // beyond the cut
  EXPECT_EQ(PartsOfLeft(table, Mark(4)), (std::vector<std::string>{"1/4 of 0", "1/5 of 2"}));
  table.Apply(LeaveClient{ClientId(1), Incarnation(2)}, 1);
  EXPECT_EQ(PartsOfLeft(table, Mark(4)),
            (std::vector<std::string>{"1/4 of 0", "1/5 of 2", "2/1 of 0", "2/1 of 3"}));
  EXPECT_EQ(PartsOfLeft(table, Mark(5)).back(), "2/2 of 3");
}

// Another shard may still know what this one has forgotten: it must not look like half of a step.
TEST(ClientTable, ForgetsTheOldestIncarnationsWholeAndSaysSo) {
  ClientTable table;
  constexpr uint64_t kLives = 40;
  constexpr uint64_t kParts = 64;
  for (uint64_t life = 1; life <= kLives; ++life) {
    Open(&table, 1, life);
    for (uint64_t n = 1; n <= kParts; ++n) table.AddPush(PartOf(life, n, 0, 2));
  }
  std::vector<size_t> parts(kLives + 1);
  for (const CheckpointPart& part : table.PartsOfLeft(Mark(1))) {
    const uint64_t life = part.incarnation.value();
    if (part.part_count != 0) {
      ++parts[life];
    } else {
      EXPECT_EQ(part.sequence, Sequence(life <= kLives - 1 - 17 ? UINT64_MAX : 1)) << life;
    }
  }
  for (uint64_t life = 1; life < kLives; ++life) {
    EXPECT_EQ(parts[life], life <= kLives - 1 - 17 ? 0 : kParts) << life;
  }
}

TEST(ClientTable, ReplayOverATableThatIsAheadChangesNothing) {
  ClientTable table;
  const auto replay = [&table] {
    Open(&table, 1, 1);
    table.AddPush(PartOf(1, 5, 3, 2));
    table.Apply(CloseMark{ClientId(1), Incarnation(1), Mark(2)}, 1);
    table.Apply(LeaveClient{ClientId(1), Incarnation(1)}, 1);
    Open(&table, 1, 2);
    table.AddPush(PartOf(2, 1, 4, 2));
    table.Apply(CloseMark{ClientId(1), Incarnation(2), Mark(5)}, 1);
  };
  replay();
  const auto ahead = table.Encode();
  // Records of the first incarnation: not made again, but found in the log.
  table.Apply(OpenClientRecord{ClientId(1), Incarnation(1), Mark(0), {}}, 1);
  table.AddPush(PartOf(1, 5, 3, 2));
  table.Apply(LeaveClient{ClientId(1), Incarnation(1)}, 1);
  table.Apply(OpenClientRecord{ClientId(1), Incarnation(2), Mark(0), {}}, 1);
  table.AddPush(PartOf(2, 1, 4, 2));
  table.Apply(CloseMark{ClientId(1), Incarnation(2), Mark(5)}, 1);
  EXPECT_EQ(table.Encode(), ahead);
}

TEST(ClientTable, MergesWhatSeveralShardsKnew) {
  ClientTable a;
  Open(&a, 1, 2);
  a.AddPush(PushOf(1, 2, 3, 0, 2, 1, 5));
  ClientTable b;
  Open(&b, 1, 3);
  Open(&b, 2, 1);
  a.Merge(b);
  a.LeaveAll();
  EXPECT_EQ(a.size(), 2u);
  EXPECT_EQ(a.Find(ClientId(1))->incarnation, Incarnation(3));
  EXPECT_EQ(a.Find(ClientId(1))->step, Step(3));
  EXPECT_EQ(a.CountUnclosed(Mark(9)), 0u);
  for (const CheckpointPart& part : a.PartsOfLeft(Mark(9))) EXPECT_EQ(part.part_count, 0u);
}

TEST(ClientTable, TellsOfAnIncarnationThatEndedAlsoWhereItPushedNothing) {
  ClientTable table;
  Open(&table, 1, 1);
  EXPECT_TRUE(table.PartsOfLeft(Mark(9)).empty());
  Open(&table, 1, 2);
  ASSERT_EQ(table.PartsOfLeft(Mark(9)).size(), 1u);
  EXPECT_EQ(table.PartsOfLeft(Mark(9))[0].incarnation, Incarnation(1));
  table.Apply(LeaveClient{ClientId(1), Incarnation(2)}, 1);
  ASSERT_EQ(table.PartsOfLeft(Mark(9)).size(), 2u);
  EXPECT_EQ(table.PartsOfLeft(Mark(9))[1].part_count, 0u);
}

}  // namespace
}  // namespace rowhouse

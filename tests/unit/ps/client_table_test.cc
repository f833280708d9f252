#include "ps/client_table.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace rowhouse

#include "ps/client_table.h"

#include <gtest/gtest.h>

#include "common/refusal.h"

namespace rowhouse {
namespace {

constexpr uint64_t kRetentionMs = 1000;

void Open(ClientTable* table, uint64_t client, uint64_t incarnation, uint64_t now_ms = 1) {
  const auto record =
      table->MakeOpen({ClientId(client), Incarnation(incarnation)}, now_ms, kRetentionMs, 100);
  ASSERT_TRUE(record.ok()) << record.status();
  table->Apply(*record, now_ms);
}

TEST(ClientTable, RefusesAClientThatWasNotOpened) {
  ClientTable table;
  EXPECT_EQ(ReasonOf(table.FindOpen(ClientId(1), Incarnation(1)).status()),
            RefusalReason::kNotOpened);
}

TEST(ClientTable, AHigherIncarnationFencesTheLower) {
  ClientTable table;
  Open(&table, 1, 1);
  table.AddPush(ClientId(1), Incarnation(1), {Sequence(1), ShardId(0)}, Lsn(2), Sequence(1), 1);
  Open(&table, 1, 2);
  EXPECT_EQ(ReasonOf(table.FindOpen(ClientId(1), Incarnation(1)).status()), RefusalReason::kFenced);
  const auto client = table.FindOpen(ClientId(1), Incarnation(2));
  ASSERT_TRUE(client.ok());
  EXPECT_EQ((*client)->window.size(), 0u);
  EXPECT_EQ(ReasonOf(table.MakeOpen({ClientId(1), Incarnation(1)}, 1, kRetentionMs, 100).status()),
            RefusalReason::kFenced);
}

TEST(ClientTable, OpeningTheSameIncarnationAgainKeepsItsWindow) {
  ClientTable table;
  Open(&table, 1, 1);
  table.AddPush(ClientId(1), Incarnation(1), {Sequence(1), ShardId(0)}, Lsn(2), Sequence(1), 1);
  Open(&table, 1, 1);
  EXPECT_EQ((*table.FindOpen(ClientId(1), Incarnation(1)))->window.size(), 1u);
}

TEST(ClientTable, WhenFullForgetsOnlyTheSilent) {
  ClientTable table;
  Open(&table, 1, 1, 1);
  Open(&table, 2, 1, 5000);
  const auto full = table.MakeOpen({ClientId(3), Incarnation(1)}, 900, kRetentionMs, 2);
  EXPECT_EQ(ReasonOf(full.status()), RefusalReason::kTooManyClients);
  const auto record = table.MakeOpen({ClientId(3), Incarnation(1)}, 5500, kRetentionMs, 2);
  ASSERT_TRUE(record.ok());
  table.Apply(*record, 5500);
  EXPECT_EQ(table.HighestIncarnation(ClientId(1)), Incarnation(0));
  EXPECT_EQ(table.HighestIncarnation(ClientId(2)), Incarnation(1));
}

TEST(ClientTable, ComesBackFromItsBytes) {
  ClientTable table;
  Open(&table, 1, 3);
  Open(&table, 2, 1);
  table.AddPush(ClientId(1), Incarnation(3), {Sequence(4), ShardId(2)}, Lsn(9), Sequence(2), 7);
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

#include "storage/row_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "storage/memory_disk_tier.h"
#include "storage/row_codec.h"
#include "storage/table_rows.h"

namespace rowhouse {
namespace {

using ::testing::HasSubstr;

TableSpec Spec(std::string name, uint32_t dim) {
  TableSpec spec;
  spec.name = std::move(name);
  spec.dim = dim;
  spec.initializer = Initializer::Uniform(-1, 1);
  return spec;
}

class RowBatchTest : public ::testing::Test {
 protected:
  RowBatchTest() {
    for (TableRows* table : {&a_, &b_}) {
      std::vector<Key> keys;
      for (uint64_t key = 0; key < 20'000; ++key) keys.push_back(Key(key * key));
      std::vector<std::byte*> rows(keys.size());
      table->FindOrCreate(keys, rows);
      for (std::byte* row : rows) {
        RowLayout::Header(row).lsn = Lsn(1 + RowLayout::Header(row).key.value() % 77);
        AppendRow(table->id(), table->layout(), row, &buffer_);
      }
    }
    EXPECT_TRUE(disk_->Ingest(buffer_.Sorted()).ok());
  }

  static StoredTable Stored(const TableRows& table) {
    return {table.id(), table.generation(), table.layout()};
  }
  absl::Status Put(std::string key, std::string value) {
    return disk_->Ingest(std::vector<DiskEntry>{{std::move(key), std::move(value)}});
  }
  // Loads the two halves of the slots into new tables.
  absl::Status Load(TableRows* a, TableRows* b, Lsn* highest) {
    const std::vector<StoredTable> tables = {Stored(*a), Stored(*b)};
    for (const SlotRange range : {SlotRange{0, 8000}, SlotRange{8000, kSlotEnd}}) {
      const absl::Status status = ScanRows(*disk_, range, tables, [&](RowBatch batch) {
        (batch.table == a->id() ? a : b)->Load(batch.keys, batch.values);
        *highest = std::max(*highest, batch.highest_lsn);
        return absl::OkStatus();
      });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  static std::map<std::string, std::string> Encoded(TableRows* table) {
    std::map<std::string, std::string> out;
    table->Visit(0, table->row_number_end(), [&](std::byte* row) {
      DiskEntry entry = EncodeRow(table->id(), table->layout(), row);
      EXPECT_TRUE(out.emplace(std::move(entry.key), std::move(entry.value)).second);
    });
    return out;
  }

  TableRows a_{Spec("a", 5), Generation(1)};
  TableRows b_{Spec("b", 300), Generation(4)};
  EntryBuffer buffer_;
  std::unique_ptr<DiskTier> disk_ = MakeMemoryDiskTier();
};

TEST_F(RowBatchTest, RowsOfSeveralTablesComeBackToTheLastBit) {
  TableRows a(Spec("a", 5), Generation(1));
  TableRows b(Spec("b", 300), Generation(4));
  Lsn highest;
  ASSERT_TRUE(Load(&a, &b, &highest).ok());
  EXPECT_EQ(Encoded(&a), Encoded(&a_));
  EXPECT_EQ(Encoded(&b), Encoded(&b_));
  EXPECT_EQ(highest, Lsn(72));  // no square leaves more than 71 when divided by 77
  a.Visit(0, a.row_number_end(),
          [](std::byte* row) { EXPECT_EQ(RowLayout::Header(row).flags, 0u); });
}

TEST_F(RowBatchTest, RowsOfOtherTablesAndGenerationsArePassedOver) {
  TableRows a(Spec("a", 5), Generation(2));
  TableRows c(Spec("c", 5), Generation(1));
  Lsn highest;
  ASSERT_TRUE(Load(&a, &c, &highest).ok());
  EXPECT_EQ(a.row_count() + c.row_count(), 0u);
  EXPECT_EQ(highest, Lsn(0));
}

TEST_F(RowBatchTest, LoadLeavesARowThatIsThere) {
  TableRows a(Spec("a", 5), Generation(1));
  const Key key(4);
  std::byte* row = nullptr;
  a.FindOrCreate({&key, 1}, {&row, 1});
  RowLayout::Header(row).lsn = Lsn(1000);
  Lsn highest;
  ASSERT_TRUE(Load(&a, &b_, &highest).ok());
  EXPECT_EQ(RowLayout::Header(row).lsn, Lsn(1000));
  EXPECT_EQ(a.row_count(), a_.row_count());
}

TEST_F(RowBatchTest, DamageIsAnError) {
  TableRows a(Spec("a", 5), Generation(1));
  TableRows b(Spec("b", 300), Generation(4));
  Lsn highest;
  std::string value = EncodeRow(a_.id(), a_.layout(), std::vector<std::byte>(100).data()).value;
  ASSERT_TRUE(Put(EncodeRowKey(a_.id(), Key(0)), value.substr(0, value.size() - 1)).ok());
  // Of generation 0, so passed over; of generation 1 it is damage.
  EXPECT_TRUE(Load(&a, &b, &highest).ok());
  value[4] = 1;
  ASSERT_TRUE(Put(EncodeRowKey(a_.id(), Key(0)), value.substr(0, value.size() - 1)).ok());
  EXPECT_EQ(Load(&a, &b, &highest).code(), absl::StatusCode::kDataLoss);

  ASSERT_TRUE(Put(EncodeRowKey(a_.id(), Key(0)), value).ok());
  ASSERT_TRUE(Put("\xf0\x01", "x").ok());  // beyond all slots
  EXPECT_THAT(std::string(Load(&a, &b, &highest).message()), HasSubstr("row key of 2 bytes"));
}

}  // namespace
}  // namespace rowhouse

#include "ps/evictor.h"

#include <gtest/gtest.h>

#include <set>

namespace rowhouse {
namespace {

TableSpec Spec(std::string name = "user") {
  TableSpec spec;
  spec.name = std::move(name);
  spec.dim = 2;
  return spec;
}

class EvictorTest : public testing::Test {
 protected:
  std::byte* Row(uint64_t number, uint32_t flags = 0) {
    const Key key(number);
    std::byte* row = nullptr;
    table_->FindOrCreate({&key, 1}, {&row, 1});
    RowLayout::Header(row).flags = flags;
    return row;
  }
  // Numbers of the rows that are there.
  std::set<uint64_t> Left() {
    std::set<uint64_t> left;
    table_->Visit(0, ~0ull,
                  [&](std::byte* row) { left.insert(RowLayout::Header(row).key.value()); });
    return left;
  }

  TableSet tables_;
  TableRows* table_ = tables_.Create({Spec(), Generation(1)});
  Residency residency_{{1, 1}};
  Evictor evictor_{&tables_, &residency_};
};

TEST_F(EvictorTest, KeepsWhatIsDirtyPinnedOrInAFileUnderWay) {
  Row(1, kRowDirty);
  Row(2, 5u << kRowFileShift);
  Row(3, 4u << kRowFileShift);
  Row(4);
  const std::vector<Key> pinned = {Key(4)};
  const RowsOfTable rows{table_, pinned};
  const auto pin = residency_.Begin({&rows, 1}, 1);
  evictor_.Run(~0ull, ~0ull, 5);
  EXPECT_EQ(Left(), (std::set<uint64_t>{1, 2, 4}));
  EXPECT_TRUE(evictor_.exhausted());
  residency_.End(pin.id);
  evictor_.Renew();
  evictor_.Run(~0ull, ~0ull, 6);
  EXPECT_EQ(Left(), std::set<uint64_t>{1});
  EXPECT_EQ(evictor_.evicted(), 3u);
}

TEST_F(EvictorTest, ATouchedRowGetsASecondChance) {
  Row(1, kRowReferenced);
  Row(2);
  Row(3, kRowReferenced);
  evictor_.Run(1, ~0ull, 0);
  EXPECT_EQ(Left(), (std::set<uint64_t>{1, 3}));
  evictor_.Run(1, ~0ull, 0);
  EXPECT_EQ(Left(), std::set<uint64_t>{3});  // 3 came before 1 on the hand's way
}

TEST_F(EvictorTest, MarksTheSlotsOfEvictedRowsIncomplete) {
  Row(1);
  Row(2, kRowDirty);
  evictor_.Run(~0ull, ~0ull, 0);
  EXPECT_FALSE(residency_.IsComplete(SlotOf(Fingerprint(table_->id(), Key(1)))));
  EXPECT_TRUE(residency_.IsComplete(SlotOf(Fingerprint(table_->id(), Key(2)))));
}

TEST_F(EvictorTest, GoesOnWhereRowsWereMovedTogetherBehindTheHand) {
  for (uint64_t i = 0; i < 1000; ++i) Row(i);
  const uint64_t row_bytes = table_->layout().stride_bytes();
  evictor_.Run(600 * row_bytes, ~0ull, 0);
  evictor_.Compact(~0ull, ~0ull, true);
  ASSERT_EQ(table_->row_number_end(), 400u);
  evictor_.Run(10 * row_bytes, 2048, 0);
  EXPECT_FALSE(evictor_.exhausted());
  EXPECT_EQ(table_->row_count(), 390u);
}

TEST_F(EvictorTest, StopsWhenEnoughIsFreedAndAfterTheStep) {
  for (uint64_t i = 0; i < 1000; ++i) Row(i);
  evictor_.Run(10 * table_->layout().stride_bytes(), ~0ull, 0);
  EXPECT_EQ(evictor_.evicted(), 10u);
  evictor_.Run(~0ull, 128, 0);
  EXPECT_LE(evictor_.evicted(), 10u + 128);
  EXPECT_GE(evictor_.evicted(), 10u + 64);
}

TEST_F(EvictorTest, GoesRoundAllTables) {
  TableRows* const first = table_;
  Row(1);
  table_ = tables_.Create({Spec("item"), Generation(1)});
  Row(2);
  evictor_.Run(~0ull, ~0ull, 0);
  EXPECT_EQ(first->row_count() + table_->row_count(), 0u);
}

TEST_F(EvictorTest, CompactTakesFromTheTablesThatHaveFreeRowsInStepsUntilThereIsEnough) {
  TableRows* const first = table_;
  for (uint64_t i = 0; i < 1000; ++i) Row(i);
  table_ = tables_.Create({Spec("item"), Generation(1)});
  for (uint64_t i = 0; i < 1000; ++i) Row(i);
  EXPECT_FALSE(evictor_.Compact(~0ull, ~0ull, true)) << "nothing is free";
  const uint64_t stride = table_->layout().stride_bytes();
  evictor_.Run(1500 * stride, ~0ull, 0);
  ASSERT_EQ(first->row_count(), 0u);
  ASSERT_EQ(table_->row_count(), 500u);
  EXPECT_TRUE(evictor_.Compact(~0ull, 700, true));
  EXPECT_EQ(first->row_number_end(), 300u);
  EXPECT_EQ(table_->row_number_end(), 1000u);
  EXPECT_FALSE(evictor_.Compact(310 * stride, 700, true));
  EXPECT_EQ(first->row_number_end(), 0u);
  EXPECT_EQ(table_->row_number_end(), 990u);
  EXPECT_FALSE(evictor_.Compact(~0ull, ~0ull, true));
  EXPECT_EQ(table_->row_number_end(), 500u);
}

TEST_F(EvictorTest, EndsWithoutRowsOrTables) {
  evictor_.Run(~0ull, ~0ull, 0);
  EXPECT_TRUE(evictor_.exhausted());
  const TableSet none;
  Evictor(&none, &residency_).Run(~0ull, ~0ull, 0);
}

}  // namespace
}  // namespace rowhouse

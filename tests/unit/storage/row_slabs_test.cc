#include "storage/row_slabs.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace rowhouse {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(RowSlabs, EmptySlabsTakeNoMemory) { EXPECT_EQ(RowSlabs(536).resident_bytes(), 0u); }

TEST(RowSlabs, OneRowCostsAPageNotASlab) {
  RowSlabs slabs(536);
  slabs.Allocate();
  EXPECT_LE(slabs.resident_bytes(), 4096u);
}

TEST(RowSlabs, RowsAreZeroDistinctAndNeverMove) {
  constexpr size_t kStride = 32;
  constexpr uint32_t kRows = 300000;  // more than two slabs
  RowSlabs slabs(kStride);
  std::vector<std::byte*> rows;
  const std::vector<std::byte> zero(kStride);
  for (uint32_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(slabs.Allocate(), i);
    rows.push_back(slabs.Row(i));
    ASSERT_EQ(std::memcmp(rows[i], zero.data(), kStride), 0) << i;
    std::memset(rows[i], static_cast<int>(i % 251 + 1), kStride);
  }
  for (uint32_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(slabs.Row(i), rows[i]);
    ASSERT_EQ(rows[i][0], static_cast<std::byte>(i % 251 + 1)) << i;
    ASSERT_EQ(rows[i][kStride - 1], static_cast<std::byte>(i % 251 + 1)) << i;
  }
}

TEST(RowSlabs, ResidentBytesFollowTheRows) {
  RowSlabs slabs(1024);
  for (int i = 0; i < 20000; ++i) slabs.Allocate();
  EXPECT_GE(slabs.resident_bytes(), 20000u * 1024);
  EXPECT_LE(slabs.resident_bytes(), 20000u * 1024 + 2 * kMiB);
}

TEST(RowSlabs, FreedRowsAreTakenAgainBeforeNewOnes) {
  RowSlabs slabs(40);
  for (int i = 0; i < 1000; ++i) slabs.Allocate();
  const uint64_t bytes = slabs.resident_bytes();
  for (const uint32_t number : {5u, 999u, 17u}) slabs.Free(number);
  EXPECT_EQ(slabs.row_count(), 997u);
  EXPECT_EQ(slabs.row_number_end(), 1000u);
  EXPECT_EQ(slabs.Allocate(), 17u);
  EXPECT_EQ(slabs.Allocate(), 999u);
  EXPECT_EQ(slabs.Allocate(), 5u);
  EXPECT_EQ(slabs.resident_bytes(), bytes);
  EXPECT_EQ(slabs.Allocate(), 1000u);
}

TEST(RowSlabs, WidestRowsWork) {
  const size_t stride = 24 + 2 * 8192 * 4;
  RowSlabs slabs(stride);
  for (int i = 0; i < 200; ++i) std::memset(slabs.Row(slabs.Allocate()), 1, stride);
  EXPECT_EQ(slabs.row_count(), 200u);
}

}  // namespace
}  // namespace rowhouse

#include "storage/row_slabs.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/support/huge_page_advice.h"

namespace rowhouse {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(RowSlabs, EmptySlabsTakeNoMemory) { EXPECT_EQ(RowSlabs(536).resident_bytes(), 0u); }

TEST(RowSlabs, OneRowCostsAPageNotASlab) {
  RowSlabs slabs(536);
  slabs.Allocate();
  EXPECT_LE(slabs.resident_bytes(), 4096u);
}

TEST(RowSlabs, SlabsBehindTheFirstAskForHugePages) {
  if (!SystemKnowsHugePages()) GTEST_SKIP() << "no huge pages in this kernel";
  RowSlabs slabs(1024);
  while (slabs.row_number_end() < 2 * (4 << 10)) slabs.Allocate();  // two slabs of 4 MiB
  EXPECT_FALSE(AsksForHugePages(slabs.Row(0)));
  EXPECT_TRUE(AsksForHugePages(slabs.Row(slabs.row_number_end() - 1)));
}

TEST(RowSlabs, RowsAreZeroDistinctAndNeverMove) {
  constexpr size_t kNarrow = 32;
  constexpr uint32_t kRows = 300000;  // more than two slabs
  RowSlabs slabs(kNarrow);
  std::vector<std::byte*> rows;
  const std::vector<std::byte> zero(kNarrow);
  for (uint32_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(slabs.Allocate(), i);
    rows.push_back(slabs.Row(i));
    ASSERT_EQ(std::memcmp(rows[i], zero.data(), kNarrow), 0) << i;
    std::memset(rows[i], static_cast<int>(i % 251 + 1), kNarrow);
  }
  for (uint32_t i = 0; i < kRows; ++i) {
    ASSERT_EQ(slabs.Row(i), rows[i]);
    ASSERT_EQ(rows[i][0], static_cast<std::byte>(i % 251 + 1)) << i;
    ASSERT_EQ(rows[i][kNarrow - 1], static_cast<std::byte>(i % 251 + 1)) << i;
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

constexpr size_t kStride = 1024;
constexpr uint32_t kSlabRows = 4096;

std::vector<std::byte> Contents(const RowSlabs& slabs, uint32_t number) {
  return {slabs.Row(number), slabs.Row(number) + kStride};
}

// So many rows, the bytes of each of them told by its number.
void Fill(RowSlabs* slabs, uint32_t rows) {
  for (uint32_t i = 0; i < rows; ++i) {
    ASSERT_EQ(slabs->Allocate(), i);
    std::memset(slabs->Row(i), static_cast<int>(i % 251 + 1), kStride);
  }
}

// What the system holds of [begin, begin + bytes), which begins at a page.
uint64_t SystemBytes(std::byte* begin, uint64_t bytes) {
  constexpr uint64_t kPageBytes = 4096;
  uint64_t held = 0;
  for (uint64_t at = 0; at < bytes; at += kPageBytes) {
    unsigned char in_memory = 0;
    if (mincore(begin + at, kPageBytes, &in_memory) == 0 && (in_memory & 1) != 0) {
      held += kPageBytes;
    }
  }
  return held;
}

TEST(RowSlabs, FreedRowsOfLowerSlabsAreTakenFirst) {
  RowSlabs slabs(kStride);
  Fill(&slabs, 3 * kSlabRows);
  for (const uint32_t number : {7u, 2 * kSlabRows + 1, kSlabRows + 3}) slabs.Free(number);
  EXPECT_EQ(slabs.Allocate(), 7u);
  EXPECT_EQ(slabs.Allocate(), kSlabRows + 3);
  slabs.Free(9);
  EXPECT_EQ(slabs.Allocate(), 9u);
  EXPECT_EQ(slabs.Allocate(), 2 * kSlabRows + 1);
  EXPECT_EQ(slabs.Allocate(), 3 * kSlabRows);
}

TEST(RowSlabs, RowsAtTheEndMoveIntoFreeOnes) {
  RowSlabs slabs(kStride);
  Fill(&slabs, 100);
  for (const uint32_t number : {10u, 50u, 98u, 97u}) slabs.Free(number);
  const auto last = Contents(slabs, 99), before = Contents(slabs, 96);
  const uint32_t first_to = slabs.MoveLast();
  EXPECT_EQ(Contents(slabs, first_to), last);
  // Of the rows at the end that are free, one may have been taken for the one that moved.
  while (slabs.row_number_end() > 97 && slabs.row_number_end() - 1 != first_to) slabs.PopFree();
  EXPECT_LE(slabs.row_count(), slabs.row_number_end());
  EXPECT_EQ(slabs.row_count(), 96u);
  EXPECT_EQ(Contents(slabs, 96), before);
}

TEST(RowSlabs, AFreeRowInTheMiddleOfTheListIsTakenOutOfIt) {
  RowSlabs slabs(kStride);
  Fill(&slabs, 10);
  for (const uint32_t number : {2u, 9u, 8u, 4u}) slabs.Free(number);  // listed as 4, 8, 9, 2
  slabs.PopFree();
  slabs.PopFree();
  EXPECT_EQ(slabs.row_number_end(), 8u);
  EXPECT_EQ(slabs.free_count(), 2u);
  EXPECT_EQ(slabs.Allocate(), 4u);
  EXPECT_EQ(slabs.Allocate(), 2u);
  EXPECT_EQ(slabs.Allocate(), 8u);
}

TEST(RowSlabs, TrimmedMemoryGoesBackToTheSystem) {
  RowSlabs slabs(kStride);
  constexpr uint32_t kRows = 4 * kSlabRows;
  Fill(&slabs, kRows);
  std::vector<std::byte*> starts;
  for (uint32_t i = 0; i < kRows; i += kSlabRows) starts.push_back(slabs.Row(i));
  const auto system_bytes = [&] {
    uint64_t bytes = 0;
    for (std::byte* const start : starts) bytes += SystemBytes(start, kSlabRows * kStride);
    return bytes;
  };
  ASSERT_EQ(system_bytes(), uint64_t{kRows} * kStride);
  for (const uint32_t left : {3 * kSlabRows, 2 * kSlabRows - 2100, 1000u, 0u}) {
    while (slabs.row_number_end() > left) {
      slabs.Free(slabs.row_number_end() - 1);
      slabs.PopFree();
    }
    slabs.Trim();
    EXPECT_EQ(slabs.row_count(), left);
    EXPECT_LE(system_bytes(), slabs.resident_bytes()) << left;
    EXPECT_LE(slabs.resident_bytes(), left * kStride + 2 * kMiB) << left;
  }
  Fill(&slabs, kRows);
  EXPECT_EQ(slabs.resident_bytes(), uint64_t{kRows} * kStride);
}

TEST(RowSlabs, TheNextSlabIsMappedAheadOnceWhereTheLastIsHalfFull) {
  RowSlabs slabs(kStride);
  constexpr uint32_t kHalfOfEighth = 8 * kSlabRows - kSlabRows / 2;
  for (uint32_t i = 0; i < kHalfOfEighth; ++i) {
    slabs.Allocate();
    if (i + 1 == kHalfOfEighth) break;
    ASSERT_EQ(slabs.MapAhead().memory, nullptr) << i;
  }
  const uint64_t before = slabs.held_bytes();
  const Mapping ahead = slabs.MapAhead();
  ASSERT_NE(ahead.memory, nullptr);
  EXPECT_EQ(ahead.bytes, kSlabRows * kStride);
  EXPECT_EQ(slabs.held_bytes(), before + ahead.bytes);
  EXPECT_EQ(slabs.MapAhead().memory, nullptr);
  while (slabs.row_number_end() < 8 * kSlabRows) slabs.Allocate();
  EXPECT_EQ(slabs.Row(slabs.Allocate()), ahead.memory.get());
  EXPECT_EQ(slabs.held_bytes(), slabs.BytesOf(slabs.row_number_end()));
}

TEST(RowSlabs, TrimGivesBackWhatWasMappedAhead) {
  RowSlabs slabs(kStride);
  Fill(&slabs, 8 * kSlabRows);
  std::weak_ptr<std::byte[]> ahead = slabs.MapAhead().memory;
  EXPECT_FALSE(ahead.expired());
  slabs.Trim();
  EXPECT_TRUE(ahead.expired());
  EXPECT_EQ(slabs.held_bytes(), uint64_t{8} * kSlabRows * kStride);
  EXPECT_EQ(slabs.Allocate(), 8 * kSlabRows);
}

TEST(RowSlabs, BytesOfRowsAreThoseOfSlabsThatHoldThem) {
  RowSlabs slabs(kStride);
  EXPECT_EQ(slabs.BytesOf(0), 0u);
  EXPECT_EQ(slabs.BytesOf(3), 3 * kStride);
  EXPECT_EQ(slabs.BytesOf(kSlabRows), kSlabRows * kStride);
  EXPECT_EQ(slabs.BytesOf(kSlabRows + 1), kSlabRows * kStride + 2 * kMiB);
  EXPECT_EQ(slabs.BytesOf(2 * kSlabRows - 1), 2 * kSlabRows * kStride);
}

TEST(RowSlabs, WidestRowsWork) {
  const size_t stride = 24 + 2 * 8192 * 4;
  RowSlabs slabs(stride);
  for (int i = 0; i < 200; ++i) std::memset(slabs.Row(slabs.Allocate()), 1, stride);
  EXPECT_EQ(slabs.row_count(), 200u);
}

}  // namespace
}  // namespace rowhouse

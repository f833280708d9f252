#include "storage/index_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "tests/support/huge_page_advice.h"

namespace rowhouse {
namespace {

constexpr size_t kBlock = IndexMemory::kBlockBytes;
constexpr size_t kPageBlocks = kHugePageBytes / kBlock;

bool AllZero(const std::byte* memory, size_t bytes) {
  return std::all_of(memory, memory + bytes, [](std::byte b) { return b == std::byte{0}; });
}

std::vector<std::byte*> Blocks(IndexMemory* memory, size_t count) {
  std::vector<std::byte*> blocks;
  for (size_t i = 0; i < count; ++i) blocks.push_back(memory->Allocate(kBlock));
  return blocks;
}

TEST(IndexMemory, BlocksAreZeroAlignedAndApart) {
  IndexMemory memory;
  const auto blocks = Blocks(&memory, 3 * kPageBlocks);
  EXPECT_EQ(std::set(blocks.begin(), blocks.end()).size(), blocks.size());
  for (std::byte* const block : blocks) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    ASSERT_TRUE(AllZero(block, kBlock));
    std::memset(block, 0xab, kBlock);
  }
  for (std::byte* const block : blocks) {
    EXPECT_EQ(block[0], std::byte{0xab});
    memory.Free(block, kBlock);
  }
}

TEST(IndexMemory, PagesBehindTheFirstEightAskForHugePagesAndFullOnesWhenJoined) {
  if (!SystemKnowsHugePages()) GTEST_SKIP() << "no huge pages in this kernel";
  IndexMemory memory;
  const auto blocks = Blocks(&memory, 8 * kPageBlocks + 1);
  EXPECT_FALSE(AsksForHugePages(blocks.front()));
  EXPECT_TRUE(AsksForHugePages(blocks.back()));
  ASSERT_NE(memory.MapAhead().memory, nullptr);
  EXPECT_TRUE(AsksForHugePages(blocks.front()));
  for (std::byte* const block : blocks) memory.Free(block, kBlock);
}

TEST(IndexMemory, ABlockThatIsUsedAgainIsZero) {
  IndexMemory memory;
  auto blocks = Blocks(&memory, 9 * kPageBlocks);  // of small pages and of a huge one
  for (std::byte* const block : {blocks.front(), blocks.back()}) {
    std::memset(block, 0xab, kBlock);
    memory.Free(block, kBlock);
    std::byte* const again = memory.Allocate(kBlock);
    EXPECT_EQ(again, block);
    EXPECT_TRUE(AllZero(again, kBlock));
  }
  for (std::byte* const block : blocks) memory.Free(block, kBlock);
}

TEST(IndexMemory, OtherSizesAreZeroAndCounted) {
  IndexMemory memory;
  std::byte* const small = memory.Allocate(64);
  std::byte* const large = memory.Allocate(2 * kBlock);
  EXPECT_TRUE(AllZero(large, 2 * kBlock));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(small) % 64, 0u);
  EXPECT_EQ(memory.resident_bytes(), 64 + 2 * kBlock);
  memory.Free(small, 64);
  memory.Free(large, 2 * kBlock);
  EXPECT_EQ(memory.resident_bytes(), 0u);
}

TEST(IndexMemory, AFewBlocksCostNoMoreThanThemselves) {
  IndexMemory memory;
  const auto blocks = Blocks(&memory, 3);
  EXPECT_EQ(memory.resident_bytes(), 3 * kBlock);
  for (std::byte* const block : blocks) memory.Free(block, kBlock);
}

TEST(IndexMemory, HugePagesCountWholeUntilTheyAreEmpty) {
  IndexMemory memory;
  auto blocks = Blocks(&memory, 8 * kPageBlocks + 2);
  EXPECT_EQ(memory.resident_bytes(), 9 * kHugePageBytes);
  memory.Free(blocks[8 * kPageBlocks], kBlock);
  EXPECT_EQ(memory.resident_bytes(), 9 * kHugePageBytes);
  memory.Free(blocks[8 * kPageBlocks + 1], kBlock);
  EXPECT_EQ(memory.resident_bytes(), 8 * kHugePageBytes);
  blocks.resize(8 * kPageBlocks);
  for (std::byte* const block : blocks) memory.Free(block, kBlock);
  EXPECT_EQ(memory.resident_bytes(), 0u);
}

TEST(IndexMemory, SmallPagesAreJoinedOnceAllOfThemAreUsed) {
  IndexMemory memory;
  auto blocks = Blocks(&memory, kPageBlocks - 1);
  EXPECT_EQ(memory.MapAhead().memory, nullptr);
  blocks.push_back(memory.Allocate(kBlock));
  memory.Free(blocks[3], kBlock);
  EXPECT_EQ(memory.MapAhead().memory, nullptr);
  EXPECT_EQ(memory.resident_bytes(), kHugePageBytes - kBlock);
  blocks[3] = memory.Allocate(kBlock);
  std::memset(blocks[3], 0xab, kBlock);

  const Mapping joined = memory.MapAhead();
  ASSERT_EQ(joined.memory.get(), *std::min_element(blocks.begin(), blocks.end()));
  EXPECT_EQ(joined.bytes, kHugePageBytes);
  FindPages(joined);
  EXPECT_EQ(blocks[3][kBlock - 1], std::byte{0xab});
  EXPECT_EQ(memory.MapAhead().memory, nullptr) << "once";

  memory.Free(blocks[3], kBlock);
  EXPECT_EQ(memory.resident_bytes(), kHugePageBytes) << "counts whole from then on";
  blocks[3] = memory.Allocate(kBlock);
  EXPECT_TRUE(AllZero(blocks[3], kBlock));
  EXPECT_EQ(memory.MapAhead().memory, nullptr);
  for (std::byte* const block : blocks) memory.Free(block, kBlock);
  EXPECT_EQ(memory.resident_bytes(), 0u);
}

// Until nothing is left to do.
void JoinAll(IndexMemory* memory) {
  while (memory->MapAhead().memory != nullptr) {
  }
}

TEST(IndexMemory, ALargeOneMapsAheadOnceWhileFewBlocksAreFree) {
  IndexMemory memory;
  auto blocks = Blocks(&memory, 7 * kPageBlocks);
  JoinAll(&memory);
  EXPECT_EQ(memory.resident_bytes(), 7 * kHugePageBytes) << "too small yet";
  blocks.push_back(memory.Allocate(kBlock));
  EXPECT_EQ(memory.MapAhead().memory, nullptr);  // there are blocks enough
  for (size_t i = 1; i < kPageBlocks; ++i) blocks.push_back(memory.Allocate(kBlock));
  EXPECT_NE(memory.MapAhead().memory, nullptr);  // of the eighth
  const Mapping ahead = memory.MapAhead();
  ASSERT_NE(ahead.memory, nullptr);
  EXPECT_EQ(ahead.bytes, kHugePageBytes);
  EXPECT_EQ(memory.resident_bytes(), 9 * kHugePageBytes);
  EXPECT_EQ(memory.MapAhead().memory, nullptr);
  blocks.push_back(memory.Allocate(kBlock));
  EXPECT_EQ(blocks.back(), ahead.memory.get());
  EXPECT_EQ(memory.resident_bytes(), 9 * kHugePageBytes);
  for (std::byte* const block : blocks) memory.Free(block, kBlock);
}

}  // namespace
}  // namespace rowhouse

#include "storage/huge_pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace rowhouse {
namespace {

bool InMemory(std::byte* memory, size_t bytes) {
  constexpr size_t kPageBytes = 4096;
  for (size_t at = 0; at < bytes; at += kPageBytes) {
    unsigned char in_memory = 0;
    if (mincore(memory + at, kPageBytes, &in_memory) != 0 || (in_memory & 1) == 0) return false;
  }
  return true;
}

TEST(HugePages, MappingsBeginAtAHugePageAndAreZero) {
  const MappedBytes memory = MapHuge(2 * kHugePageBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.get()) % kHugePageBytes, 0u);
  EXPECT_TRUE(std::all_of(memory.get(), memory.get() + 2 * kHugePageBytes,
                          [](std::byte b) { return b == std::byte{0}; }));
}

TEST(HugePages, FindPagesBringsAllIntoMemoryAndChangesNothing) {
  std::byte* const memory = MapAligned(kHugePageBytes);
  const Mapping mapping{std::shared_ptr<std::byte[]>(memory, Unmap{kHugePageBytes}),
                        kHugePageBytes};
  madvise(memory, kHugePageBytes, MADV_NOHUGEPAGE);
  memory[5000] = std::byte{7};
  ASSERT_FALSE(InMemory(memory, kHugePageBytes));
  FindPages(mapping);
  EXPECT_TRUE(InMemory(memory, kHugePageBytes));
  EXPECT_EQ(memory[5000], std::byte{7});
  EXPECT_EQ(memory[5001], std::byte{0});
}

}  // namespace
}  // namespace rowhouse

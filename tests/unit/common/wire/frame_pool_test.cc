#include "common/wire/frame_pool.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace rowhouse {
namespace {

constexpr size_t kMany = 1 << 20;

TEST(FramePool, GivesTheSameMemoryAgain) {
  FramePool pool(kMany);
  FrameMemory memory = pool.Take(1000);
  EXPECT_GE(memory.capacity_bytes, 1000u);
  const uint64_t* const words = memory.words.get();
  pool.Give(std::move(memory));
  EXPECT_EQ(pool.Take(700).words.get(), words);
  EXPECT_EQ(pool.kept_bytes(), 0u);
}

TEST(FramePool, HasRoomForEverySize) {
  FramePool pool(kMany);
  for (const size_t bytes : {1u, 127u, 128u, 129u, 4096u, 4097u, 100000u}) {
    FrameMemory memory = pool.Take(bytes);
    EXPECT_GE(memory.capacity_bytes, bytes);
    memory.words[(bytes - 1) / 8] = 1;
    pool.Give(std::move(memory));
  }
}

TEST(FramePool, KeepsNoMoreThanItMay) {
  FramePool pool(10000);
  std::vector<FrameMemory> taken;
  for (int i = 0; i < 20; ++i) taken.push_back(pool.Take(1024));
  for (FrameMemory& memory : taken) pool.Give(std::move(memory));
  EXPECT_LE(pool.kept_bytes(), 10000u);
  EXPECT_GT(pool.kept_bytes(), 0u);
}

TEST(FramePool, GivesBackWhatABurstLeft) {
  FramePool pool(64 * kMany);
  std::vector<FrameMemory> burst;
  for (int i = 0; i < 16; ++i) burst.push_back(pool.Take(kMany));
  for (FrameMemory& memory : burst) pool.Give(std::move(memory));
  ASSERT_EQ(pool.kept_bytes(), 16 * kMany);
  // One large frame at a time is still needed; fifteen are not.
  for (uint32_t i = 0; i < 2 * FramePool::kRoundTakes; ++i) {
    pool.Give(pool.Take(i % 2 == 0 ? kMany : 64));
  }
  EXPECT_GE(pool.kept_bytes(), kMany);
  EXPECT_LE(pool.kept_bytes(), 2 * kMany);
}

TEST(FramePool, RefusesForeignMemory) {
  FramePool pool(kMany);
  pool.Give(FrameMemory());
  pool.Give(FrameMemory::Of(1000));
  EXPECT_EQ(pool.kept_bytes(), 0u);
}

}  // namespace
}  // namespace rowhouse

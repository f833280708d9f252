#include "worker/client/pull_packing.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "common/refusal.h"
#include "common/wire/data.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

using Packed = std::vector<std::vector<SectionRun>>;

Packed Pack(const std::vector<SectionSize>& sections, RequestLimits limits) {
  const auto packed = PackPull(sections, limits);
  EXPECT_TRUE(packed.ok()) << packed.status();
  return packed.value_or(Packed{});
}

// Every row once, in order, within the limits.
void ExpectSound(const std::vector<SectionSize>& sections, RequestLimits limits,
                 const Packed& packed) {
  std::vector<uint64_t> next(sections.size(), 0);
  uint32_t section = 0;
  for (const auto& request : packed) {
    uint64_t keys = 0;
    uint64_t floats = 0;
    ASSERT_FALSE(request.empty());
    for (const SectionRun& run : request) {
      ASSERT_GE(run.section, section);
      section = run.section;
      EXPECT_EQ(run.first, next[section]);
      EXPECT_GT(run.count, 0u);
      next[section] += run.count;
      keys += run.count;
      floats += run.count * sections[section].dim;
    }
    EXPECT_LE(keys, limits.keys_max);
    EXPECT_LE(request.size(), kSectionCountMax);
    EXPECT_LE(FrameBytes(sizeof(PullHeader) + request.size() * sizeof(SectionHeader) + keys * 8),
              limits.frame_bytes_max);
    EXPECT_LE(FrameBytes(sizeof(PullAnswerHeader) + floats * 4), limits.frame_bytes_max);
  }
  for (size_t i = 0; i < sections.size(); ++i) EXPECT_EQ(next[i], sections[i].row_count);
}

TEST(PackPull, LeavesWhatFitsInOneRequest) {
  const Packed packed = Pack({{10, 4}, {0, 4}, {5, 1}}, {15, 1 << 20});
  ASSERT_EQ(packed.size(), 1u);
  ASSERT_EQ(packed[0].size(), 2u);
  EXPECT_EQ(packed[0][1].section, 2u);
}

TEST(PackPull, CutsAtTheLimitOfKeys) {
  const Packed packed = Pack({{10, 4}, {5, 1}}, {6, 1 << 20});
  ASSERT_EQ(packed.size(), 3u);
  EXPECT_EQ(packed[1].size(), 2u);
  EXPECT_EQ(packed[2][0].count, 3u);
}

TEST(PackPull, CutsWhereTheAnswerWouldBeTooLarge) {
  // 40 + 24 + 3 * 256 = 832 bytes for three rows.
  EXPECT_EQ(Pack({{9, 64}}, {1000, 832}).size(), 3u);
  EXPECT_EQ(Pack({{9, 64}}, {1000, 831}).size(), 5u);
}

TEST(PackPull, CutsAtTheLimitOfTables) {
  const std::vector<SectionSize> sections(kSectionCountMax + 1, SectionSize{1, 1});
  EXPECT_EQ(Pack(sections, {1000, 1 << 20}).size(), 2u);
}

TEST(PackPull, OfNothingIsNothing) {
  EXPECT_TRUE(Pack({}, {1, 4096}).empty());
  EXPECT_TRUE(Pack({{0, 8192}}, {1, 4096}).empty());
}

TEST(PackPull, RefusesRowsThatNoFrameHolds) {
  const std::vector<SectionSize> sections = {{1, 8192}};
  const auto packed = PackPull(sections, {1, 4096});
  EXPECT_EQ(ReasonOf(packed.status()), RefusalReason::kFrameTooLarge);
  EXPECT_NE(std::string(packed.status().message()).find("frame_bytes_max"), std::string::npos);
}

TEST(PackPull, IsSoundForRandomSizes) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<SectionSize> sections(random() % 80);
    for (SectionSize& section : sections) {
      section = {random() % 200, static_cast<uint32_t>(1 + random() % 200)};
    }
    const RequestLimits limits = {1 + random() % 300, 1024 + random() % 5000};
    ExpectSound(sections, limits, Pack(sections, limits));
  }
}

}  // namespace
}  // namespace rowhouse

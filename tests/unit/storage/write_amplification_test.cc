// What the order of a flush's files costs RocksDB, by its own statistics.
#include <gtest/gtest.h>
#include <rocksdb/statistics.h>

#include <algorithm>
#include <random>
#include <thread>

#include "storage/rocks_disk_tier_internal.h"
#include "storage/row_codec.h"
#include "tests/support/temp_dir.h"

namespace rowhouse {
namespace {

constexpr uint64_t kRows = 40'000;
constexpr uint64_t kFileRows = 2'000;
constexpr int kFlushes = 5;

// Compactions go on in the background: ingest what changes nothing until no more is written.
void WaitUntilQuiet(const rocksdb::Statistics& statistics) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  uint64_t before = ~uint64_t{0};
  for (int quiet = 0; quiet < 5 && std::chrono::steady_clock::now() < deadline;) {
    const uint64_t now = statistics.getTickerCount(rocksdb::COMPACT_WRITE_BYTES) +
                         statistics.getTickerCount(rocksdb::COMPACT_READ_BYTES);
    quiet = now == before ? quiet + 1 : 0;
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// Bytes that compaction wrote for each byte ingested, where every row is flushed several times.
double WriteAmplification(bool in_key_order) {
  const TempDir dir;
  const std::shared_ptr<rocksdb::Statistics> statistics = rocksdb::CreateDBStatistics();
  auto tier = OpenRocksDiskTier(dir.path() + "/rows", {.statistics = statistics});
  EXPECT_TRUE(tier.ok()) << tier.status();
  std::vector<std::string> keys;
  for (uint64_t key = 0; key < kRows; ++key) keys.push_back(EncodeRowKey(TableId(1), Key(key)));
  std::shuffle(keys.begin(), keys.end(), std::mt19937_64(1));
  if (in_key_order) std::sort(keys.begin(), keys.end());
  uint64_t ingested = 0;
  for (int flush = 0; flush < kFlushes; ++flush) {
    for (uint64_t first = 0; first < kRows; first += kFileRows) {
      EntryBuffer buffer;
      for (uint64_t i = first; i < first + kFileRows; ++i) {
        buffer.Add(keys[i], std::string(200, static_cast<char>('a' + flush)));
        ingested += keys[i].size() + 200;
      }
      EXPECT_TRUE((*tier)->Ingest(buffer.Sorted()).ok());
    }
    WaitUntilQuiet(*statistics);
  }
  const double amplification =
      static_cast<double>(statistics->getTickerCount(rocksdb::COMPACT_WRITE_BYTES)) /
      static_cast<double>(ingested);
  ::testing::Test::RecordProperty(in_key_order ? "in_key_order" : "in_row_order",
                                  std::to_string(amplification));
  std::printf("%s: compaction wrote %.2f bytes for each ingested\n",
              in_key_order ? "files that follow each other" : "files that overlap", amplification);
  return amplification;
}

TEST(WriteAmplification, FilesThatFollowEachOtherCostLittle) {
  const double follow = WriteAmplification(true);
  const double overlap = WriteAmplification(false);
  EXPECT_LT(follow, 1.5);
  EXPECT_GT(overlap, 2 * follow);
}

}  // namespace
}  // namespace rowhouse

// A start in a pipeline of threads gives what a start on one thread gives; and what it tells.
#include "ps/restore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "ps/restore_report.h"
#include "storage/row_codec.h"
#include "tests/support/shard_driver.h"

namespace rowhouse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TableSpec Spec(std::string name, uint32_t dim) {
  TableSpec spec;
  spec.name = std::move(name);
  spec.dim = dim;
  spec.durability = Durability::kLog;
  spec.initializer = Initializer::Uniform(-1, 1);
  return spec;
}

class RestoreTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kRows = 3000;

  void SetUp() override {
    ASSERT_TRUE(driver_.Start().ok());
    driver_.Create(spec_);
    driver_.Open(ClientId(7), Incarnation(1));
    for (uint64_t s = 1; s <= 20; ++s) Push(s);
    ASSERT_TRUE(driver_.Stop());  // flushed
    ASSERT_TRUE(driver_.Start().ok());
    for (uint64_t s = 21; s <= 40; ++s) Push(s);
    driver_.Crash();
  }

  void Push(uint64_t sequence) {
    TestPush push;
    push.sequence = push.unretried_below = Sequence(sequence);
    std::vector<Key> keys;
    for (uint64_t i = 0; i < kRows / 10; ++i) keys.push_back(Key((sequence * 37 + i * 11) % kRows));
    const auto gradient = static_cast<float>(sequence) / 64;
    push.sections = {SectionOf(spec_, keys, std::vector<float>(keys.size() * 4, gradient))};
    const Reply reply = driver_.Send(Op::kPush, PushBody(push));
    ASSERT_TRUE(reply.answered && reply.status.ok()) << reply.status;
  }

  absl::Status Start(uint32_t threads) {
    RestoreOptions options;
    options.threads = threads;
    options.observe = [this](const RestoreProgress& progress) {
      EXPECT_GE(progress.fraction, 0);
      EXPECT_LE(progress.fraction, 1);
      last_ = progress;
    };
    return driver_.Start(options);
  }

  std::vector<float> AllRows() {
    std::vector<Key> keys;
    for (uint64_t key = 0; key < kRows; ++key) keys.push_back(Key(key));
    return driver_.Pull(spec_, keys);
  }

  // As they lie in memory.
  std::vector<Key> OrderOfRows() {
    std::vector<Key> keys;
    TableRows& table = *driver_.tables().all().front();
    table.Visit(0, table.row_number_end(),
                [&](std::byte* row) { keys.push_back(RowLayout::Header(row).key); });
    return keys;
  }

  const TableSpec spec_ = Spec("t", 4);
  ShardDriver driver_;
  RestoreProgress last_;
};

TEST_F(RestoreTest, ThreadsChangeNothing) {
  ASSERT_TRUE(Start(0).ok());
  const RestoreProgress alone = last_;
  const std::vector<float> rows = AllRows();
  EXPECT_EQ(alone.phase, RestoreProgress::Phase::kDone);
  EXPECT_GT(alone.rows, 1000u);
  EXPECT_GE(alone.records, 20u);
  EXPECT_EQ(alone.record_rows, 20 * kRows / 10);
  std::vector<Key> order;
  for (const uint32_t threads : {1u, 2u, 5u}) {
    driver_.Crash();
    ASSERT_TRUE(Start(threads).ok());
    EXPECT_EQ(AllRows(), rows);
    if (order.empty()) order = OrderOfRows();
    EXPECT_EQ(OrderOfRows(), order);  // by slots, whoever reads faster
    EXPECT_EQ(last_.rows, alone.rows);
    EXPECT_EQ(last_.records, alone.records);
    EXPECT_EQ(last_.record_rows, alone.record_rows);
    EXPECT_EQ(last_.fraction, 1);
  }
}

TEST_F(RestoreTest, ADamagedRowStopsTheStartWithOrWithoutThreads) {
  ASSERT_TRUE(driver_.disk()
                  .Ingest(std::vector<DiskEntry>{
                      {EncodeRowKey(TableIdOf(spec_.name), Key(1 << 20)), std::string(9, 'x')}})
                  .ok());
  for (const uint32_t threads : {0u, 1u, 3u}) {
    const absl::Status status = Start(threads);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    driver_.Crash();
  }
}

TEST_F(RestoreTest, ADamagedLogStopsTheStartWithOrWithoutThreads) {
  auto names = driver_.files().List();
  ASSERT_TRUE(names.ok());
  std::vector<std::byte>& bytes = driver_.files().Contents(names->back());
  bytes[bytes.size() / 2] ^= std::byte{1};  // the last start synced all of it, and batches say so
  for (const uint32_t threads : {0u, 1u, 3u}) {
    const absl::Status status = Start(threads);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("offset"));
    driver_.Crash();
  }
}

TEST(RestoreReport, SaysPhasesRatesAndTimeLeft) {
  double now = 100;
  std::vector<std::string> lines;
  RestoreReport report(
      "shard 0 of 1", [&] { return now; },
      [&](std::string_view line) { lines.emplace_back(line); });
  RestoreProgress progress;
  report.Note(progress);
  for (int i = 0; i < 8; ++i) {
    now += 1;
    progress.rows += 1'500'000;
    progress.fraction += 0.1;
    report.Note(progress);
  }
  progress.phase = RestoreProgress::Phase::kLog;
  report.Note(progress);
  now += 0.5;
  progress.records = 10;
  progress.record_rows = 5000;
  report.Note(progress);
  progress.phase = RestoreProgress::Phase::kDone;
  report.Note(progress);
  EXPECT_THAT(
      lines,
      ElementsAre(
          "shard 0 of 1: loading rows",
          "shard 0 of 1: loading: 4500000 rows, 1.50 M rows/s, 30 %, about 7 s left",
          "shard 0 of 1: loading: 9000000 rows, 1.50 M rows/s, 60 %, about 4 s left",
          "shard 0 of 1: loaded 12000000 rows in 8.00 s (1.50 M rows/s); replaying the push log",
          "shard 0 of 1: replayed 10 log records with 5000 rows in 0.50 s (10 k rows/s); ready "
          "after 8.50 s in all"));
}

}  // namespace
}  // namespace rowhouse

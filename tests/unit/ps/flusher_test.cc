#include "ps/flusher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "storage/row_codec.h"

namespace rowhouse {
namespace {

using ::testing::IsEmpty;

TableRecord Record(std::string name) {
  TableRecord record;
  record.spec.name = std::move(name);
  record.spec.dim = 2;
  record.spec.initializer = Initializer::Zeros();
  record.generation = Generation(1);
  return record;
}

class FlusherTest : public ::testing::Test {
 protected:
  using Files = std::vector<std::vector<std::string>>;  // keys

  static void Dirty(TableRows* table, uint64_t first, uint64_t count, Lsn lsn) {
    for (uint64_t key = first; key < first + count; ++key) {
      const Key one(key);
      std::byte* row = nullptr;
      table->FindOrCreate({&one, 1}, {&row, 1});
      RowHeader& header = RowLayout::Header(row);
      header.lsn = lsn;
      header.generation = table->generation();
      header.flags |= kRowDirty;
      RowLayout::Weights(row)[0] = static_cast<float>(lsn.value());
    }
  }

  static Flusher::Bookkeeping NoBookkeeping() {
    return [](Lsn) { return std::vector<DiskEntry>(); };
  }

  // Runs one flush; `between` is called before every step.
  Files Flush(
      Flusher::Options options, Lsn watermark, std::function<void()> between = [] {}) {
    Flusher flusher(options, &tables_, [](Lsn lsn) {
      return std::vector<DiskEntry>{{MetaKey("watermark"), std::to_string(lsn.value())}};
    });
    Files files;
    Flusher::Next next = flusher.Begin(watermark);
    while (next != Flusher::Next::kFinished) {
      switch (next) {
        case Flusher::Next::kStep:
          between();
          next = flusher.Step(watermark);
          break;
        case Flusher::Next::kSync:
          next = flusher.Synced(flusher.sync_lsn());
          break;
        default:
          EXPECT_EQ(next, Flusher::Next::kFile);
          EXPECT_EQ(flusher.job().rows_lsn, flusher.sync_lsn());
          files.emplace_back();
          for (const DiskEntryView& entry : flusher.job().entries->Sorted()) {
            files.back().emplace_back(entry.key);
            disk_[std::string(entry.key)] = entry.value;
          }
          next = flusher.FileDone(absl::OkStatus());
      }
    }
    EXPECT_FALSE(flusher.running());
    return files;
  }

  static void ExpectNoOverlap(const Files& files) {
    for (size_t i = 1; i < files.size(); ++i) {
      EXPECT_LT(files[i - 1].back(), files[i].front()) << "file " << i;
    }
  }

  void ExpectAllClean(TableRows* table) {
    table->Visit(0, table->row_number_end(),
                 [](std::byte* row) { EXPECT_EQ(RowLayout::Header(row).flags & kRowDirty, 0u); });
  }

  TableSet tables_;
  TableRows* a_ = tables_.Create(Record("a"));
  TableRows* b_ = tables_.Create(Record("b"));
  std::map<std::string, std::string> disk_;
};

TEST_F(FlusherTest, FilesFollowEachOtherInTheOrderOfKeys) {
  Dirty(a_, 0, 3000, Lsn(1));
  Dirty(b_, 500, 2000, Lsn(2));
  const Files files = Flush({.step_rows = 64, .file_rows = 700}, Lsn(2));
  EXPECT_GE(files.size(), 7u);
  ExpectNoOverlap(files);
  EXPECT_EQ(disk_.size(), 5001u);
  EXPECT_EQ(files.back(), std::vector<std::string>{MetaKey("watermark")});
  ExpectAllClean(a_);
}

TEST_F(FlusherTest, RoundsOfFewRowsMissNothingAndStillFollowEachOther) {
  Dirty(a_, 0, 4000, Lsn(1));
  Dirty(b_, 0, 1000, Lsn(2));
  const Files files = Flush({.step_rows = 50, .file_rows = 300, .round_rows = 450}, Lsn(2));
  ExpectNoOverlap(files);
  EXPECT_EQ(disk_.size(), 5001u);
  for (size_t i = 0; i + 1 < files.size(); ++i) EXPECT_LE(files[i].size(), 600u);
  ExpectAllClean(a_);
  ExpectAllClean(b_);
}

// Rows that change and appear meanwhile may be written or not, but what was dirty at the beginning
// is, in a state at or after that.
TEST_F(FlusherTest, WhatWasDirtyAtTheBeginningIsWrittenWhateverHappensMeanwhile) {
  for (const uint32_t round_rows : {200u, 1u << 20}) {
    disk_.clear();
    Dirty(a_, 0, 1500, Lsn(5));
    uint64_t step = 0;
    Flush({.step_rows = 32, .file_rows = 100, .round_rows = round_rows}, Lsn(5), [&] {
      Dirty(a_, step * 13 % 1500, 9, Lsn(6 + step));
      Dirty(b_, 10 * step, 10, Lsn(6 + step));
      ++step;
    });
    for (uint64_t key = 0; key < 1500; ++key) {
      const auto found = disk_.find(EncodeRowKey(a_->id(), Key(key)));
      ASSERT_NE(found, disk_.end()) << key;
    }
    // What is dirty still is what changed after it was copied: another flush has it all.
    Flush({}, Lsn(6 + step));
    a_->Visit(0, a_->row_number_end(), [&](std::byte* row) {
      const DiskEntry entry = EncodeRow(a_->id(), a_->layout(), row);
      EXPECT_EQ(disk_[entry.key], entry.value);
    });
  }
}

TEST_F(FlusherTest, NothingDirtyWritesTheBookkeepingAlone) {
  EXPECT_EQ(Flush({}, Lsn(9)).size(), 1u);
  EXPECT_EQ(disk_[MetaKey("watermark")], "9");
}

TEST_F(FlusherTest, AFailedFileIsOfferedAgainUnchanged) {
  Dirty(a_, 0, 10, Lsn(1));
  Flusher flusher({}, &tables_, [](Lsn) { return std::vector<DiskEntry>{{MetaKey("w"), ""}}; });
  Flusher::Next next = flusher.Begin(Lsn(1));
  while (next == Flusher::Next::kStep) next = flusher.Step(Lsn(3));
  EXPECT_EQ(next, Flusher::Next::kSync);
  EXPECT_EQ(flusher.sync_lsn(), Lsn(3));
  EXPECT_EQ(flusher.Synced(Lsn(2)), Flusher::Next::kSync);
  EXPECT_EQ(flusher.Synced(Lsn(3)), Flusher::Next::kFile);
  EXPECT_EQ(flusher.FileDone(absl::UnavailableError("disk")), Flusher::Next::kNothing);
  EXPECT_EQ(flusher.Retry(), Flusher::Next::kFile);
  EXPECT_EQ(flusher.job().entries->entry_count(), 10u);
}

// More rounds, less to note at a time.
TEST_F(FlusherTest, WhatItHasNotedAndCopiedIsCounted) {
  TableRows* const table = tables_.Create(Record("user"));
  Dirty(table, 0, 1000, Lsn(2));
  uint64_t most_with_one_round = 0;
  for (const uint32_t round_rows : {1u << 20, 200u}) {
    Flusher flusher({.step_rows = 50, .file_rows = 10, .round_rows = round_rows}, &tables_,
                    NoBookkeeping());
    EXPECT_EQ(flusher.used_bytes(), 0u);
    uint64_t most = 0;
    for (Flusher::Next next = flusher.Begin(Lsn(2)); next == Flusher::Next::kStep;) {
      next = flusher.Step(Lsn(2));
      most = std::max(most, flusher.used_bytes());
    }
    const uint64_t rows_of_file = flusher.job().entries->entry_count();
    EXPECT_GT(flusher.used_bytes(), rows_of_file * table->layout().stride_bytes());
    if (most_with_one_round == 0) {
      most_with_one_round = most;
      EXPECT_GT(most, 1000 * DirtyRows::kRowBytes);
      table->Visit(0, ~0ull, [&](std::byte* row) { RowLayout::Header(row).flags |= kRowDirty; });
    } else {
      EXPECT_LT(most, most_with_one_round - 700 * DirtyRows::kRowBytes);
    }
  }
}

}  // namespace
}  // namespace rowhouse

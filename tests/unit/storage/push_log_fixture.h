// A push log over files in memory, and records that follow from their LSNs.
//
// Threading: one thread.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/wire/frame.h"
#include "storage/memory_log_files.h"
#include "storage/push_log.h"

namespace rowhouse {

// Contents follow from the LSN: prefixes of 0 to 12 bytes.
inline LogRecord RecordOf(uint64_t lsn, size_t body_bytes) {
  const auto body = std::make_shared<std::vector<std::byte>>(body_bytes);
  std::mt19937_64 random(lsn);
  for (std::byte& b : *body) b = static_cast<std::byte>(random());
  LogRecord record;
  record.lsn = Lsn(lsn);
  record.type = lsn % 5 == 0 ? RecordType::kOpenClient : RecordType::kPush;
  record.arrival_ms = 1000 + lsn;
  record.prefix.assign(lsn % 4 * 4, static_cast<std::byte>(lsn));
  record.body = *body;
  record.body_checksum = Checksum(record.body);
  record.owner = body;
  return record;
}

// Bodies of 0 to 40 bytes.
inline LogRecord RecordOf(uint64_t lsn) { return RecordOf(lsn, lsn * 7 % 41); }

inline std::vector<LogRecord> RecordsOf(uint64_t first, uint64_t last) {
  std::vector<LogRecord> records;
  for (uint64_t lsn = first; lsn <= last; ++lsn) records.push_back(RecordOf(lsn));
  return records;
}

inline void ExpectSame(const LogRecord& got, const LogRecord& want) {
  EXPECT_EQ(got.lsn, want.lsn);
  EXPECT_EQ(got.type, want.type);
  EXPECT_EQ(got.arrival_ms, want.arrival_ms);
  EXPECT_EQ(got.prefix, want.prefix);
  EXPECT_EQ(got.body_checksum, want.body_checksum);
  EXPECT_TRUE(std::ranges::equal(got.body, want.body)) << "LSN " << want.lsn;
  EXPECT_EQ(reinterpret_cast<uintptr_t>(got.body.data()) % 8, 0u);
}

// A log over files in memory, and what its last Open replayed.
class PushLogTest : public ::testing::Test {
 protected:
  absl::Status TryOpen(uint64_t watermark = 0, uint64_t synced = 0) {
    log_.reset();
    replayed_.clear();
    auto log =
        PushLog::Open(&files_, options_, Lsn(watermark), Lsn(synced), [&](const LogRecord& record) {
          replayed_.push_back(record);
          return absl::OkStatus();
        });
    if (!log.ok()) return log.status();
    log_ = std::move(*log);
    return absl::OkStatus();
  }
  void Open(uint64_t watermark = 0, uint64_t synced = 0) {
    const absl::Status status = TryOpen(watermark, synced);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Failure(uint64_t watermark = 0, uint64_t synced = 0) {
    const absl::Status status = TryOpen(watermark, synced);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), ::testing::StartsWith("push log: "));
    return std::string(status.message());
  }
  void Write(uint64_t first, uint64_t last) {
    const absl::Status status = log_->Write(RecordsOf(first, last));
    ASSERT_TRUE(status.ok()) << status;
  }
  void Sync() { ASSERT_TRUE(log_->Sync().ok()); }
  void ExpectReplayed(uint64_t first, uint64_t last) {
    ASSERT_EQ(replayed_.size(), last + 1 - first);
    for (uint64_t lsn = first; lsn <= last; ++lsn)
      ExpectSame(replayed_[lsn - first], RecordOf(lsn));
  }
  std::vector<std::string> Names() { return files_.List().value(); }
  std::vector<std::byte>& Contents(size_t segment) { return files_.Contents(Names().at(segment)); }

  // Three synced batches (LSN 1, 2-4, 5-6) and an unsynced one (7-9), in one segment.
  void WriteSample() {
    Open();
    Write(1, 1);
    Write(2, 4);
    Write(5, 6);
    Sync();
    tail_offset_ = log_->size_bytes();
    Write(7, 9);
  }

  MemoryLogFiles files_;
  std::vector<RemovedFile> removed_;
  PushLogOptions options_;
  std::unique_ptr<PushLog> log_;
  std::deque<LogRecord> replayed_;
  uint64_t tail_offset_ = 0;
};

}  // namespace rowhouse

// The fuzzy flush: dirty rows go to the disk tier in files, while requests go on in between.
//
// A flush that begins when record W is the last one applied visits every row once, in small steps;
// what it finds dirty is copied into a file of at most file_rows rows. A file is written only after
// the log is synced up to everything that its rows have seen. After the last one the bookkeeping is
// written (watermark W, tables, clients), then the log may be trimmed through W. Rows may be ahead
// of W: replay skips what they have. (The rule of ARIES's page LSN.) Each file also says up to
// which LSN its rows have come, so that a start knows it without reading them all.
//
// Threading: one shard, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"
#include "ps/table_set.h"
#include "storage/disk_tier.h"

namespace rowhouse {

class Flusher {
 public:
  struct Options {
    uint32_t step_rows = 2048;   // rows looked at in one step: a few hundred microseconds
    uint32_t file_rows = 65536;  // rows in one file
    uint64_t file_bytes = std::numeric_limits<uint64_t>::max();  // copied for one file
  };
  // Entries of the bookkeeping for a given watermark.
  using Bookkeeping = std::function<std::vector<DiskEntry>(Lsn watermark)>;

  enum class Next {
    kNothing,   // idle, or waiting for a file job
    kStep,      // call Step again soon
    kSync,      // wait until the log is synced through sync_lsn(), then call Synced
    kFile,      // carry out a file job with entries(), then call FileDone
    kFinished,  // watermark() is on disk
  };

  Flusher(Options options, const TableSet* tables, Bookkeeping bookkeeping)
      : options_(options), tables_(tables), bookkeeping_(std::move(bookkeeping)) {}

  bool running() const { return phase_ != Phase::kIdle; }
  Lsn watermark() const { return watermark_; }
  Lsn sync_lsn() const { return sync_lsn_; }
  std::vector<DiskEntry>* entries() { return &entries_; }
  // The mark in the flags of rows that are in a file which is not on disk yet; 0 for none.
  uint32_t file() const { return entries_.empty() ? 0 : file_; }
  uint64_t copied_bytes() const { return copied_bytes_; }

  // REQUIRES: !running().
  Next Begin(Lsn last_applied);
  // `last_applied`: what the rows may have seen by now.
  Next Step(Lsn last_applied);
  Next Synced(Lsn synced);
  // A failed file is offered again: call Retry for it.
  Next FileDone(const absl::Status& status);
  Next Retry() const { return phase_ == Phase::kFile ? Next::kFile : Next::kNothing; }

 private:
  enum class Phase { kIdle, kCollect, kSync, kFile };

  void CollectRows();
  void CloseFile();
  bool FileIsFull() const {
    return entries_.size() >= options_.file_rows || copied_bytes_ >= options_.file_bytes;
  }
  bool Exhausted() const { return table_ == tables_->all().size(); }

  Options options_;
  const TableSet* tables_;
  Bookkeeping bookkeeping_;

  Phase phase_ = Phase::kIdle;
  Lsn watermark_;
  Lsn sync_lsn_;
  size_t table_ = 0;  // position in the visit
  uint64_t row_ = 0;
  bool bookkeeping_written_ = false;
  std::vector<DiskEntry> entries_;
  uint64_t copied_bytes_ = 0;
  uint32_t file_ = 1;  // 1 to 255, then 1 again: rows of so old a file have long been on disk
};

}  // namespace rowhouse

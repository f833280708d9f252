// The fuzzy flush: dirty rows go to the disk tier in files, while requests go on in between.
//
// A flush that begins when record W is the last one applied visits every row, in small steps, and
// notes those that are dirty; then it copies them, slot after slot, into files of about file_rows
// rows. So the files of one flush follow each other in the order of their keys: the disk tier has
// hardly anything to merge. A file is written only after the log is synced up to everything that
// its rows have seen. After the last one the bookkeeping is written (watermark W, tables, clients),
// then the log may be trimmed through W. Rows may be ahead of W: replay skips what they have. (The
// rule of ARIES's page LSN.)
//
// A row that was copied is clean, but until its file is on disk it must not leave memory: its flags
// name the file.
//
// At most round_rows rows are noted at a time; where there are more rows, the slots are flushed in
// rounds, each of which visits every row anew.
//
// Threading: one shard, one thread.
// Cost: 16 bytes for each row noted and the bytes of one file, while a flush runs.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"
#include "ps/dirty_rows.h"
#include "ps/effects.h"
#include "ps/table_set.h"
#include "storage/entry_buffer.h"

namespace rowhouse {

class Flusher {
 public:
  struct Options {
    uint32_t step_rows = 2048;      // rows looked at in one step: a few hundred microseconds
    uint32_t file_rows = 65536;     // rows in one file, a few more to end with a slot
    uint32_t round_rows = 1 << 20;  // rows noted at a time
    uint64_t file_bytes = std::numeric_limits<uint64_t>::max();  // of one file, likewise
  };
  // Entries of the bookkeeping for a given watermark.
  using Bookkeeping = std::function<std::vector<DiskEntry>(Lsn watermark)>;

  enum class Next {
    kNothing,   // idle, or waiting for a file job
    kStep,      // call Step again soon
    kSync,      // wait until the log is synced through sync_lsn(), then call Synced
    kFile,      // carry out job(), then call FileDone
    kFinished,  // watermark() is on disk
  };

  Flusher(Options options, const TableSet* tables, Bookkeeping bookkeeping)
      : options_(options), tables_(tables), bookkeeping_(std::move(bookkeeping)) {}

  bool running() const { return phase_ != Phase::kIdle; }
  Lsn watermark() const { return watermark_; }
  Lsn sync_lsn() const { return sync_lsn_; }
  FileJob job() const { return {&file_, sync_lsn_}; }
  // The mark in the flags of rows whose file is not on disk yet; 0 where there are none.
  uint32_t file_mark() const { return file_.empty() ? 0 : file_mark_; }
  // What it has noted and copied.
  uint64_t used_bytes() const { return dirty_.used_bytes() + file_bytes_; }

  // REQUIRES: !running().
  Next Begin(Lsn last_applied);
  // `last_applied`: what the rows may have seen by now.
  Next Step(Lsn last_applied);
  Next Synced(Lsn synced);
  // A failed file is offered again: call Retry for it.
  Next FileDone(const absl::Status& status);
  Next Retry() const { return phase_ == Phase::kFile ? Next::kFile : Next::kNothing; }

 private:
  enum class Phase { kIdle, kCount, kNote, kCopy, kSync, kFile };

  // One step over the rows; true when all have been visited.
  template <typename Visitor>
  bool VisitDirty(Visitor visit);
  void BeginRound();
  void CopyRows();
  void CopyRow(const DirtyRows::Ref& ref);
  bool FileIsFull() const;
  bool RoundIsCopied() const { return slot_rows_.empty() && next_slot_ == round_end_; }

  Options options_;
  const TableSet* tables_;
  Bookkeeping bookkeeping_;

  Phase phase_ = Phase::kIdle;
  Lsn watermark_;
  Lsn sync_lsn_;
  size_t table_ = 0;  // position in the visit
  uint64_t row_ = 0;
  std::vector<uint32_t> counts_;  // dirty rows of each slot; empty where one round is enough
  uint32_t next_slot_ = 0;        // to be copied
  uint32_t round_end_ = 0;        // the first slot that is not of this round
  DirtyRows dirty_;               // of this round
  std::vector<DirtyRows::Ref> slot_rows_;  // of the slot that is being copied
  bool bookkeeping_written_ = false;
  EntryBuffer file_;
  uint64_t file_bytes_ = 0;
  uint32_t file_mark_ = 1;  // 1 to 255, then 1 again: a file of so old a mark has long been on disk
};

}  // namespace rowhouse

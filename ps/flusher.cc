#include "ps/flusher.h"

#include "storage/row_codec.h"

namespace rowhouse {
namespace {

constexpr uint64_t kEntryBytes = 128;  // of a copied row: key, strings and their allocations
constexpr uint32_t kFilesMax = 255;

}  // namespace

Flusher::Next Flusher::Begin(Lsn last_applied) {
  watermark_ = last_applied;
  table_ = 0;
  row_ = 0;
  bookkeeping_written_ = false;
  entries_.clear();
  phase_ = Phase::kCollect;
  return Next::kStep;
}

Flusher::Next Flusher::Step(Lsn last_applied) {
  if (phase_ != Phase::kCollect) return Next::kNothing;
  CollectRows();
  if (!FileIsFull() && !Exhausted()) return Next::kStep;
  sync_lsn_ = last_applied;
  CloseFile();
  phase_ = Phase::kSync;
  return Next::kSync;
}

void Flusher::CloseFile() {
  if (entries_.empty()) {
    entries_ = bookkeeping_(watermark_);
    bookkeeping_written_ = true;
  } else {
    entries_.push_back(RowsLsnEntry(sync_lsn_));
  }
}

void Flusher::CollectRows() {
  if (Exhausted()) return;
  TableRows& table = *tables_->all()[table_];
  row_ = table.Visit(row_, options_.step_rows, [&](std::byte* row) {
    RowHeader& header = RowLayout::Header(row);
    if ((header.flags & kRowDirty) == 0) return;
    entries_.push_back(EncodeRow(table.id(), table.layout(), row));
    copied_bytes_ += entries_.back().value.size() + kEntryBytes;
    header.flags = (header.flags & ~(kRowDirty | kRowFileMask)) | file_ << kRowFileShift;
    table.CountDirty(-1);
  });
  // Rows that are made from here on have seen only records behind the watermark.
  if (row_ >= table.row_number_end()) {
    ++table_;
    row_ = 0;
  }
}

Flusher::Next Flusher::Synced(Lsn synced) {
  if (phase_ != Phase::kSync) return Next::kNothing;
  if (synced < sync_lsn_) return Next::kSync;
  phase_ = Phase::kFile;
  return Next::kFile;
}

Flusher::Next Flusher::FileDone(const absl::Status& status) {
  if (!status.ok()) return Next::kNothing;
  entries_.clear();
  copied_bytes_ = 0;
  file_ = file_ % kFilesMax + 1;
  if (bookkeeping_written_) {
    phase_ = Phase::kIdle;
    return Next::kFinished;
  }
  phase_ = Phase::kCollect;
  return Next::kStep;
}

}  // namespace rowhouse

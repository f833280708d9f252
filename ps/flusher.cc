#include "ps/flusher.h"

#include "storage/row_codec.h"

namespace rowhouse {

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
  if (entries_.size() < options_.file_rows && !Exhausted()) return Next::kStep;
  if (entries_.empty()) {
    entries_ = bookkeeping_(watermark_);
    bookkeeping_written_ = true;
  }
  sync_lsn_ = last_applied;
  phase_ = Phase::kSync;
  return Next::kSync;
}

void Flusher::CollectRows() {
  if (Exhausted()) return;
  TableRows& table = *tables_->all()[table_];
  row_ = table.Visit(row_, options_.step_rows, [&](std::byte* row) {
    RowHeader& header = RowLayout::Header(row);
    if ((header.flags & kRowDirty) == 0) return;
    entries_.push_back(EncodeRow(table.id(), table.layout(), row));
    header.flags &= ~kRowDirty;
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
  if (bookkeeping_written_) {
    phase_ = Phase::kIdle;
    return Next::kFinished;
  }
  phase_ = Phase::kCollect;
  return Next::kStep;
}

}  // namespace rowhouse

#include "ps/flusher.h"

#include <algorithm>

#include "common/fingerprint.h"
#include "common/slot_map.h"
#include "storage/prefetch.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

constexpr size_t kCacheLineBytes = 64;
constexpr size_t kPrefetchBytesMax = 1024;  // beyond it the hardware has seen the pattern
constexpr size_t kRowsAhead = 4;
constexpr uint32_t kFileMarks = kRowFileMask >> kRowFileShift;
constexpr uint64_t kEntryBytes = 96;  // of a copied row beside its values: key, places, sorting

ROWHOUSE_PREFETCHES void PrefetchRow(const std::byte* row, size_t row_bytes) {
  for (size_t at = 0; at < std::min(row_bytes, kPrefetchBytesMax); at += kCacheLineBytes) {
    __builtin_prefetch(row + at);
  }
}

uint64_t RowsOf(const TableSet& tables) {
  uint64_t rows = 0;
  for (const auto& table : tables.all()) rows += table->row_number_end();
  return rows;
}

}  // namespace

Flusher::Next Flusher::Begin(Lsn last_applied) {
  watermark_ = last_applied;
  table_ = 0;
  row_ = 0;
  next_slot_ = 0;
  round_end_ = 0;
  bookkeeping_written_ = false;
  if (RowsOf(*tables_) > options_.round_rows) {
    counts_.assign(kSlotCount, 0);
    phase_ = Phase::kCount;
  } else {
    BeginRound();
  }
  return Next::kStep;
}

Flusher::Next Flusher::Step(Lsn last_applied) {
  switch (phase_) {
    case Phase::kCount:
      if (VisitDirty([this](SlotId slot, DirtyRows::Ref) { ++counts_[slot.value()]; })) {
        BeginRound();
      }
      return Next::kStep;
    case Phase::kNote:
      if (VisitDirty([this](SlotId slot, DirtyRows::Ref ref) {
            if (slot.value() >= next_slot_ && slot.value() < round_end_) dirty_.Add(slot, ref);
          })) {
        phase_ = Phase::kCopy;
      }
      return Next::kStep;
    case Phase::kCopy:
      break;
    default:
      return Next::kNothing;
  }
  CopyRows();
  if (!FileIsFull()) {
    if (!RoundIsCopied()) return Next::kStep;
    if (round_end_ < kSlotCount) {
      BeginRound();
      return Next::kStep;
    }
  }
  if (file_.empty()) {
    for (const DiskEntry& entry : bookkeeping_(watermark_)) file_.Add(entry.key, entry.value);
    bookkeeping_written_ = true;
  }
  sync_lsn_ = last_applied;
  phase_ = Phase::kSync;
  return Next::kSync;
}

// Rows that are made from here on have seen only records behind the watermark.
template <typename Visitor>
bool Flusher::VisitDirty(Visitor visit) {
  if (table_ == tables_->all().size()) return true;
  TableRows& table = *tables_->all()[table_];
  row_ = table.Visit(row_, options_.step_rows, [&](std::byte* row) {
    const RowHeader& header = RowLayout::Header(row);
    if ((header.flags & kRowDirty) == 0) return;
    visit(SlotOf(Fingerprint(table.id(), header.key)),
          DirtyRows::Ref{row, static_cast<uint32_t>(table_)});
  });
  if (row_ >= table.row_number_end()) {
    ++table_;
    row_ = 0;
  }
  return table_ == tables_->all().size();
}

// As many slots as together have round_rows rows, at least one.
void Flusher::BeginRound() {
  dirty_.Clear();
  table_ = 0;
  row_ = 0;
  next_slot_ = round_end_;
  round_end_ = kSlotCount;
  if (!counts_.empty()) {
    uint64_t rows = 0;
    for (round_end_ = next_slot_; round_end_ < kSlotCount; ++round_end_) {
      rows += counts_[round_end_];
      if (rows > options_.round_rows && round_end_ > next_slot_) break;
    }
  }
  phase_ = Phase::kNote;
}

void Flusher::CopyRows() {
  for (uint32_t copied = 0; copied < options_.step_rows && !FileIsFull();) {
    if (slot_rows_.empty()) {
      if (next_slot_ == round_end_) return;
      dirty_.Take(SlotId(static_cast<uint16_t>(next_slot_++)), &slot_rows_);
      continue;
    }
    if (slot_rows_.size() > kRowsAhead) {
      const DirtyRows::Ref& ahead = slot_rows_[slot_rows_.size() - 1 - kRowsAhead];
      PrefetchRow(ahead.row, tables_->all()[ahead.table]->layout().stride_bytes());
    }
    CopyRow(slot_rows_.back());
    slot_rows_.pop_back();
    ++copied;
  }
}

void Flusher::CopyRow(const DirtyRows::Ref& ref) {
  TableRows& table = *tables_->all()[ref.table];
  RowHeader& header = RowLayout::Header(ref.row);
  header.flags = (header.flags & ~(kRowDirty | kRowFileMask)) | file_mark_ << kRowFileShift;
  table.CountDirty(-1);
  file_bytes_ += table.layout().stride_bytes() + kEntryBytes;
  AppendRow(table.id(), table.layout(), ref.row, &file_);
}

// A file ends with a slot, unless the slot is larger than the file.
bool Flusher::FileIsFull() const {
  const size_t rows = file_.entry_count();
  const bool enough = rows >= options_.file_rows || file_bytes_ >= options_.file_bytes;
  const bool too_much =
      rows >= 2 * size_t{options_.file_rows} || file_bytes_ / 2 >= options_.file_bytes;
  return too_much || (enough && slot_rows_.empty());
}

Flusher::Next Flusher::Synced(Lsn synced) {
  if (phase_ != Phase::kSync) return Next::kNothing;
  if (synced < sync_lsn_) return Next::kSync;
  phase_ = Phase::kFile;
  return Next::kFile;
}

Flusher::Next Flusher::FileDone(const absl::Status& status) {
  if (!status.ok()) return Next::kNothing;
  file_bytes_ = 0;
  file_mark_ = file_mark_ % kFileMarks + 1;
  if (bookkeeping_written_) {
    file_.Release();
    dirty_.Clear();
    counts_ = {};
    phase_ = Phase::kIdle;
    return Next::kFinished;
  }
  file_.Clear();
  phase_ = Phase::kCopy;
  return Next::kStep;
}

}  // namespace rowhouse

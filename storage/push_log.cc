#include "storage/push_log.h"

#include <glog/logging.h>

#include <array>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"
#include "storage/log_recovery.h"
#include "storage/push_log_format.h"
#include "storage/segment_rewrite.h"

namespace rowhouse {
namespace {

constexpr std::array<std::byte, kFillBytesMax> kZeros = {};

using Pieces = std::vector<std::span<const std::byte>>;

template <typename Header>
std::span<const std::byte> BytesOf(const Header& header) {
  return std::as_bytes(std::span(&header, 1));
}

void AddPadded(Pieces& pieces, std::span<const std::byte> bytes) {
  pieces.push_back(bytes);
  pieces.push_back(std::span(kZeros).first(PaddedTo8(bytes.size()) - bytes.size()));
}

// Bodies of pushes had their checksum verified on arrival; the others are few, small and made here.
absl::Status CheckRecord(const LogRecord& record) {
  if (record.prefix.size() > kPrefixBytesMax) {
    return absl::InvalidArgumentError(StrCat("push log: the record with LSN ", record.lsn.value(),
                                             " has a prefix of ", record.prefix.size(),
                                             " bytes; at most ", kPrefixBytesMax, " are allowed"));
  }
  if (record.type == RecordType::kPush || Checksum(record.body) == record.body_checksum) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(StrCat("push log: the record with LSN ", record.lsn.value(),
                                           " does not match its body_checksum"));
}

class SegmentedPushLog final : public PushLog {
 public:
  SegmentedPushLog(LogFiles* files, PushLogOptions options, RecoveredLog recovered,
                   std::unique_ptr<LogFile> tail)
      : files_(files),
        options_(options),
        cut_message_(std::move(recovered.cut_message)),
        segments_(std::move(recovered.segments)),
        tail_(std::move(tail)),
        next_lsn_(recovered.next_lsn),
        synced_lsn_(recovered.next_lsn.value() - 1),
        synced_bytes_(segments_.empty() ? 0 : segments_.back().size_bytes) {}

  absl::Status Write(std::span<const LogRecord> records) override {
    if (records.empty()) return absl::OkStatus();
    for (size_t i = 0; i < records.size(); ++i) {
      CHECK_EQ(records[i].lsn.value(), next_lsn_.value() + i) << "push log: LSNs must follow";
      RETURN_IF_ERROR(CheckRecord(records[i]));
    }
    RETURN_IF_ERROR(DropTornBatch());
    RETURN_IF_ERROR(RollIfFull());
    if (absl::Status status = AppendBatch(records); !status.ok()) {
      has_torn_batch_ = true;
      DropTornBatch().IgnoreError();  // tried again before the next batch
      return status;
    }
    segments_.back().size_bytes = tail_->size_bytes();
    next_lsn_ = Lsn(next_lsn_.value() + records.size());
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (synced_lsn_.value() + 1 == next_lsn_.value()) return absl::OkStatus();
    if (sync_failed_) RETURN_IF_ERROR(RewriteUnsynced());
    sync_failed_ = true;
    RETURN_IF_ERROR(tail_->Sync());
    sync_failed_ = false;
    synced_lsn_ = Lsn(next_lsn_.value() - 1);
    synced_bytes_ = segments_.back().size_bytes;
    return absl::OkStatus();
  }

  // Oldest first, so that what stays is without a gap (but after a power loss: log_files.h).
  absl::Status Trim(Lsn watermark, std::vector<RemovedFile>* removed) override {
    if (options_.archive) return absl::OkStatus();
    while (segments_.size() > 1 && segments_[1].first_lsn.value() <= watermark.value() + 1) {
      absl::StatusOr<RemovedFile> segment = files_->Remove(segments_.front().name);
      if (!segment.ok() && !absl::IsNotFound(segment.status())) return segment.status();
      const bool may_wait = removed->size() < kRemovedFilesMax;
      if (segment.ok() && may_wait) removed->push_back(*std::move(segment));
      segments_.erase(segments_.begin());
    }
    return absl::OkStatus();
  }

  Lsn next_lsn() const override { return next_lsn_; }
  Lsn synced_lsn() const override { return synced_lsn_; }
  std::string cut_message() const override { return cut_message_; }

  uint64_t size_bytes() const override {
    uint64_t bytes = 0;
    for (const LogSegment& segment : segments_) bytes += segment.size_bytes;
    return bytes;
  }

 private:
  absl::Status DropTornBatch() {
    if (!has_torn_batch_) return absl::OkStatus();
    RETURN_IF_ERROR(tail_->Truncate(segments_.back().size_bytes));
    has_torn_batch_ = false;
    return absl::OkStatus();
  }

  // Nothing of the tail that a failed sync was to cover is trusted, but what reads back whole may
  // be written again.
  absl::Status RewriteUnsynced() {
    const LogSegment& segment = segments_.back();
    ASSIGN_OR_RETURN(const uint64_t end, RewriteBatches(*files_, segment, synced_bytes_,
                                                        Lsn(synced_lsn_.value() + 1), tail_.get()));
    if (end == segment.size_bytes) return absl::OkStatus();
    return absl::DataLossError(StrCat(
        "push log: ", files_->Describe(segment.name), ", offset ", end,
        ": after a failed sync the file does not hold any more what was written there. "
        "Check the disk and restart the server: the log goes on from its last whole record"));
  }

  absl::Status RollIfFull() {
    if (tail_ != nullptr && segments_.back().size_bytes <= options_.segment_bytes) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Sync());
    const std::string name = SegmentName(next_lsn_);
    ASSIGN_OR_RETURN(tail_, files_->Create(name));
    segments_.push_back({name, next_lsn_, 0, 0});
    synced_bytes_ = 0;
    return absl::OkStatus();
  }

  // A segment's header goes out with its first batch, so that both are there or neither is.
  absl::Status AppendBatch(std::span<const LogRecord> records) {
    LogSegment& segment = segments_.back();
    const bool is_first = segment.size_bytes == 0;
    if (is_first) segment.format = kLogFormat;
    const SegmentHeader segment_header = MakeSegmentHeader(segment.first_lsn, segment.format);
    const uint64_t offset = is_first ? sizeof(SegmentHeader) : segment.size_bytes;
    const BatchHeader batch_header = MakeBatchHeader(records, synced_lsn_, offset, segment.format);
    std::vector<RecordHeader> record_headers;
    record_headers.reserve(records.size());
    Pieces pieces;
    pieces.reserve(3 + 5 * records.size());
    if (is_first) pieces.push_back(BytesOf(segment_header));
    pieces.push_back(BytesOf(batch_header));
    uint64_t fill_bytes = batch_header.batch_bytes - sizeof(BatchHeader);
    for (const LogRecord& record : records) {
      pieces.push_back(BytesOf(record_headers.emplace_back(MakeRecordHeader(record))));
      AddPadded(pieces, record.prefix);
      AddPadded(pieces, record.body);
      fill_bytes -= record_headers.back().record_bytes;
    }
    pieces.push_back(std::span(kZeros).first(fill_bytes));
    return tail_->Append(pieces);
  }

  // Constant after construction.
  LogFiles* const files_;
  const PushLogOptions options_;
  const std::string cut_message_;

  std::vector<LogSegment> segments_;  // the last one is `tail_`; sizes up to the last whole batch
  std::unique_ptr<LogFile> tail_;     // null where there is no segment yet
  bool has_torn_batch_ = false;       // bytes beyond the tail's size_bytes may be in the file
  Lsn next_lsn_;
  Lsn synced_lsn_;
  uint64_t synced_bytes_;     // of the tail: up to the end of the record with synced_lsn_
  bool sync_failed_ = false;  // what lies behind synced_bytes_ may be in the system's cache only
};

// The last segment, cut to its last whole batch and synced: what was replayed is durable from here
// on, even where the last process saw a sync fail and pages that it left read well.
absl::StatusOr<std::unique_ptr<LogFile>> OpenTail(LogFiles* files, RecoveredLog& recovered) {
  if (recovered.segments.empty()) return std::unique_ptr<LogFile>();
  LogSegment& last = recovered.segments.back();
  ASSIGN_OR_RETURN(std::unique_ptr<LogFile> tail, files->OpenForAppend(last.name));
  if (recovered.tail_bytes < last.size_bytes) {
    RETURN_IF_ERROR(tail->Truncate(recovered.tail_bytes));
    last.size_bytes = recovered.tail_bytes;
  }
  ASSIGN_OR_RETURN(const uint64_t end, RewriteBatches(*files, last, recovered.synced_bytes,
                                                      recovered.first_unsynced, tail.get()));
  if (end != recovered.tail_bytes) {
    return absl::DataLossError(StrCat("push log: ", files->Describe(last.name), ", offset ", end,
                                      ": what was read there a moment ago does not read the same "
                                      "again. Check the disk, then start again"));
  }
  RETURN_IF_ERROR(tail->Sync());
  return tail;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PushLog>> PushLog::Open(LogFiles* files, PushLogOptions options,
                                                       Lsn watermark, Lsn synced,
                                                       const Replay& replay) {
  ASSIGN_OR_RETURN(RecoveredLog recovered, RecoverLog(*files, watermark, synced, replay));
  ASSIGN_OR_RETURN(std::unique_ptr<LogFile> tail, OpenTail(files, recovered));
  return std::make_unique<SegmentedPushLog>(files, options, std::move(recovered), std::move(tail));
}

}  // namespace rowhouse

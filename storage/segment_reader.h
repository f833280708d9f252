// Reads one push log segment from front to back and says where it stops being whole.
//
//   SegmentReader reader(&files, name, size_bytes);
//   reader.ReadHeader(first_lsn); then reader.ReadBatch(next_lsn) until it is not kBatch.
//
// Threading: one user at a time.
// Errors: statuses are failed reads, a newer format, and LSNs that do not follow each other; what
//   may be a torn tail is a result, kDamage, for the caller to judge.
// Cost: one batch is in memory, in a window of the file of 4 MiB or as large as the batch, which
//   lives as long as a record in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "storage/log_files.h"
#include "storage/push_log.h"
#include "storage/push_log_format.h"

namespace rowhouse {

// Bytes of a file, and what keeps them alive.
struct SharedBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// Part of a file, read in large pieces.
class FileWindow {
 public:
  FileWindow(const LogFiles* files, std::string name, uint64_t size_bytes)
      : files_(files), name_(std::move(name)), size_bytes_(size_bytes) {}

  // Up to `bytes` bytes from `offset`, fewer only at the end. Valid until the next call.
  absl::StatusOr<std::span<const std::byte>> Peek(uint64_t offset, size_t bytes);
  // The same, for as long as its owner lives; aligned as `offset` is, up to 8.
  absl::StatusOr<SharedBytes> Share(uint64_t offset, size_t bytes);

  uint64_t size_bytes() const { return size_bytes_; }
  const std::string& name() const { return name_; }
  std::string Describe() const { return files_->Describe(name_); }

 private:
  const LogFiles* files_;
  std::string name_;
  uint64_t size_bytes_;
  uint64_t buffer_offset_ = 0;
  std::shared_ptr<const std::vector<std::byte>> buffer_;  // null at first
};

struct SegmentStep {
  enum class Kind { kBatch, kEnd, kDamage };

  Kind kind = Kind::kEnd;
  Lsn synced_lsn;                  // kBatch: as its header says
  std::vector<LogRecord> records;  // kBatch
  SharedBytes bytes;               // kBatch: all of it, as it was verified
  uint64_t offset = 0;             // kDamage: where
  std::string what;                // kDamage: in words
};

// What lies behind a damaged place.
struct TailSurvey {
  Lsn synced_lsn;  // the highest that a whole batch header names, or 0
  uint64_t whole_records = 0;
};

class SegmentReader {
 public:
  SegmentReader(const LogFiles* files, std::string name, uint64_t size_bytes)
      : window_(files, std::move(name), size_bytes) {}

  // kBatch (without records) where the header is whole; kEnd where nothing but zeros was written.
  absl::StatusOr<SegmentStep> ReadHeader(Lsn first_lsn);
  absl::StatusOr<SegmentStep> ReadBatch(Lsn next_lsn);
  // To the end of a batch that was read before, in place of ReadHeader and of what lies between.
  void SkipTo(uint64_t offset) { offset_ = offset; }
  absl::StatusOr<TailSurvey> SurveyTail(uint64_t offset, Lsn next_lsn);

  // End of what was read whole.
  uint64_t offset() const { return offset_; }
  // As a whole header says, else 0.
  uint32_t format() const { return format_; }

 private:
  struct ReadRecord;

  absl::StatusOr<bool> OnlyZerosFrom(uint64_t offset);
  absl::StatusOr<SegmentStep> EndOrDamage(std::string what);
  absl::StatusOr<ReadRecord> RecordAt(uint64_t offset, uint64_t end);
  absl::StatusOr<SegmentStep> ReadRecords(const BatchHeader& batch);

  FileWindow window_;
  uint64_t offset_ = 0;
  uint32_t format_ = 0;
};

}  // namespace rowhouse

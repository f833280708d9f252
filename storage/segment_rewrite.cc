#include "storage/segment_rewrite.h"

#include "common/status_macros.h"
#include "storage/push_log_format.h"
#include "storage/segment_reader.h"

namespace rowhouse {

absl::StatusOr<uint64_t> RewriteBatches(const LogFiles& files, const LogSegment& segment,
                                        uint64_t offset, Lsn next_lsn, LogFile* file) {
  SegmentReader reader(&files, segment.name, segment.size_bytes);
  reader.SkipTo(offset);
  if (offset == 0) {
    ASSIGN_OR_RETURN(const SegmentStep step, reader.ReadHeader(segment.first_lsn));
    if (step.kind != SegmentStep::Kind::kBatch) return 0;
    const SegmentHeader header = MakeSegmentHeader(segment.first_lsn, reader.format());
    RETURN_IF_ERROR(file->Rewrite(0, std::as_bytes(std::span(&header, 1))));
  }
  while (true) {
    const uint64_t begin = reader.offset();
    ASSIGN_OR_RETURN(const SegmentStep step, reader.ReadBatch(next_lsn));
    if (step.kind != SegmentStep::Kind::kBatch) return begin;
    RETURN_IF_ERROR(file->Rewrite(begin, step.bytes.bytes));
    next_lsn = Lsn(next_lsn.value() + step.records.size());
  }
}

}  // namespace rowhouse

#include "storage/segment_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"
#include "storage/damage_advice.h"

namespace rowhouse {
namespace {

constexpr size_t kWindowBytes = size_t{4} << 20;

bool AllZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Nullopt where the file ends before the header does.
template <typename Header>
std::optional<Header> HeaderFrom(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

SegmentStep DamageAt(uint64_t offset, std::string what) {
  SegmentStep step;
  step.kind = SegmentStep::Kind::kDamage;
  step.offset = offset;
  step.what = std::move(what);
  return step;
}

bool IsWhole(const BatchHeader& header) {
  return header.magic == kBatchMagic && header.checksum == ChecksumOf(header);
}

}  // namespace

absl::StatusOr<std::span<const std::byte>> FileWindow::Peek(uint64_t offset, size_t bytes) {
  if (offset >= size_bytes_) return std::span<const std::byte>();
  const size_t wanted = std::min<uint64_t>(bytes, size_bytes_ - offset);
  if (buffer_ == nullptr || offset < buffer_offset_ ||
      offset + wanted > buffer_offset_ + buffer_->size()) {
    const size_t ahead = std::min<uint64_t>(std::max(wanted, kWindowBytes), size_bytes_ - offset);
    ASSIGN_OR_RETURN(std::vector<std::byte> read, files_->Read(name_, offset, ahead));
    buffer_ = std::make_shared<const std::vector<std::byte>>(std::move(read));
    buffer_offset_ = offset;
    if (buffer_->size() < wanted) {
      return absl::UnavailableError(StrCat("push log: ", Describe(),
                                           " became shorter while it was read; is another process "
                                           "using it?"));
    }
  }
  return std::span<const std::byte>(*buffer_).subspan(offset - buffer_offset_, wanted);
}

absl::StatusOr<SharedBytes> FileWindow::Share(uint64_t offset, size_t bytes) {
  ASSIGN_OR_RETURN(const auto view, Peek(offset, bytes));
  return SharedBytes{view, buffer_};
}

// One record, or why there is none.
struct SegmentReader::ReadRecord {
  std::string what;  // empty where the record is whole
  uint64_t record_bytes = 0;
  LogRecord record;
};

absl::StatusOr<bool> SegmentReader::OnlyZerosFrom(uint64_t offset) {
  for (; offset < window_.size_bytes(); offset += kWindowBytes) {
    ASSIGN_OR_RETURN(const auto bytes, window_.Peek(offset, kWindowBytes));
    if (!AllZero(bytes)) return false;
  }
  return true;
}

absl::StatusOr<SegmentStep> SegmentReader::EndOrDamage(std::string what) {
  ASSIGN_OR_RETURN(const bool is_end, OnlyZerosFrom(offset_));
  return is_end ? SegmentStep() : DamageAt(offset_, std::move(what));
}

absl::StatusOr<SegmentStep> SegmentReader::ReadHeader(Lsn first_lsn) {
  ASSIGN_OR_RETURN(const auto bytes, window_.Peek(0, sizeof(SegmentHeader)));
  const auto header = HeaderFrom<SegmentHeader>(bytes);
  if (!header.has_value()) return EndOrDamage("the segment header is incomplete");
  if (header->magic != kSegmentMagic || header->checksum != ChecksumOf(*header)) {
    return EndOrDamage("the segment header is damaged");
  }
  if (header->format > kLogFormat) {
    return absl::UnimplementedError(StrCat("push log: ", window_.Describe(), " has format ",
                                           header->format, ", this build reads up to ", kLogFormat,
                                           ": run the newer Rowhouse that wrote it"));
  }
  if (header->first_lsn != first_lsn) {
    return absl::DataLossError(StrCat(
        "push log: ", window_.Describe(), ", offset 0: begins with LSN ", header->first_lsn.value(),
        " but is named for LSN ", first_lsn.value(), "; give the file its name back"));
  }
  offset_ = sizeof(SegmentHeader);
  format_ = header->format;
  SegmentStep step;
  step.kind = SegmentStep::Kind::kBatch;
  return step;
}

absl::StatusOr<SegmentStep> SegmentReader::ReadBatch(Lsn next_lsn) {
  if (offset_ == window_.size_bytes()) return SegmentStep();
  ASSIGN_OR_RETURN(const auto bytes, window_.Peek(offset_, sizeof(BatchHeader)));
  const auto batch = HeaderFrom<BatchHeader>(bytes);
  if (!batch.has_value()) return EndOrDamage("a batch header is incomplete");
  if (!IsWhole(*batch)) return EndOrDamage("a batch header is damaged");
  if (batch->first_lsn != next_lsn) {
    return absl::DataLossError(StrCat("push log: ", window_.Describe(), ", offset ", offset_,
                                      ": a batch begins with LSN ", batch->first_lsn.value(),
                                      " where LSN ", next_lsn.value(), " must follow. ",
                                      kDamageAdvice));
  }
  if (batch->batch_bytes > window_.size_bytes() - offset_) {
    return DamageAt(offset_, "the file ends within a batch");
  }
  return ReadRecords(*batch);
}

absl::StatusOr<SegmentStep> SegmentReader::ReadRecords(const BatchHeader& batch) {
  const uint64_t end = offset_ + batch.batch_bytes;
  uint64_t at = offset_ + sizeof(BatchHeader);
  SegmentStep step;
  step.kind = SegmentStep::Kind::kBatch;
  step.synced_lsn = batch.synced_lsn;
  // All at once: the records are then verified in the very bytes that are handed out.
  ASSIGN_OR_RETURN(step.bytes, window_.Share(offset_, batch.batch_bytes));
  for (uint64_t i = 0; i < batch.record_count; ++i) {
    ASSIGN_OR_RETURN(ReadRecord read, RecordAt(at, end));
    if (!read.what.empty()) return DamageAt(at, std::move(read.what));
    if (read.record.lsn.value() != batch.first_lsn.value() + i) {
      return DamageAt(at, StrCat("a record bears LSN ", read.record.lsn.value(), " in place of ",
                                 batch.first_lsn.value() + i));
    }
    at += read.record_bytes;
    step.records.push_back(std::move(read.record));
  }
  if (at > end || end - at > kFillBytesMax) {
    return DamageAt(std::min(at, end), "the size of a batch is not that of its records");
  }
  if (!AllZero(step.bytes.bytes.last(end - at))) {
    return DamageAt(at, "what fills a batch up to a block is damaged");
  }
  offset_ = end;
  return step;
}

absl::StatusOr<SegmentReader::ReadRecord> SegmentReader::RecordAt(uint64_t offset, uint64_t end) {
  ReadRecord out;
  const uint64_t head_bytes =
      std::min<uint64_t>(sizeof(RecordHeader) + kPrefixBytesMax, end - std::min(offset, end));
  ASSIGN_OR_RETURN(const auto head, window_.Peek(offset, head_bytes));
  const auto header = HeaderFrom<RecordHeader>(head);
  if (!header.has_value()) {
    out.what = "a record header is incomplete";
    return out;
  }
  if (!IsPlausible(*header) || header->record_bytes > end - offset) {
    out.what = "a record header is damaged";
    return out;
  }
  const uint64_t padded_prefix_bytes = PaddedTo8(header->prefix_bytes);
  const auto prefix = head.subspan(sizeof(RecordHeader), header->prefix_bytes);
  const auto prefix_padding = head.subspan(sizeof(RecordHeader) + header->prefix_bytes,
                                           padded_prefix_bytes - header->prefix_bytes);
  if (header->checksum != ChecksumOf(*header, prefix) || !AllZero(prefix_padding)) {
    out.what = "a record header is damaged";
    return out;
  }
  out.record_bytes = header->record_bytes;
  out.record = {header->lsn,
                static_cast<RecordType>(header->type),
                header->arrival_ms,
                {prefix.begin(), prefix.end()}};
  // The header's checksum is right, so its sizes may be trusted: the body lies within the file.
  const uint64_t body_at = offset + sizeof(RecordHeader) + padded_prefix_bytes;
  ASSIGN_OR_RETURN(const SharedBytes body, window_.Share(body_at, PaddedTo8(header->body_bytes)));
  out.record.body = body.bytes.first(header->body_bytes);
  out.record.body_checksum = header->body_checksum;
  out.record.owner = body.owner;
  if (Checksum(out.record.body) != header->body_checksum ||
      !AllZero(body.bytes.subspan(header->body_bytes))) {
    out.what = "a record's body is damaged";
  }
  return out;
}

// Steps through the file in units of 8 bytes, for whatever is whole: the sizes in between cannot be
// trusted. `next_lsn`, the first that is missing, and the file's size bound which LSNs make sense.
absl::StatusOr<TailSurvey> SegmentReader::SurveyTail(uint64_t offset, Lsn next_lsn) {
  TailSurvey survey;
  const uint64_t end = window_.size_bytes();
  const auto is_near = [&](Lsn lsn) {
    return lsn >= next_lsn && lsn.value() - next_lsn.value() <= end / sizeof(RecordHeader);
  };
  for (uint64_t at = PaddedTo8(offset); at < end;) {
    ASSIGN_OR_RETURN(const auto bytes, window_.Peek(at, sizeof(RecordHeader)));
    const auto batch = HeaderFrom<BatchHeader>(bytes);
    if (!batch.has_value()) break;
    if (IsWhole(*batch) && is_near(batch->first_lsn) && batch->synced_lsn < batch->first_lsn) {
      survey.synced_lsn = std::max(survey.synced_lsn, batch->synced_lsn);
      at += sizeof(BatchHeader);
      continue;
    }
    const auto header = HeaderFrom<RecordHeader>(bytes);
    if (header.has_value() && IsPlausible(*header) && is_near(header->lsn)) {
      ASSIGN_OR_RETURN(const ReadRecord read, RecordAt(at, end));
      if (read.what.empty()) {
        ++survey.whole_records;
        at += read.record_bytes;
        continue;
      }
    }
    at += sizeof(uint64_t);
  }
  return survey;
}

}  // namespace rowhouse

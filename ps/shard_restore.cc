// The part of Shard that works only at start: bookkeeping, rows and log records come back.
#include <cstring>
#include <limits>
#include <string>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "ps/apply.h"
#include "ps/bookkeeping.h"
#include "ps/shard.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

// REQUIRES: text has 8 bytes.
uint64_t NumberOf(std::string_view text) {
  uint64_t number = 0;
  std::memcpy(&number, text.data(), sizeof(number));
  return number;
}

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

absl::Status Corrupt(std::string_view what) { return absl::DataLossError(StrCat(what)); }

absl::StatusOr<std::vector<float>> RatesOf(const LogRecord& record, uint32_t section_count) {
  if (record.prefix.size() != section_count * sizeof(float)) {
    return Corrupt(StrCat("log record ", record.lsn.value(), ": ", record.prefix.size(),
                          " bytes of learning rates for ", section_count, " sections"));
  }
  std::vector<float> rates(section_count);
  std::memcpy(rates.data(), record.prefix.data(), record.prefix.size());
  return rates;
}

}  // namespace

// The clients may be ahead of the watermark, replay being idempotent for them. The mark is the
// watermark's: records behind it bear what was announced at their time.
std::vector<DiskEntry> Shard::Bookkeeping(Lsn watermark) const {
  return MakeBookkeeping(watermark, flush_mark_, clients_, tables_.Records());
}

absl::Status Shard::RestoreMeta(std::string_view name, std::string_view value) {
  if (name == kClientsName) return clients_.Decode(BytesOf(value));
  if (name.starts_with(kTablePrefix)) {
    ASSIGN_OR_RETURN(const TableRecord record, DecodeControl<TableRecord>(BytesOf(value)));
    RETURN_IF_ERROR(Validate(record.spec));
    tables_.Create(record);
    return absl::OkStatus();
  }
  if (name == kRowsLsnName && value.size() == sizeof(uint64_t)) {
    uint64_t lsn = 0;
    std::memcpy(&lsn, value.data(), sizeof(lsn));
    highest_row_lsn_ = std::max(highest_row_lsn_, Lsn(lsn));
    knows_rows_lsn_ = true;
    return absl::OkStatus();
  }
  if (name == kWatermarkName && value.size() == sizeof(uint64_t)) {
    watermark_ = Lsn(NumberOf(value));
    return absl::OkStatus();
  }
  if (name == kMarkName && value.size() == sizeof(uint64_t)) {
    announced_ = Mark(NumberOf(value));
    return absl::OkStatus();
  }
  return Corrupt(StrCat("bookkeeping entry '", name, "' of ", value.size(),
                        " bytes is not known to this build"));
}

absl::Status Shard::RestoreRows(const RowBatch& batch) {
  TableRows* table = tables_.Find(batch.table);
  if (table == nullptr) return absl::OkStatus();
  table->Load(batch.keys, batch.values);
  highest_row_lsn_ = std::max(highest_row_lsn_, batch.highest_lsn);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Shard::Replay(const LogRecord& record) {
  switch (record.type) {
    case RecordType::kPush:
      return ReplayPush(record);
    case RecordType::kAnnounceMark: {
      // Beyond the cut too: records behind it bear this mark.
      ASSIGN_OR_RETURN(const AnnounceMark announce, DecodeControl<AnnounceMark>(record.body));
      announced_ = std::max(announced_, announce.mark);
      return 0;
    }
    case RecordType::kCreateTable: {
      // Beyond the cut too: pushes of clients that had not heard of the mark yet are within it.
      ASSIGN_OR_RETURN(const TableRecord table, DecodeControl<TableRecord>(record.body));
      RETURN_IF_ERROR(Validate(table.spec));
      tables_.Create(table);
      return 0;
    }
    case RecordType::kOpenClient:
    case RecordType::kCloseMark:
    case RecordType::kLeaveClient:
      if (IsWithinCut(announced_)) RETURN_IF_ERROR(ReplayClientRecord(record));
      return 0;
    default:
      break;
  }
  return Corrupt(StrCat("log record ", record.lsn.value(), ": type ",
                        static_cast<uint16_t>(record.type), " is not known to this build"));
}

absl::Status Shard::ReplayClientRecord(const LogRecord& record) {
  if (record.type == RecordType::kOpenClient) {
    ASSIGN_OR_RETURN(const OpenClientRecord open, DecodeControl<OpenClientRecord>(record.body));
    clients_.Apply(open, record.arrival_ms);
  } else if (record.type == RecordType::kCloseMark) {
    ASSIGN_OR_RETURN(const CloseMark close, DecodeControl<CloseMark>(record.body));
    clients_.Apply(close, record.arrival_ms);
  } else {
    ASSIGN_OR_RETURN(const LeaveClient leave, DecodeControl<LeaveClient>(record.body));
    clients_.Apply(leave, record.arrival_ms);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Shard::ReplayPush(const LogRecord& record) {
  ASSIGN_OR_RETURN(const PushView push,
                   PushView::Parse(record.body, std::numeric_limits<uint64_t>::max()));
  if (!IsWithinCut(MarkOf(push.header()))) return 0;
  ASSIGN_OR_RETURN(const std::vector<float> rates, RatesOf(record, push.section_count()));
  for (uint32_t i = 0; i < push.section_count(); ++i) {
    RETURN_IF_ERROR(ReplaySection(push.section(i), rates[i], record.lsn));
  }
  clients_.AddPush(DescribePush(push.header(), record.lsn, record.arrival_ms));
  return push.row_count();
}

// A section of a table or generation that is gone has nothing left to change.
absl::Status Shard::ReplaySection(const PushSection& section, float effective_learning_rate,
                                  Lsn lsn) {
  TableRows* table = tables_.Find(section.header.table);
  if (table == nullptr || table->generation() != section.header.generation) {
    return absl::OkStatus();
  }
  if (section.header.dim != table->spec().dim) {
    return Corrupt(StrCat("log record ", lsn.value(), ": table '", table->spec().name, "': dim is ",
                          table->spec().dim, " in the table, ", section.header.dim,
                          " in the record"));
  }
  ApplySection(*table, section, effective_learning_rate, lsn, kernel_);
  return absl::OkStatus();
}

}  // namespace rowhouse

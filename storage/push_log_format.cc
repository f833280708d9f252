#include "storage/push_log_format.h"

#include <array>
#include <charconv>

#include "absl/strings/str_format.h"
#include "common/wire/frame.h"

namespace rowhouse {
namespace {

constexpr std::string_view kNameStart = "log-";
constexpr std::string_view kNameEnd = ".rwlog";
constexpr size_t kNameDigits = 20;
constexpr uint64_t kBodyBytesMax = uint64_t{1} << 40;  // keeps sums of sizes from wrapping

// Each header ends in its checksum.
template <typename Header>
std::span<const std::byte> CheckedBytes(const Header& header) {
  static_assert(offsetof(Header, checksum) == sizeof(Header) - sizeof(uint64_t));
  return std::as_bytes(std::span(&header, 1)).first(offsetof(Header, checksum));
}

uint64_t RecordBytes(uint64_t prefix_bytes, uint64_t body_bytes) {
  return sizeof(RecordHeader) + PaddedTo8(prefix_bytes) + PaddedTo8(body_bytes);
}

// Of less, the copy into the page cache is quicker than the disk (posix_log_files.cc).
constexpr uint64_t kFilledBatchBytesMin = 128 << 10;

uint64_t FillBytes(uint64_t offset, uint64_t batch_bytes) {
  if (batch_bytes < kFilledBatchBytesMin) return 0;
  return (kLogBlockBytes - (offset + batch_bytes) % kLogBlockBytes) % kLogBlockBytes;
}

}  // namespace

uint64_t ChecksumOf(const SegmentHeader& header) { return Checksum(CheckedBytes(header)); }

uint64_t ChecksumOf(const BatchHeader& header) { return Checksum(CheckedBytes(header)); }

uint64_t ChecksumOf(const RecordHeader& header, std::span<const std::byte> prefix) {
  const std::array<std::span<const std::byte>, 2> pieces = {CheckedBytes(header), prefix};
  return Checksum(std::span<const std::span<const std::byte>>(pieces));
}

SegmentHeader MakeSegmentHeader(Lsn first_lsn, uint32_t format) {
  SegmentHeader header;
  header.format = format;
  header.first_lsn = first_lsn;
  header.checksum = ChecksumOf(header);
  return header;
}

BatchHeader MakeBatchHeader(std::span<const LogRecord> records, Lsn synced_lsn, uint64_t offset,
                            uint32_t format) {
  BatchHeader header;
  header.record_count = static_cast<uint32_t>(records.size());
  header.batch_bytes = sizeof(BatchHeader);
  for (const LogRecord& record : records) {
    header.batch_bytes += RecordBytes(record.prefix.size(), record.body.size());
  }
  if (format >= 2) header.batch_bytes += FillBytes(offset, header.batch_bytes);
  header.first_lsn = records.front().lsn;
  header.synced_lsn = synced_lsn;
  header.checksum = ChecksumOf(header);
  return header;
}

RecordHeader MakeRecordHeader(const LogRecord& record) {
  RecordHeader header;
  header.record_bytes = RecordBytes(record.prefix.size(), record.body.size());
  header.lsn = record.lsn;
  header.arrival_ms = record.arrival_ms;
  header.type = static_cast<uint16_t>(record.type);
  header.prefix_bytes = static_cast<uint32_t>(record.prefix.size());
  header.body_bytes = record.body.size();
  header.body_checksum = record.body_checksum;
  header.checksum = ChecksumOf(header, record.prefix);
  return header;
}

bool IsPlausible(const RecordHeader& header) {
  return header.reserved == 0 && header.prefix_bytes <= kPrefixBytesMax &&
         header.body_bytes <= kBodyBytesMax &&
         header.record_bytes == RecordBytes(header.prefix_bytes, header.body_bytes);
}

std::string SegmentName(Lsn first_lsn) {
  return absl::StrFormat("%s%020d%s", std::string(kNameStart), first_lsn.value(),
                         std::string(kNameEnd));
}

std::optional<Lsn> ParseSegmentName(std::string_view name) {
  if (name.size() != kNameStart.size() + kNameDigits + kNameEnd.size()) return std::nullopt;
  if (!name.starts_with(kNameStart) || !name.ends_with(kNameEnd)) return std::nullopt;
  const char* const first = name.data() + kNameStart.size();
  uint64_t value = 0;
  const auto result = std::from_chars(first, first + kNameDigits, value);
  if (result.ec != std::errc() || result.ptr != first + kNameDigits) return std::nullopt;
  return Lsn(value);
}

}  // namespace rowhouse

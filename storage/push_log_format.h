// The bytes of a push log segment. All numbers are little-endian; everything is a multiple of 8.
//
//   segment       := segment_header batch*
//   segment_header:= magic:u64 format:u32 header_bytes:u32 first_lsn:u64 checksum:u64     32 bytes
//   batch         := batch_header record[record_count] fill
//   batch_header  := magic:u32 record_count:u32 batch_bytes:u64 first_lsn:u64
//                    synced_lsn:u64 checksum:u64                                          40 bytes
//   record        := record_header prefix pad8 body pad8
//   record_header := record_bytes:u64 lsn:u64 arrival_ms:u64 type:u16 0:u16 prefix_bytes:u32
//                    body_bytes:u64 body_checksum:u64 checksum:u64                        56 bytes
//   pad8          := zero bytes up to the next multiple of 8
//   fill          := in a batch of 128 KiB or more, zero bytes up to the file's next multiple of
//                    4096: large batches are whole blocks, which go past the page cache
//
// record_bytes and batch_bytes count everything from the first byte of the header to the last of
// the padding or fill. Format 1 has no fill; a segment of format 1 that is appended to gets none.
// Checksums are XXH3-64: of the header bytes before them, in a record also of the
// prefix; body_checksum is that of the body. A record's lsn is first_lsn plus its place in the
// batch.
//
// Threading: plain values and free functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/types.h"
#include "storage/push_log.h"

namespace rowhouse {

inline constexpr uint32_t kLogFormat = 2;
inline constexpr uint64_t kSegmentMagic = 0x474C485355505752;  // "RWPUSHLG" in memory order
inline constexpr uint32_t kBatchMagic = 0x48435442;            // "BTCH"
inline constexpr uint32_t kPrefixBytesMax = 4096;
inline constexpr uint32_t kLogBlockBytes = 4096;
inline constexpr uint32_t kFillBytesMax = kLogBlockBytes - 1;

struct SegmentHeader {
  uint64_t magic = kSegmentMagic;
  uint32_t format = kLogFormat;
  uint32_t header_bytes = 32;
  Lsn first_lsn;
  uint64_t checksum = 0;
};
static_assert(sizeof(SegmentHeader) == 32);

struct BatchHeader {
  uint32_t magic = kBatchMagic;
  uint32_t record_count = 0;
  uint64_t batch_bytes = 0;
  Lsn first_lsn;
  Lsn synced_lsn;  // the highest LSN known to be synced when the batch was written
  uint64_t checksum = 0;
};
static_assert(sizeof(BatchHeader) == 40);

struct RecordHeader {
  uint64_t record_bytes = 0;
  Lsn lsn;
  uint64_t arrival_ms = 0;
  uint16_t type = 0;
  uint16_t reserved = 0;
  uint32_t prefix_bytes = 0;
  uint64_t body_bytes = 0;
  uint64_t body_checksum = 0;
  uint64_t checksum = 0;
};
static_assert(sizeof(RecordHeader) == 56);

constexpr uint64_t PaddedTo8(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }

SegmentHeader MakeSegmentHeader(Lsn first_lsn, uint32_t format);
// Of the batch with these records that begins at `offset` of a segment of that format.
BatchHeader MakeBatchHeader(std::span<const LogRecord> records, Lsn synced_lsn, uint64_t offset,
                            uint32_t format);
RecordHeader MakeRecordHeader(const LogRecord& record);

uint64_t ChecksumOf(const SegmentHeader& header);
uint64_t ChecksumOf(const BatchHeader& header);
uint64_t ChecksumOf(const RecordHeader& header, std::span<const std::byte> prefix);

// Sizes that agree with each other, and a prefix that is not absurd; says nothing of the checksum.
bool IsPlausible(const RecordHeader& header);

// "log-00000000000000000017.rwlog" and back; nullopt for other names.
std::string SegmentName(Lsn first_lsn);
std::optional<Lsn> ParseSegmentName(std::string_view name);

}  // namespace rowhouse

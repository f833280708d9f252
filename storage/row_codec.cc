#include "storage/row_codec.h"

#include <cstring>

#include "common/fingerprint.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "storage/damage_advice.h"

namespace rowhouse {
namespace {

constexpr uint32_t kRowKeyBytes = 2 + 8 + 8;
constexpr size_t kValueHeaderBytes = 4 + 4 + 8;
constexpr std::string_view kMetaPrefix = "\xff\xff";

template <typename T>
char* PutBigEndian(T value, char* out) {
  for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8) {
    *out++ = static_cast<char>(value >> shift);
  }
  return out;
}

template <typename T>
T ReadBigEndian(std::string_view bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

template <typename T>
char* PutRaw(T value, char* out) {
  std::memcpy(out, &value, sizeof(value));
  return out + sizeof(value);
}

template <typename T>
T ReadRaw(std::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

absl::Status CheckValueHeader(std::string_view value) {
  if (value.size() < kValueHeaderBytes) {
    return absl::DataLossError(StrCat("stored row of ", value.size(), " bytes; a row has at least ",
                                      kValueHeaderBytes, ": the disk tier is damaged. ",
                                      kDamageAdvice));
  }
  const auto format = ReadRaw<uint32_t>(value, 0);
  if (format == kRowFormat) return absl::OkStatus();
  if (format > kRowFormat) {
    return absl::UnimplementedError(StrCat("stored row of format ", format,
                                           "; this build reads up to ", kRowFormat,
                                           ": run the newer Rowhouse that wrote it"));
  }
  return absl::DataLossError(StrCat("stored row of format ", format,
                                    ", which never existed: the disk tier is damaged. ",
                                    kDamageAdvice));
}

// key: [kRowKeyBytes]
void PutRowKey(TableId table, Key key, char* out) {
  out = PutBigEndian(SlotOf(Fingerprint(table, key)).value(), out);
  out = PutBigEndian(table.value(), out);
  PutBigEndian(key.value(), out);
}

// value: [ValueBytes(layout)]
void PutRowValue(const RowLayout& layout, const std::byte* row, char* out) {
  const RowHeader& header = RowLayout::Header(row);
  out = PutRaw(kRowFormat, out);
  out = PutRaw(header.generation.value(), out);
  out = PutRaw(header.lsn.value(), out);
  std::memcpy(out, RowLayout::Weights(row), layout.value_bytes());
}

uint32_t ValueBytes(const RowLayout& layout) {
  return static_cast<uint32_t>(kValueHeaderBytes + layout.value_bytes());
}

}  // namespace

std::string EncodeRowKey(TableId table, Key key) {
  std::string out(kRowKeyBytes, '\0');
  PutRowKey(table, key, out.data());
  return out;
}

absl::StatusOr<RowKey> DecodeRowKey(std::string_view bytes) {
  if (bytes.size() != kRowKeyBytes) {
    return absl::DataLossError(
        StrCat("stored row key of ", bytes.size(), " bytes; it must have ", kRowKeyBytes));
  }
  const RowKey out{SlotId(ReadBigEndian<uint16_t>(bytes)),
                   TableId(ReadBigEndian<uint64_t>(bytes.substr(2))),
                   Key(ReadBigEndian<uint64_t>(bytes.substr(10)))};
  const SlotId slot = SlotOf(Fingerprint(out.table, out.key));
  if (slot != out.slot) {
    return absl::DataLossError(StrCat("stored row key: key ", out.key.value(), " of table id ",
                                      out.table.value(), " stands in slot ", out.slot.value(),
                                      " but belongs to slot ", slot.value()));
  }
  return out;
}

DiskEntry EncodeRow(TableId table, const RowLayout& layout, const std::byte* row) {
  DiskEntry entry{EncodeRowKey(table, RowLayout::Header(row).key),
                  std::string(ValueBytes(layout), '\0')};
  PutRowValue(layout, row, entry.value.data());
  return entry;
}

void AppendRow(TableId table, const RowLayout& layout, const std::byte* row, EntryBuffer* out) {
  const EntryBuffer::Slot slot = out->Add(kRowKeyBytes, ValueBytes(layout));
  PutRowKey(table, RowLayout::Header(row).key, slot.key);
  PutRowValue(layout, row, slot.value);
}

absl::StatusOr<Generation> RowGeneration(std::string_view value) {
  RETURN_IF_ERROR(CheckValueHeader(value));
  return Generation(ReadRaw<uint32_t>(value, 4));
}

absl::StatusOr<std::span<const std::byte>> LoadValue(std::string_view value,
                                                     const RowLayout& layout) {
  RETURN_IF_ERROR(CheckValueHeader(value));
  if (value.size() != ValueBytes(layout)) {
    return absl::DataLossError(StrCat("stored row of ", value.size(), " bytes; rows of dim ",
                                      layout.dim(), " with ", layout.state_floats(),
                                      " state floats have ", ValueBytes(layout)));
  }
  return std::as_bytes(std::span(value)).subspan(kValueHeaderBytes - sizeof(Lsn));
}

size_t LoadValueBytes(const RowLayout& layout) { return sizeof(Lsn) + layout.value_bytes(); }

std::string SlotBegin(uint32_t slot) {
  std::string out(sizeof(uint16_t), '\0');
  PutBigEndian(static_cast<uint16_t>(slot), out.data());
  return out;
}

absl::Status DecodeRow(std::string_view value, const RowLayout& layout, std::byte* row) {
  ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, LoadValue(value, layout));
  PutLoadValue(bytes.data(), layout, row);
  return absl::OkStatus();
}

DiskEntry RowsLsnEntry(Lsn lsn) {
  DiskEntry entry{MetaKey(kRowsLsnName), std::string(sizeof(lsn), '\0')};
  PutRaw(lsn.value(), entry.value.data());
  return entry;
}

std::string MetaKey(std::string_view name) { return StrCat(kMetaPrefix, name); }

std::string MetaBegin() { return std::string(kMetaPrefix); }

}  // namespace rowhouse

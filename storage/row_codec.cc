#include "storage/row_codec.h"

#include <cstring>

#include "common/fingerprint.h"
#include "common/slot_map.h"
#include "common/status_macros.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr size_t kRowKeyBytes = 2 + 8 + 8;
constexpr size_t kValueHeaderBytes = 4 + 4 + 8;
constexpr std::string_view kMetaPrefix = "\xff\xff";

template <typename T>
void AppendBigEndian(std::string& out, T value) {
  for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
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
void AppendRaw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
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
                                      kValueHeaderBytes,
                                      ": the disk tier is damaged, restore it from a backup"));
  }
  const auto format = ReadRaw<uint32_t>(value, 0);
  if (format == kRowFormat) return absl::OkStatus();
  if (format > kRowFormat) {
    return absl::UnimplementedError(StrCat("stored row of format ", format,
                                           "; this build reads up to ", kRowFormat,
                                           ": run the newer Rowhouse that wrote it"));
  }
  return absl::DataLossError(StrCat("stored row of format ", format,
                                    ", which never existed: the disk tier is damaged, restore it "
                                    "from a backup"));
}

}  // namespace

std::string EncodeRowKey(TableId table, Key key) {
  std::string out;
  out.reserve(kRowKeyBytes);
  AppendBigEndian(out, SlotOf(Fingerprint(table, key)).value());
  AppendBigEndian(out, table.value());
  AppendBigEndian(out, key.value());
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
  const RowHeader& header = RowLayout::Header(row);
  DiskEntry entry;
  entry.key = EncodeRowKey(table, header.key);
  entry.value.reserve(kValueHeaderBytes + layout.value_bytes());
  AppendRaw(entry.value, kRowFormat);
  AppendRaw(entry.value, header.generation.value());
  AppendRaw(entry.value, header.lsn.value());
  entry.value.append(reinterpret_cast<const char*>(RowLayout::Weights(row)), layout.value_bytes());
  return entry;
}

absl::StatusOr<Generation> RowGeneration(std::string_view value) {
  RETURN_IF_ERROR(CheckValueHeader(value));
  return Generation(ReadRaw<uint32_t>(value, 4));
}

absl::StatusOr<Lsn> RowLsn(std::string_view value) {
  RETURN_IF_ERROR(CheckValueHeader(value));
  return Lsn(ReadRaw<uint64_t>(value, 8));
}

absl::Status DecodeRow(std::string_view value, const RowLayout& layout, std::byte* row) {
  RETURN_IF_ERROR(CheckValueHeader(value));
  if (value.size() != kValueHeaderBytes + layout.value_bytes()) {
    return absl::DataLossError(StrCat(
        "stored row of ", value.size(), " bytes; rows of dim ", layout.dim(), " with ",
        layout.state_floats(), " state floats have ", kValueHeaderBytes + layout.value_bytes()));
  }
  RowLayout::Header(row).lsn = Lsn(ReadRaw<uint64_t>(value, 8));
  std::memcpy(RowLayout::Weights(row), value.data() + kValueHeaderBytes, layout.value_bytes());
  return absl::OkStatus();
}

DiskEntry RowsLsnEntry(Lsn lsn) {
  DiskEntry entry{MetaKey(kRowsLsnName), ""};
  AppendRaw(entry.value, lsn.value());
  return entry;
}

std::string MetaKey(std::string_view name) { return StrCat(kMetaPrefix, name); }

std::string MetaBegin() { return std::string(kMetaPrefix); }

}  // namespace rowhouse

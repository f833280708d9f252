#include "ps/bookkeeping.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_format.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

std::string TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string NumberText(uint64_t number) { return TextOf(std::as_bytes(std::span(&number, 1))); }

}  // namespace

std::vector<DiskEntry> MakeBookkeeping(Lsn watermark, Mark mark, const ClientTable& clients,
                                       std::span<const TableRecord> tables) {
  std::vector<DiskEntry> entries;
  entries.push_back({MetaKey(kClientsName), TextOf(clients.Encode())});
  for (size_t i = 0; i < tables.size(); ++i) {
    entries.push_back({MetaKey(StrCat(kTablePrefix, absl::StrFormat("%08d", i))),
                       TextOf(EncodeControl(tables[i]))});
  }
  entries.push_back({MetaKey(kMarkName), NumberText(mark.value())});
  entries.push_back({MetaKey(kWatermarkName), NumberText(watermark.value())});
  std::sort(entries.begin(), entries.end(),
            [](const DiskEntry& a, const DiskEntry& b) { return a.key < b.key; });
  return entries;
}

}  // namespace rowhouse

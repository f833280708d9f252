// The entries that a shard keeps beside its rows: watermark, announced mark, clients, tables.
//
// Written together, after the rows that they speak of. Shard::RestoreMeta reads them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "common/types.h"
#include "ps/client_table.h"
#include "ps/table_set.h"
#include "storage/disk_tier.h"

namespace rowhouse {

inline constexpr std::string_view kWatermarkName = "watermark";
inline constexpr std::string_view kMarkName = "mark";
inline constexpr std::string_view kClientsName = "client_table";
inline constexpr std::string_view kTablePrefix = "table/";

// tables: in order of creation. Sorted by key.
std::vector<DiskEntry> MakeBookkeeping(Lsn watermark, Mark mark, const ClientTable& clients,
                                       std::span<const TableRecord> tables);

}  // namespace rowhouse

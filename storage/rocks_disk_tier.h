// The disk tier on RocksDB: one database a shard, written only by sorted files that are ingested.
//
// RocksDB's write-ahead log and memtables stay empty: durability comes from the files, which are
// synced before they are ingested, and from the push log above. Blocks have 4 KB, XXH3 checksums
// (the CRC32C of some builds is slow) and no compression: float rows hardly shrink. No block is
// kept in memory; indexes and filters are, whole.
//
// Threading: as DiskTier.
// Errors: Open names the path and what to do about a database that is damaged, in use, or whose
//   files have lost their CURRENT file.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/disk_tier.h"

namespace rowhouse {

// Opens or creates the database in folder `path`. Files on their way into it are made in
// `path`.incoming, images in `path`.frozen; what an earlier process left in either is removed.
absl::StatusOr<std::unique_ptr<DiskTier>> OpenRocksDiskTier(const std::string& path);

// An existing database, for reading alone; several processes may. Nothing in the folder changes;
// Ingest and Freeze are refused.
absl::StatusOr<std::unique_ptr<DiskTier>> OpenRocksDiskTierReadOnly(const std::string& path);

// Reads every block of every file, also those whose rows are no longer current, and compares
// checksums. Changes nothing.
absl::Status VerifyRocksFiles(const std::string& path);

}  // namespace rowhouse

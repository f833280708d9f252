// What tests put below the disk tier on RocksDB, and what they look at in it. Not for other code.
//
// Ownership: `env` outlives the tier.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/rocks_disk_tier.h"

namespace rocksdb {
class Env;
class Statistics;
}  // namespace rocksdb

namespace rowhouse {

struct RocksHooks {
  rocksdb::Env* env = nullptr;                      // null: the system's
  std::shared_ptr<rocksdb::Statistics> statistics;  // filled, where given
};

absl::StatusOr<std::unique_ptr<DiskTier>> OpenRocksDiskTier(const std::string& path,
                                                            const RocksHooks& hooks);

}  // namespace rowhouse

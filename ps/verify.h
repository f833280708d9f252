// Reads a shard's directory as a start would, changes nothing, and says everything that is wrong.
//
// Errors: a status where nothing could be judged: no such directory, a server runs on it, a newer
//   format. Damage is no error but a finding.
// Cost: reads every file once, RocksDB's twice; memory for bookkeeping only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace rowhouse {

struct ShardVerdict {
  std::string path;
  uint32_t shard = 0;
  uint32_t shard_count = 0;
  uint64_t tables = 0;
  uint64_t rows = 0;  // of tables that there are
  uint64_t watermark = 0;
  uint64_t records = 0;   // of the log, above the watermark
  uint64_t last_lsn = 0;  // where the log ends
  uint64_t log_segments = 0;
  std::vector<std::string> damage;  // at most kDamageMax, then how many more
  std::vector<std::string> notes;   // unusual, but nothing is lost that was promised

  bool whole() const { return damage.empty(); }
};

inline constexpr size_t kDamageMax = 20;

// Called often: what is being read, and how much of it so far.
using VerifyObserver =
    std::function<void(std::string_view what, uint64_t done, std::string_view unit)>;

// `path`: a shard's directory, DATA_DIR/shard-0.
absl::StatusOr<ShardVerdict> VerifyShard(const std::string& path, const VerifyObserver& observe);

}  // namespace rowhouse

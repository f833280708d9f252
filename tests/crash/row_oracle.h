// The sequential oracle: one shard's rows, made from its log from LSN 1 on, one record after
// another, by the plainest code that there is. Its arithmetic is its own; only what reads bytes
// (log, frames, initial values) is the server's.
//
// Threading: one thread.
// Errors: a log that no shard could have written: a section of an unknown table, another learning
//   rate than the table's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"
#include "common/wire/data.h"
#include "ps/table_set.h"
#include "storage/data_dir.h"
#include "storage/disk_tier.h"
#include "storage/push_log.h"
#include "tests/crash/part_ledger.h"

namespace rowhouse {

class RowOracle {
 public:
  // `ledger` outlives the oracle.
  RowOracle(const ShardIdentity& identity, PartLedger* ledger)
      : identity_(identity), ledger_(ledger) {}

  absl::Status Apply(const LogRecord& record);
  // A record that does not count: behind a checkpoint's cut.
  void Skip(const LogRecord& record) { last_lsn_ = record.lsn; }
  // Every row and the watermark that the shard has on disk, to the last bit. The shard was stopped
  // in order. Errors: the first few differences.
  absl::Status Compare(const DiskTier& disk) const;

  // Why a stored row is not what it should be; empty where it is. Restored rows may bear other
  // LSNs.
  std::string Difference(std::string_view disk_key, std::string_view value, bool with_lsn) const;

  Lsn last_lsn() const { return last_lsn_; }
  uint64_t row_count() const;
  const ShardIdentity& identity() const { return identity_; }

 private:
  struct Row {
    Lsn lsn;
    std::vector<float> values;  // weights, then accumulators
  };
  struct OracleTable {
    TableRecord record;
    std::unordered_map<Key, Row> rows;
  };

  absl::Status ApplyPush(const LogRecord& record);
  absl::Status ApplySection(const PushSection& section, Step step, float logged_rate, Lsn lsn);
  Row& RowOf(OracleTable& table, Key key) const;

  const ShardIdentity identity_;
  PartLedger* const ledger_;
  Lsn last_lsn_;
  std::unordered_map<TableId, OracleTable> tables_;
};

}  // namespace rowhouse

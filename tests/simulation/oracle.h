// The sequential oracle: what the tables hold once the records of a push log, from LSN 1 on, have
// been applied one after another.
//
// Written as simply as can be, and apart from the product: of its code it uses what reads a
// record's bytes, and the initial values.
//
// Threading: one thread.
// Errors: a record that makes no sense, or whose learning rate is not what its step says.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/table_spec.h"
#include "common/types.h"
#include "common/wire/data.h"
#include "storage/push_log.h"

namespace rowhouse {

struct OracleRow {
  Lsn lsn;
  std::vector<float> weights;
  std::vector<float> state;
};
// To the bit: -0 is not 0.
bool SameBits(const OracleRow& a, const OracleRow& b);
bool SameBits(const std::vector<float>& a, const std::vector<float>& b);

using RowName = std::pair<TableId, Key>;
using Rows = std::map<RowName, OracleRow>;

class Oracle {
 public:
  absl::Status Apply(const LogRecord& record);

  const Rows& rows() const { return rows_; }
  // Of a row that may be absent. REQUIRES: the table was created.
  std::vector<float> Weights(TableId table, Key key) const;
  bool has_table(TableId table) const { return tables_.contains(table); }

 private:
  absl::Status ApplyPush(const LogRecord& record);
  absl::Status ApplySection(const PushSection& section, Step step, float learning_rate, Lsn lsn);
  OracleRow& RowOf(const TableSpec& spec, TableId table, Key key);

  std::map<TableId, TableSpec> tables_;
  Rows rows_;
};

}  // namespace rowhouse

// The tables of one shard, and the record that makes one.
//
// Threading: one shard, one thread.
#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/table_spec.h"
#include "common/types.h"
#include "common/wire/data.h"
#include "storage/table_rows.h"

namespace rowhouse {

// Body of a kCreateTable record, and of the bookkeeping entry of a table.
struct TableRecord {
  static constexpr std::string_view kName = "table record";
  TableSpec spec;
  Generation generation;

  template <typename Archive>
  void serialize(Archive& archive) {
    archive(spec, generation);
  }
};

class TableSet {
 public:
  // The existing table if the specs are equal; nullptr if there is none by that name yet.
  // Errors: what Validate and CheckSameSpec refuse; kTableConflict where another name has the id;
  // kTooManyTables.
  absl::StatusOr<TableRows*> Check(const TableSpec& spec, size_t tables_max) const;

  // Idempotent for equal records. REQUIRES: the record was checked.
  TableRows* Create(const TableRecord& record);

  // The table that a section of a request speaks of. Errors: kUnknownTable, kWrongGeneration,
  // kWrongDim, each naming the table and both values.
  absl::StatusOr<TableRows*> Resolve(const SectionHeader& section) const;

  // nullptr where absent.
  TableRows* Find(TableId id) const;

  // The records that make these tables, in order of creation.
  std::vector<TableRecord> Records() const;

  // In order of creation.
  const std::vector<std::unique_ptr<TableRows>>& all() const { return tables_; }

 private:
  std::vector<std::unique_ptr<TableRows>> tables_;
  std::unordered_map<TableId, TableRows*> by_id_;
};

}  // namespace rowhouse

#include "ps/table_set.h"

#include "absl/strings/str_format.h"
#include "common/refusal.h"
#include "common/status_macros.h"

namespace rowhouse {

absl::StatusOr<TableRows*> TableSet::Check(const TableSpec& spec, size_t tables_max) const {
  RETURN_IF_ERROR(Validate(spec));
  TableRows* table = Find(TableIdOf(spec.name));
  if (table != nullptr) {
    RETURN_IF_ERROR(CheckSameSpec(table->spec(), spec));
    return table;
  }
  if (tables_.size() >= tables_max) {
    return Refuse(RefusalReason::kTooManyTables, "table '", spec.name, "': there are ",
                  tables_.size(), " tables already, tables_max is ", tables_max);
  }
  return nullptr;
}

TableRows* TableSet::Create(const TableRecord& record) {
  if (TableRows* table = Find(TableIdOf(record.spec.name)); table != nullptr) return table;
  tables_.push_back(std::make_unique<TableRows>(record.spec, record.generation));
  TableRows* table = tables_.back().get();
  by_id_.emplace(table->id(), table);
  return table;
}

absl::StatusOr<TableRows*> TableSet::Resolve(const SectionHeader& section) const {
  TableRows* table = Find(section.table);
  if (table == nullptr) {
    return Refuse(RefusalReason::kUnknownTable, "table ",
                  absl::StrFormat("%016x", section.table.value()),
                  " (hash of its name) is not on this server: create it first");
  }
  if (section.generation != table->generation()) {
    return Refuse(RefusalReason::kWrongGeneration, "table '", table->spec().name,
                  "': generation is ", table->generation().value(), " on the server, ",
                  section.generation.value(), " in this request");
  }
  if (section.dim != table->spec().dim) {
    return Refuse(RefusalReason::kWrongDim, "table '", table->spec().name, "': dim is ",
                  table->spec().dim, " on the server, ", section.dim, " in this request");
  }
  return table;
}

TableRows* TableSet::Find(TableId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<TableRecord> TableSet::Records() const {
  std::vector<TableRecord> records;
  for (const auto& table : tables_) records.push_back({table->spec(), table->generation()});
  return records;
}

}  // namespace rowhouse

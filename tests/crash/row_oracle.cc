#include "tests/crash/row_oracle.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "storage/initializer.h"
#include "storage/row_codec.h"

namespace rowhouse {
namespace {

constexpr size_t kDifferencesMax = 10;

absl::Status Wrong(Lsn lsn, std::string_view what) {
  return absl::DataLossError(StrCat("log record ", lsn.value(), ": ", what));
}

float RateOf(const Adagrad& adagrad, Step step) {
  return static_cast<float>(adagrad.lr /
                            (1.0 + static_cast<double>(step.value() - 1) * adagrad.lr_decay));
}

void AdagradStepOf(const Adagrad& adagrad, float rate, float gradient, float& weight,
                   float& accumulator) {
  const float decay = static_cast<float>(adagrad.weight_decay);
  if (decay != 0) gradient = gradient + decay * weight;
  accumulator = accumulator + gradient * gradient;
  const float root = std::sqrt(accumulator) + static_cast<float>(adagrad.eps);
  weight = weight - (rate * gradient) / root;
}

}  // namespace

absl::Status RowOracle::Apply(const LogRecord& record) {
  if (record.lsn.value() != last_lsn_.value() + 1) {
    return Wrong(record.lsn, StrCat("follows LSN ", last_lsn_.value()));
  }
  last_lsn_ = record.lsn;
  if (record.type == RecordType::kPush) return ApplyPush(record);
  if (record.type != RecordType::kCreateTable) return absl::OkStatus();
  ASSIGN_OR_RETURN(const TableRecord table, DecodeControl<TableRecord>(record.body));
  if (!tables_.try_emplace(TableIdOf(table.spec.name), OracleTable{table, {}}).second) {
    return Wrong(record.lsn, StrCat("makes table '", table.spec.name, "' again"));
  }
  return absl::OkStatus();
}

absl::Status RowOracle::ApplyPush(const LogRecord& record) {
  ASSIGN_OR_RETURN(const PushView push,
                   PushView::Parse(record.body, std::numeric_limits<uint64_t>::max()));
  const PushHeader& header = push.header();
  if (header.client != ClientId(0)) {
    ledger_->NoteLogged({header.client, header.incarnation, header.first_shard, header.sequence},
                        {record.lsn, record.body_checksum});
  }
  std::vector<float> rates(push.section_count());
  if (record.prefix.size() != rates.size() * sizeof(float)) {
    return Wrong(record.lsn, "not one learning rate for each section");
  }
  if (!rates.empty()) std::memcpy(rates.data(), record.prefix.data(), record.prefix.size());
  for (uint32_t i = 0; i < push.section_count(); ++i) {
    RETURN_IF_ERROR(ApplySection(push.section(i), header.step, rates[i], record.lsn));
  }
  return absl::OkStatus();
}

absl::Status RowOracle::ApplySection(const PushSection& section, Step step, float logged_rate,
                                     Lsn lsn) {
  const auto found = tables_.find(section.header.table);
  if (found == tables_.end()) return Wrong(lsn, "a section of a table that was never made");
  OracleTable& table = found->second;
  const Adagrad& adagrad = table.record.spec.adagrad;
  const uint32_t dim = table.record.spec.dim;
  if (section.header.dim != dim) return Wrong(lsn, "a section of another dim");
  if (RateOf(adagrad, step) != logged_rate) return Wrong(lsn, "another learning rate");
  for (size_t i = 0; i < section.keys.size(); ++i) {
    Row& row = RowOf(table, section.keys[i]);
    row.lsn = lsn;
    for (uint32_t column = 0; column < dim; ++column) {
      AdagradStepOf(adagrad, logged_rate, section.gradients[i * dim + column], row.values[column],
                    row.values[dim + column]);
    }
  }
  return absl::OkStatus();
}

RowOracle::Row& RowOracle::RowOf(OracleTable& table, Key key) const {
  const auto [found, is_new] = table.rows.try_emplace(key);
  Row& row = found->second;
  if (!is_new) return row;
  const TableSpec& spec = table.record.spec;
  row.values.assign(2 * size_t{spec.dim},
                    static_cast<float>(spec.adagrad.initial_accumulator_value));
  InitialWeights(spec.initializer, spec.seed, TableIdOf(spec.name), key,
                 std::span(row.values).first(spec.dim));
  return row;
}

uint64_t RowOracle::row_count() const {
  uint64_t count = 0;
  for (const auto& [id, table] : tables_) count += table.rows.size();
  return count;
}

absl::Status RowOracle::Compare(const DiskTier& disk) const {
  std::vector<std::string> differences;
  const auto complain = [&](std::string what) {
    if (differences.size() < kDifferencesMax) differences.push_back(std::move(what));
  };
  uint64_t rows = 0;
  RETURN_IF_ERROR(disk.Scan("", MetaBegin(), [&](std::string_view key, std::string_view value) {
    ++rows;
    if (std::string what = Difference(key, value, /*with_lsn=*/true); !what.empty())
      complain(std::move(what));
    return absl::OkStatus();
  }));
  if (rows != row_count()) {
    complain(StrCat(rows, " rows on disk, ", row_count(), " by the log"));
  }
  ASSIGN_OR_RETURN(const auto watermark, disk.Read(std::vector{MetaKey("watermark")}));
  uint64_t lsn = 0;
  if (watermark[0].has_value() && watermark[0]->size() == sizeof(lsn)) {
    std::memcpy(&lsn, watermark[0]->data(), sizeof(lsn));
  }
  if (lsn != last_lsn_.value()) {
    complain(StrCat("the watermark is ", lsn, ", the log ends with LSN ", last_lsn_.value()));
  }
  if (differences.empty()) return absl::OkStatus();
  std::string all = StrCat("shard ", identity_.shard.value(), ": ");
  for (const std::string& what : differences) all = StrCat(all, what, "; ");
  return absl::DataLossError(all);
}

std::string RowOracle::Difference(std::string_view disk_key, std::string_view value,
                                  bool with_lsn) const {
  const absl::StatusOr<RowKey> key = DecodeRowKey(disk_key);
  if (!key.ok()) return std::string(key.status().message());
  const auto table = tables_.find(key->table);
  if (table == tables_.end()) return "a row of an unknown table";
  const TableSpec& spec = table->second.record.spec;
  const std::string name = StrCat("row ", key->key.value(), " of table '", spec.name, "'");
  const auto row = table->second.rows.find(key->key);
  if (row == table->second.rows.end()) return StrCat(name, " was never pushed");

  const RowLayout layout(spec.dim, spec.dim);
  std::vector<uint64_t> stored(layout.stride_bytes() / sizeof(uint64_t));
  auto* bytes = reinterpret_cast<std::byte*>(stored.data());
  const absl::Status decoded = DecodeRow(value, layout, bytes);
  if (!decoded.ok()) return StrCat(name, ": ", decoded.message());
  if (with_lsn && RowLayout::Header(bytes).lsn != row->second.lsn) {
    return StrCat(name, " has LSN ", RowLayout::Header(bytes).lsn.value(), " on disk, ",
                  row->second.lsn.value(), " by the log");
  }
  const float* values = RowLayout::Weights(bytes);
  for (size_t i = 0; i < row->second.values.size(); ++i) {
    // Bits, not numbers: -0 and 0 differ.
    if (std::memcmp(&values[i], &row->second.values[i], sizeof(float)) == 0) continue;
    return StrCat(name, i < spec.dim ? ": weight " : ": accumulator ", i % spec.dim, " is ",
                  values[i], " on disk, ", row->second.values[i], " by the log");
  }
  return "";
}

}  // namespace rowhouse

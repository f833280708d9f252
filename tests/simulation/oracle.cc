#include "tests/simulation/oracle.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/archive.h"
#include "ps/table_set.h"
#include "storage/initializer.h"

namespace rowhouse {
namespace {

absl::Status Senseless(Lsn lsn, std::string_view what) {
  return absl::DataLossError(StrCat("record: LSN ", lsn.value(), ": ", what));
}

void AdagradElement(const Adagrad& adagrad, float learning_rate, float g, float* w, float* state) {
  const auto weight_decay = static_cast<float>(adagrad.weight_decay);
  const auto eps = static_cast<float>(adagrad.eps);
  if (weight_decay != 0) {
    const float decay = weight_decay * *w;
    g = g + decay;
  }
  const float square = g * g;
  *state = *state + square;
  const float numerator = learning_rate * g;
  const float denominator = std::sqrt(*state) + eps;
  *w = *w - numerator / denominator;
}

float LearningRate(const Adagrad& adagrad, Step step) {
  const double lr =
      adagrad.lr / (1.0 + (static_cast<double>(step.value()) - 1.0) * adagrad.lr_decay);
  return static_cast<float>(lr);
}

}  // namespace

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool SameBits(const OracleRow& a, const OracleRow& b) {
  return a.lsn == b.lsn && SameBits(a.weights, b.weights) && SameBits(a.state, b.state);
}

absl::Status Oracle::Apply(const LogRecord& record) {
  if (record.type == RecordType::kPush) return ApplyPush(record);
  if (record.type == RecordType::kCreateTable) {
    ASSIGN_OR_RETURN(const TableRecord table, DecodeControl<TableRecord>(record.body));
    tables_.emplace(TableIdOf(table.spec.name), table.spec);
  }
  return absl::OkStatus();
}

absl::Status Oracle::ApplyPush(const LogRecord& record) {
  ASSIGN_OR_RETURN(const PushView push,
                   PushView::Parse(record.body, std::numeric_limits<uint64_t>::max()));
  if (record.prefix.size() != push.section_count() * sizeof(float)) {
    return Senseless(record.lsn, "the prefix does not hold one learning rate for each section");
  }
  for (uint32_t i = 0; i < push.section_count(); ++i) {
    float learning_rate = 0;
    std::memcpy(&learning_rate, record.prefix.data() + i * sizeof(float), sizeof(float));
    RETURN_IF_ERROR(ApplySection(push.section(i), push.header().step, learning_rate, record.lsn));
  }
  return absl::OkStatus();
}

absl::Status Oracle::ApplySection(const PushSection& section, Step step, float learning_rate,
                                  Lsn lsn) {
  const auto found = tables_.find(section.header.table);
  if (found == tables_.end()) return Senseless(lsn, "a push to a table that was not created");
  const TableSpec& spec = found->second;
  if (learning_rate != LearningRate(spec.adagrad, step)) {
    return Senseless(lsn, StrCat("learning rate ", learning_rate, " in step ", step.value()));
  }
  for (size_t i = 0; i < section.keys.size(); ++i) {
    OracleRow& row = RowOf(spec, section.header.table, section.keys[i]);
    row.lsn = lsn;
    for (size_t j = 0; j < spec.dim; ++j) {
      AdagradElement(spec.adagrad, learning_rate, section.gradients[i * spec.dim + j],
                     &row.weights[j], &row.state[j]);
    }
  }
  return absl::OkStatus();
}

OracleRow& Oracle::RowOf(const TableSpec& spec, TableId table, Key key) {
  const auto [at, is_new] = rows_.try_emplace(RowName(table, key));
  if (is_new) {
    at->second.weights.resize(spec.dim);
    InitialWeights(spec.initializer, spec.seed, table, key, at->second.weights);
    at->second.state.assign(spec.dim, static_cast<float>(spec.adagrad.initial_accumulator_value));
  }
  return at->second;
}

std::vector<float> Oracle::Weights(TableId table, Key key) const {
  const auto row = rows_.find(RowName(table, key));
  if (row != rows_.end()) return row->second.weights;
  const TableSpec& spec = tables_.at(table);
  std::vector<float> weights(spec.dim);
  InitialWeights(spec.initializer, spec.seed, table, key, weights);
  return weights;
}

}  // namespace rowhouse

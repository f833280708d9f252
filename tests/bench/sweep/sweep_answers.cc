#include "tests/bench/sweep/sweep_answers.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "common/wire/frame.h"
#include "storage/initializer.h"
#include "worker/random.h"

namespace rowhouse {
namespace {

constexpr size_t kBatchesMax = 16;

// Drawn by key: so every row is another, and no answer is right for two keys.
std::vector<float> GradientsOf(std::span<const Key> keys, uint32_t dim) {
  std::vector<float> gradients;
  for (const Key& key : keys) {
    Random random(key.value());
    for (uint32_t i = 0; i < dim; ++i) {
      gradients.push_back(static_cast<float>(static_cast<int>(random.Below(2001)) - 1000) / 1000);
    }
  }
  return gradients;
}

// Rows by key, updated one number at a time.
class PlainRows {
 public:
  explicit PlainRows(const TableSpec& spec) : spec_(spec) {}

  void Push(Key key, std::span<const float> gradients) {
    Row& row = At(key);
    const auto lr = static_cast<float>(spec_.adagrad.lr);
    const auto eps = static_cast<float>(spec_.adagrad.eps);
    for (size_t i = 0; i < gradients.size(); ++i) {
      const float gradient = gradients[i];
      row.state[i] += gradient * gradient;
      row.weights[i] -= (lr * gradient) / (std::sqrt(row.state[i]) + eps);
    }
  }
  const std::vector<float>& weights(Key key) { return At(key).weights; }

 private:
  struct Row {
    std::vector<float> weights;
    std::vector<float> state;
  };

  Row& At(Key key) {
    const auto [at, is_new] = rows_.try_emplace(key.value());
    Row& row = at->second;
    if (is_new) {
      row.weights.resize(spec_.dim);
      InitialWeights(spec_.initializer, spec_.seed, TableIdOf(spec_.name), key, row.weights);
      row.state.assign(spec_.dim, static_cast<float>(spec_.adagrad.initial_accumulator_value));
    }
    return row;
  }

  const TableSpec& spec_;
  std::unordered_map<uint64_t, Row> rows_;
};

absl::Status CompareBatch(std::span<const Key> keys, std::span<const float> pulled,
                          PlainRows* expected) {
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::vector<float>& row = expected->weights(keys[i]);
    const auto got = pulled.subspan(i * row.size(), row.size());
    if (std::memcmp(got.data(), row.data(), got.size_bytes()) == 0) continue;
    const auto at = std::mismatch(row.begin(), row.end(), got.begin());
    return absl::DataLossError(StrCat("bench: key ", keys[i].value(), ", column ",
                                      at.first - row.begin(), ": pulled ", *at.second,
                                      ", expected ", *at.first));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> CheckSweepAnswers(SweepClients clients, const TableSpec& spec,
                                              const BatchPlan& plan) {
  ASSIGN_OR_RETURN(const Table table, clients.front()->CreateTable(spec));
  const size_t batches = std::min(kBatchesMax, plan.batch_count());
  PlainRows expected(spec);
  for (size_t batch = 0; batch < batches; ++batch) {
    const auto keys = plan.keys(batch);
    const std::vector<float> gradients = GradientsOf(keys, plan.dim());
    for (size_t i = 0; i < keys.size(); ++i) {
      expected.Push(keys[i], std::span(gradients).subspan(i * plan.dim(), plan.dim()));
    }
    Client* const client = clients[batch % clients.size()].get();
    RETURN_IF_ERROR(client->Push(Step(batch + 1), {{table, keys, gradients}}).get());
  }
  std::vector<float> rows(plan.batch_floats());
  std::vector<uint64_t> hashes;
  for (size_t batch = 0; batch < batches; ++batch) {
    Client* const client = clients[batch % clients.size()].get();
    RETURN_IF_ERROR(client->Pull(Step(batch + 1), {{table, plan.keys(batch), rows}}).get());
    RETURN_IF_ERROR(CompareBatch(plan.keys(batch), rows, &expected));
    hashes.push_back(Checksum(std::as_bytes(std::span(rows))));
  }
  return absl::StrFormat("%016x", Checksum(std::as_bytes(std::span(hashes))));
}

}  // namespace rowhouse

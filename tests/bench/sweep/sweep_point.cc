#include "tests/bench/sweep/sweep_point.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "common/text.h"
#include "tests/bench/zipf.h"
#include "worker/random.h"

namespace rowhouse {
namespace {

constexpr uint32_t kBatchRows[] = {64, 512};
constexpr uint32_t kDims[] = {8, 16, 128};
constexpr uint32_t kClients[] = {2, 8, 64};
constexpr uint32_t kTableDim = 16;
constexpr uint64_t kTableParts[] = {50, 5, 1};
// More than a round can use up, so that none comes again within one.
constexpr uint64_t kZipfKeys = uint64_t{4} << 20;

SweepPoint HeadlinePoint(const SweepOptions& options, std::string name) {
  SweepPoint point;
  point.name = std::move(name);
  point.batch_rows = options.batch_rows;
  point.in_flight = options.in_flight;
  return point;
}

SweepStage MakeStage(const SweepOptions& options, uint64_t rows) {
  SweepStage stage;
  stage.rows = std::max<uint64_t>(1, rows / options.batch_rows) * options.batch_rows;
  stage.dim = options.dim;
  return stage;
}

std::string RowsName(uint64_t rows) {
  constexpr uint64_t kMillion = 1000000;
  return rows % kMillion == 0 ? StrCat("rows_", rows / kMillion, "m") : StrCat("rows_", rows);
}

SweepStage HeadlineStage(const SweepOptions& options) {
  SweepStage stage = MakeStage(options, options.rows);
  const auto add = [&](std::string name) {
    return &stage.points.emplace_back(HeadlinePoint(options, std::move(name)));
  };
  for (const uint32_t rows : kBatchRows) add(StrCat("batch_", rows))->batch_rows = rows;
  add("zipf")->is_zipf = true;
  for (const uint32_t clients : kClients) add(StrCat("clients_", clients))->clients = clients;
  add("in_flight_1")->in_flight = 1;
  add("unix")->is_unix = true;
  add("headline")->has_peers = true;
  return stage;
}

std::vector<Key> ShuffledKeys(uint64_t rows) {
  std::vector<Key> keys;
  keys.reserve(rows);
  for (uint64_t key = 0; key < rows; ++key) keys.push_back(Key(key));
  Random random(2);
  for (uint64_t i = rows; i > 1; --i) std::swap(keys[i - 1], keys[random.Below(i)]);
  return keys;
}

// `by_rank`: the most frequent first.
std::vector<Key> ZipfKeys(const std::vector<Key>& by_rank, uint32_t batch_rows) {
  const Zipf zipf(by_rank.size(), kSweepZipfExponent);
  Random random(3);
  std::vector<Key> keys;
  for (uint64_t batch = 0; batch < std::max<uint64_t>(1, kZipfKeys / batch_rows); ++batch) {
    std::unordered_set<uint64_t> ranks;
    while (ranks.size() < batch_rows) {
      const uint64_t rank = zipf.Draw(&random);
      if (ranks.insert(rank).second) keys.push_back(by_rank[rank]);
    }
  }
  return keys;
}

}  // namespace

std::vector<SweepStage> SweepStages(const SweepOptions& options) {
  std::vector<SweepStage> stages;
  for (const uint32_t dim : kDims) {
    stages.push_back(MakeStage(options, options.rows));
    stages.back().dim = dim;
    stages.back().points.push_back(HeadlinePoint(options, StrCat("dim_", dim)));
  }
  stages.push_back(MakeStage(options, options.rows));
  stages.back().shards = 2;
  stages.back().points.push_back(HeadlinePoint(options, "shards_2"));
  for (const uint64_t part : kTableParts) {
    const uint64_t rows = options.table_rows_max / part;
    stages.push_back(MakeStage(options, rows));
    stages.back().dim = kTableDim;
    stages.back().is_memory_only = true;
    stages.back().points.push_back(HeadlinePoint(options, RowsName(rows)));
  }
  stages.push_back(HeadlineStage(options));
  return stages;
}

BatchPlan SweepRequests(const SweepStage& stage, const SweepPoint& point) {
  std::vector<Key> keys = ShuffledKeys(stage.rows);
  if (point.is_zipf) keys = ZipfKeys(keys, point.batch_rows);
  keys.resize(std::max<size_t>(1, keys.size() / point.batch_rows) * point.batch_rows);
  return BatchPlan(std::move(keys), point.batch_rows, stage.dim);
}

}  // namespace rowhouse

#include "tests/bench/headline/table_size.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "tests/bench/headline/contender.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {
namespace {

constexpr uint32_t kDim = 16;
constexpr uint64_t kFillRows = 1 << 19;  // in one request: below the default frame_bytes_max
constexpr double kWarmFactor = 3;        // there is eight times as much memory as in other parts
constexpr char kNeverFlush[] = "1099511627776";

struct SizedTable {
  Table table;
  uint64_t rows = 0;
};

class TableSize {
 public:
  explicit TableSize(const HeadlineOptions& options)
      : options_(options),
        gradients_(size_t{options.batch_rows} * kDim, 0.5f),
        random_(options.scale_rows) {}

  absl::Status Run(const CpuSplit& cpus, Headline* headline) {
    ASSIGN_OR_RETURN(server_,
                     RowhouseServer::Start(options_, cpus, {"--flush-log-bytes", kNeverFlush}));
    ASSIGN_OR_RETURN(client_, server_->ConnectTcp());
    ASSIGN_OR_RETURN(const SizedTable small, MakeTable("rows_2m", options_.rows));
    ASSIGN_OR_RETURN(const SizedTable large, MakeTable("rows_50m", options_.scale_rows));
    RETURN_IF_ERROR(CheckRows(small.rows + large.rows));
    AddContenders(small, "_2m_rows");
    AddContenders(large, "_50m_rows");
    RETURN_IF_ERROR(contest_.Run(options_.rounds, "rows_50m_over_2m"));
    RETURN_IF_ERROR(CheckRows(small.rows + large.rows));
    AppendFigures(headline);
    client_.reset();
    server_->Kill();  // to write tens of millions of rows would take longer than to measure them
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<SizedTable> MakeTable(const std::string& name, uint64_t rows) {
    TableSpec spec = HeadlineTable(options_, name, Durability::kMemory);
    spec.dim = kDim;
    ASSIGN_OR_RETURN(const Table table, client_->CreateTable(spec));
    const std::vector<float> gradients(kFillRows * kDim, 0.5f);
    std::vector<Key> keys;
    for (uint64_t first = 0; first < rows; first += keys.size()) {
      keys.clear();
      const uint64_t end = std::min(rows, first + kFillRows);
      for (uint64_t key = first; key < end; ++key) keys.push_back(Key(key));
      RETURN_IF_ERROR(
          client_->Push(NextStep(), {{table, keys, std::span(gradients).first(keys.size() * kDim)}})
              .get());
    }
    return SizedTable{table, rows};
  }

  absl::Status CheckRows(uint64_t expected) {
    ASSIGN_OR_RETURN(const uint64_t rows, CounterOf(client_.get(), "rows"));
    if (rows == expected) return absl::OkStatus();
    return absl::DataLossError(
        StrCat("bench: the server holds ", rows, " rows, expected ", expected));
  }

  void AddContenders(const SizedTable& sized, const std::string& suffix) {
    const auto drain = [this] { return server_->Drain(); };
    const auto warm = [this, sized] {
      return Pulls(sized, kWarmFactor * options_.warm_seconds).status();
    };
    contest_.Add(
        {"pull" + suffix, drain, warm, [this, sized] { return Pulls(sized, options_.seconds); }});
    contest_.Add({"push" + suffix, drain, warm, [this, sized] { return Pushes(sized); }});
  }

  // Each key once, drawn anew each time: keys that come again soon would be found in a cache.
  void DrawKeys(uint64_t rows, std::vector<Key>* keys) {
    std::uniform_int_distribution<uint64_t> draw(0, rows - 1);
    drawn_.clear();
    keys->clear();
    while (keys->size() < std::min<uint64_t>(options_.batch_rows, rows)) {
      const uint64_t key = draw(random_);
      if (drawn_.insert(key).second) keys->push_back(Key(key));
    }
  }

  absl::StatusOr<double> Pulls(const SizedTable& sized, double seconds) {
    std::vector<std::vector<Key>> keys(options_.in_flight);
    std::vector<std::vector<float>> rows(options_.in_flight, std::vector<float>(gradients_.size()));
    return RowsPerSecond(seconds, [&](size_t slot) {
      DrawKeys(sized.rows, &keys[slot]);
      return client_->Pull(NextStep(), {{sized.table, keys[slot], rows[slot]}});
    });
  }

  absl::StatusOr<double> Pushes(const SizedTable& sized) {
    std::vector<std::vector<Key>> keys(options_.in_flight);
    return RowsPerSecond(options_.burst_seconds, [&](size_t slot) {
      DrawKeys(sized.rows, &keys[slot]);
      return client_->Push(NextStep(), {{sized.table, keys[slot], gradients_}});
    });
  }

  template <typename Start>
  absl::StatusOr<double> RowsPerSecond(double seconds, const Start& start) const {
    ASSIGN_OR_RETURN(const LoadResult result, KeepGoing(options_.in_flight, seconds, start));
    return static_cast<double>(result.requests) * options_.batch_rows / result.seconds;
  }

  Step NextStep() { return Step(++step_); }

  // The lower of the two ratios, round by round.
  void AppendFigures(Headline* headline) const {
    std::vector<double> lower = contest_.Ratio("pull_50m_rows", "pull_2m_rows");
    const std::vector<double> pushes = contest_.Ratio("push_50m_rows", "push_2m_rows");
    for (size_t i = 0; i < lower.size(); ++i) lower[i] = std::min(lower[i], pushes[i]);
    headline->figures.push_back({"rows_50m_over_2m", lower, 0.6});
    contest_.AppendRates(&headline->rates);
  }

  const HeadlineOptions& options_;
  const std::vector<float> gradients_;
  std::mt19937_64 random_;
  absl::flat_hash_set<uint64_t> drawn_;  // of one batch
  uint64_t step_ = 0;
  std::unique_ptr<RowhouseServer> server_;
  std::unique_ptr<Client> client_;
  Contest contest_;
};

}  // namespace

absl::Status MeasureTableSize(const HeadlineOptions& options, const CpuSplit& cpus,
                              const BatchPlan&, Headline* headline) {
  return TableSize(options).Run(cpus, headline);
}

}  // namespace rowhouse

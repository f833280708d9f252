#include "tests/bench/sweep/sweep_result.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/text.h"

namespace rowhouse {
namespace {

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

Spread SpreadOf(const SweepOperation& operation, double SweepRound::*field) {
  std::vector<double> values;
  for (const SweepRound& round : operation.rounds) values.push_back(round.*field);
  return SpreadOf(std::move(values));
}

struct Percentiles {
  double p50 = 0;
  double p99 = 0;
  double p999 = 0;
};

// The smallest latency that so many of all do not exceed.
std::optional<Percentiles> PercentilesOf(std::vector<float> latencies) {
  if (latencies.empty()) return std::nullopt;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](size_t per_mille) {
    return static_cast<double>(latencies[(latencies.size() * per_mille - 1) / 1000]);
  };
  return Percentiles{at(500), at(990), at(999)};
}

const SweepOperation* Find(const SweepPointResult& point, const std::string& name) {
  const auto found = std::find_if(point.operations.begin(), point.operations.end(),
                                  [&](const SweepOperation& o) { return o.name == name; });
  return found == point.operations.end() ? nullptr : &*found;
}

// Of the rates, round by round.
std::optional<Spread> RatioOf(const SweepPointResult& point, const SweepOperation& operation,
                              const std::string& other_name) {
  const SweepOperation* const other = Find(point, other_name);
  if (other == nullptr) return std::nullopt;
  std::vector<double> ratios;
  for (size_t i = 0; i < operation.rounds.size(); ++i) {
    ratios.push_back(operation.rounds[i].rows_per_second / other->rounds[i].rows_per_second);
  }
  return SpreadOf(std::move(ratios));
}

std::string RatioText(const std::optional<Spread>& ratio) {
  return ratio.has_value() ? absl::StrFormat("%6.3f", ratio->median) : "     -";
}

std::string Line(const SweepPointResult& point, const SweepOperation& operation) {
  const Spread rows = SpreadOf(operation, &SweepRound::rows_per_second);
  const auto latency = PercentilesOf(operation.latencies_ms);
  std::string latencies = absl::StrFormat("%26s", "-");
  if (latency.has_value()) {
    latencies = absl::StrFormat("%8.3f %8.3f %8.3f", latency->p50, latency->p99, latency->p999);
  }
  return absl::StrFormat("%-16s %7.3f %7.3f-%-7.3f %s %7.3f %7.3f %s %s %6.2f\n", operation.name,
                         rows.median / 1e6, rows.min / 1e6, rows.max / 1e6, latencies,
                         SpreadOf(operation, &SweepRound::server_cpu_seconds).median,
                         SpreadOf(operation, &SweepRound::client_cpu_seconds).median,
                         RatioText(RatioOf(point, operation, operation.limit)),
                         RatioText(RatioOf(point, operation, operation.bare)),
                         SpreadOf(operation, &SweepRound::other_cpus).max);
}

std::string Heading(const SweepPointResult& result) {
  const SweepPoint& point = result.point;
  return absl::StrFormat(
      "\n%s: %d rows of dim %d a request, %s, of %d rows on %d shard(s); %d client(s), %d in "
      "flight, %s; %d round(s)\nanswers %s; %.0f bytes resident for a row\n",
      point.name, point.batch_rows, result.dim, point.is_zipf ? "by Zipf's law" : "uniform",
      result.rows, result.shards, point.clients, point.in_flight,
      point.is_unix ? "Unix socket" : "TCP", result.operations.front().rounds.size(),
      result.answers_hash, result.resident_bytes_per_row);
}

boost::json::object ToJson(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

boost::json::value ToJson(const std::optional<Spread>& spread) {
  if (!spread.has_value()) return nullptr;
  return ToJson(*spread);
}

boost::json::value ToJson(const std::optional<Percentiles>& latency) {
  if (!latency.has_value()) return nullptr;
  return boost::json::object{
      {"p50", latency->p50}, {"p99", latency->p99}, {"p99_9", latency->p999}};
}

boost::json::object ToJson(const SweepPointResult& point, const SweepOperation& operation) {
  return {{"name", operation.name},
          {"rounds", operation.rounds.size()},
          {"rows_per_second", ToJson(SpreadOf(operation, &SweepRound::rows_per_second))},
          {"latency_ms", ToJson(PercentilesOf(operation.latencies_ms))},
          {"server_cpu_seconds_per_million_rows",
           ToJson(SpreadOf(operation, &SweepRound::server_cpu_seconds))},
          {"client_cpu_seconds_per_million_rows",
           ToJson(SpreadOf(operation, &SweepRound::client_cpu_seconds))},
          {"other_load_cpus", ToJson(SpreadOf(operation, &SweepRound::other_cpus))},
          {"over_limit", ToJson(RatioOf(point, operation, operation.limit))},
          {"limit", operation.limit},
          {"over_bare", ToJson(RatioOf(point, operation, operation.bare))}};
}

boost::json::object ToJson(const SweepPointResult& result) {
  const SweepPoint& point = result.point;
  boost::json::array operations;
  for (const SweepOperation& operation : result.operations) {
    operations.push_back(ToJson(result, operation));
  }
  return {{"name", point.name},
          {"settings",
           {{"batch_rows", point.batch_rows},
            {"dim", result.dim},
            {"rows", result.rows},
            {"keys", point.is_zipf ? absl::StrFormat("zipf %.2f", kSweepZipfExponent) : "uniform"},
            {"clients", point.clients},
            {"in_flight", point.in_flight},
            {"transport", point.is_unix ? "unix" : "tcp"},
            {"shards", result.shards}}},
          {"answers_hash", result.answers_hash},
          {"resident_bytes_per_row", result.resident_bytes_per_row},
          {"operations", std::move(operations)}};
}

}  // namespace

std::string ToText(const SweepResult& result) {
  std::string text =
      StrCat(result.machine.cpu, ", ", result.machine.cpus, " cpus, Linux ", result.machine.kernel,
             "; build ", result.machine.build, "; data on ", result.machine.file_system, "\n");
  for (const SweepPointResult& point : result.points) {
    text += Heading(point);
    text += absl::StrFormat("%-16s %23s %26s %15s %13s\n", "", "M rows/s", "latency, ms",
                            "cpu s/M rows", "ratio to");
    text += absl::StrFormat("%-16s %7s %15s %8s %8s %8s %7s %7s %6s %6s %6s\n", "operation",
                            "median", "least-most", "p50", "p99", "p99.9", "server", "client",
                            "limit", "bare", "other");
    for (const SweepOperation& operation : point.operations) text += Line(point, operation);
  }
  for (const SkippedPoint& skipped : result.skipped) {
    text += StrCat("\n", skipped.name, ": not measured: ", skipped.reason, "\n");
  }
  return text + absl::StrFormat(
                    "\nmedians over rounds; latencies of all rounds together; other: processors "
                    "that other programs kept busy, at most\nanswers were compared with a plain "
                    "calculation, bit by bit; %.1f minutes in all\n",
                    result.seconds / 60);
}

boost::json::object ToJson(const SweepResult& result) {
  boost::json::array points;
  for (const SweepPointResult& point : result.points) points.push_back(ToJson(point));
  boost::json::array skipped;
  for (const SkippedPoint& point : result.skipped) {
    skipped.push_back({{"name", point.name}, {"reason", point.reason}});
  }
  return {{"points", std::move(points)},
          {"skipped", std::move(skipped)},
          {"seconds", result.seconds},
          {"machine",
           {{"cpu", result.machine.cpu},
            {"cpus", result.machine.cpus},
            {"kernel", result.machine.kernel},
            {"build", result.machine.build},
            {"file_system", result.machine.file_system}}},
          {"commit", result.commit}};
}

}  // namespace rowhouse

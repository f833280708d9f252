#include "tests/bench/report.h"

#include <algorithm>
#include <boost/json.hpp>

#include "absl/strings/str_format.h"
#include "common/text.h"

namespace rowhouse {
namespace {

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};

Spread SpreadOf(const std::vector<Round>& rounds, double Round::*field) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(round.*field);
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

double MedianRatio(const Series& series) {
  return SpreadOf(series.rowhouse, &Round::rows_per_second).median /
         SpreadOf(series.plain, &Round::rows_per_second).median;
}

std::string Millions(const Spread& spread) {
  return absl::StrFormat("%6.2f (%.2f-%.2f)", spread.median / 1e6, spread.min / 1e6,
                         spread.max / 1e6);
}

boost::json::object ToJson(const std::vector<Round>& rounds) {
  boost::json::object json;
  const auto add = [&](const char* name, double Round::*field) {
    const Spread spread = SpreadOf(rounds, field);
    json[name] = {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
  };
  add("rows_per_second", &Round::rows_per_second);
  add("requests_per_second", &Round::requests_per_second);
  add("server_cpu_seconds_per_million_rows", &Round::server_cpu_seconds);
  add("other_load_cpus", &Round::other_load);
  boost::json::array all;
  for (const Round& round : rounds) all.push_back(round.rows_per_second);
  json["rounds_rows_per_second"] = std::move(all);
  return json;
}

}  // namespace

std::string ToText(const Report& report) {
  std::string text =
      StrCat(report.machine.cpu, ", ", report.machine.cpus, " cpus, Linux ", report.machine.kernel,
             "; build ", report.machine.build, "\n", boost::json::serialize(report.settings), "\n");
  text += absl::StrFormat("%-12s %9s  %-22s %-22s %6s %10s %7s %6s\n", "", "in flight",
                          "rowhouse, M rows/s", "plain Asio, M rows/s", "ratio", "requests/s",
                          "cpu*", "other");
  for (const Series& series : report.series) {
    const double other = std::max(SpreadOf(series.rowhouse, &Round::other_load).max,
                                  SpreadOf(series.plain, &Round::other_load).max);
    text += absl::StrFormat(
        "%-12s %9d  %-22s %-22s %6.2f %10.0f %7.3f %6.2f\n", series.name, series.in_flight,
        Millions(SpreadOf(series.rowhouse, &Round::rows_per_second)),
        Millions(SpreadOf(series.plain, &Round::rows_per_second)), MedianRatio(series),
        SpreadOf(series.rowhouse, &Round::requests_per_second).median,
        SpreadOf(series.rowhouse, &Round::server_cpu_seconds).median, other);
  }
  return text + StrCat(
                    "median (smallest-largest) of the rounds; cpu*: server's processor seconds "
                    "for a million rows;\nother: processors that other programs kept busy, at "
                    "most\nanswers checked; hash of the result: ",
                    report.result_hash, "\n");
}

boost::json::object ToJson(const Report& report) {
  boost::json::array series;
  for (const Series& one : report.series) {
    series.push_back({{"name", one.name},
                      {"in_flight", one.in_flight},
                      {"rowhouse", ToJson(one.rowhouse)},
                      {"plain_asio", ToJson(one.plain)},
                      {"ratio", MedianRatio(one)}});
  }
  return {{"machine",
           {{"cpu", report.machine.cpu},
            {"cpus", report.machine.cpus},
            {"kernel", report.machine.kernel}}},
          {"build", report.machine.build},
          {"settings", report.settings},
          {"series", std::move(series)},
          {"verified", true},
          {"result_hash", report.result_hash}};
}

}  // namespace rowhouse

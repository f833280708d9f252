#include "tests/bench/headline/figure.h"

#include <algorithm>
#include <boost/json.hpp>

#include "absl/strings/str_format.h"
#include "common/text.h"

namespace rowhouse {
namespace {

double MedianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}
double MinOf(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}
double MaxOf(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

}  // namespace

double Figure::median() const { return MedianOf(rounds); }
double Figure::min() const { return MinOf(rounds); }
double Figure::max() const { return MaxOf(rounds); }

std::string ToText(const Headline& headline) {
  std::string text = StrCat(headline.machine.cpu, ", ", headline.machine.cpus, " cpus, Linux ",
                            headline.machine.kernel, "; build ", headline.machine.build,
                            "; data on ", headline.machine.file_system, "\n");
  text += absl::StrFormat("%-26s %10s %22s\n", "measured", "median", "smallest-largest");
  for (const Rate& rate : headline.rates) {
    text += absl::StrFormat("%-26s %10.3f %10.3f-%-10.3f %s\n", rate.name, MedianOf(rate.rounds),
                            MinOf(rate.rounds), MaxOf(rate.rounds), rate.unit);
  }
  text +=
      absl::StrFormat("\n%-26s %10s %22s %12s\n", "figure", "median", "smallest-largest", "target");
  for (const Figure& figure : headline.figures) {
    text +=
        absl::StrFormat("%-26s %10.3f %10.3f-%-10.3f %s%8.3f  %s\n", figure.name, figure.median(),
                        figure.min(), figure.max(), figure.at_most ? "<= " : ">= ", figure.target,
                        figure.met() ? "met" : "missed");
  }
  return text;
}

boost::json::object ToJson(const Headline& headline) {
  boost::json::object figures;
  for (const Figure& figure : headline.figures) {
    figures[figure.name] = {{"median", figure.median()},
                            {"min", figure.min()},
                            {"max", figure.max()},
                            {"target", figure.target},
                            {"target_is", figure.at_most ? "most" : "least"}};
  }
  boost::json::object rates;
  for (const Rate& rate : headline.rates) {
    rates[rate.name] = {{"median", MedianOf(rate.rounds)},
                        {"min", MinOf(rate.rounds)},
                        {"max", MaxOf(rate.rounds)},
                        {"unit", rate.unit}};
  }
  return {{"figures", std::move(figures)},
          {"rates", std::move(rates)},
          {"machine",
           {{"cpu", headline.machine.cpu},
            {"cpus", headline.machine.cpus},
            {"kernel", headline.machine.kernel},
            {"build", headline.machine.build},
            {"file_system", headline.machine.file_system}}},
          {"commit", headline.commit}};
}

}  // namespace rowhouse

// A figure of the headline: a number with a target, by rounds.
//
// Threading: plain values.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "tests/bench/machine.h"

namespace rowhouse {

struct Figure {
  std::string name;
  std::vector<double> rounds;  // at least one
  double target = 0;
  bool at_most = false;  // the target is the most, not the least

  double median() const;
  double min() const;
  double max() const;
  bool met() const { return at_most ? median() <= target : median() >= target; }
};

// What the figures were made of: named rates by round, million rows a second or what `unit` says.
struct Rate {
  std::string name;
  std::vector<double> rounds;
  std::string unit = "M rows/s";
};

struct Headline {
  MachineFacts machine;
  std::string commit;
  std::vector<Figure> figures;
  std::vector<Rate> rates;
};

std::string ToText(const Headline& headline);
boost::json::object ToJson(const Headline& headline);

}  // namespace rowhouse

// Those who are measured beside each other, in interleaved rounds.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/headline/figure.h"

namespace rowhouse {

struct Contender {
  std::string name;
  std::function<absl::Status()> settle;  // before a round; may be empty
  // After that, not measured: memory that nobody has touched for seconds is slower for a while (on
  // some virtual machines by 80 us for every 2 MB). May be empty.
  std::function<absl::Status()> warm;
  std::function<absl::StatusOr<double>()> round;  // rows a second
};

// Their rates by name and round.
class Contest {
 public:
  void Add(Contender contender) { contenders_.push_back(std::move(contender)); }
  // Backwards every other time, so that nobody always runs after the same neighbour.
  absl::Status Run(uint32_t rounds, const std::string& what);

  // By round. REQUIRES: a contender of that name.
  const std::vector<double>& rates(const std::string& name) const;
  // Rates of `name` over those of `other`, round by round.
  std::vector<double> Ratio(const std::string& name, const std::string& other) const;
  // The one of the two with the higher median.
  std::string Faster(const std::string& a, const std::string& b) const;
  void AppendRates(std::vector<Rate>* rates) const;

 private:
  std::vector<Contender> contenders_;
  std::vector<std::vector<double>> rates_;  // by contender, by round
};

}  // namespace rowhouse

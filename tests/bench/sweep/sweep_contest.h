// The contenders of one point, measured in interleaved rounds while there is time.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/sweep/sweep_result.h"

namespace rowhouse {

// What one round did.
struct SweepLoad {
  double rows = 0;
  double seconds = 0;
  std::vector<float> latencies_ms;
};

struct SweepContender {
  std::string name;
  std::function<absl::StatusOr<SweepLoad>()> round;
  std::function<double()> server_cpu;    // seconds so far; empty: there is no server
  std::function<absl::Status()> settle;  // after a round, which pays for it; empty: nothing to do
  std::string limit;  // names of contenders; the faster of several, parted by a blank
  std::string bare;
};

class SweepContest {
 public:
  using Tell = std::function<void(uint32_t round, const std::string& contender)>;

  void Add(SweepContender contender) { contenders_.push_back(std::move(contender)); }
  size_t size() const { return contenders_.size(); }

  // At least two rounds where so many are wanted, then as many as end before `deadline` if they
  // take as long as the last. Backwards every other time, so that nobody always runs after the same
  // neighbour.
  absl::StatusOr<std::vector<SweepOperation>> Run(uint32_t rounds,
                                                  std::chrono::steady_clock::time_point deadline,
                                                  const Tell& tell) const;

 private:
  std::vector<SweepContender> contenders_;
};

}  // namespace rowhouse

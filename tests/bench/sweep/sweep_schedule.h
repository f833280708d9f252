// Shares the time of a sweep out among its points, and tells on stderr how far it is; quiet unless
// that is a terminal.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/sweep/sweep_point.h"
#include "worker/progress.h"

namespace rowhouse {

class SweepSchedule {
 public:
  SweepSchedule(const SweepOptions& options, const std::vector<SweepStage>& stages);

  // Errors: the options ask for a point that there is not; the message names those that there are.
  absl::Status Check() const;
  bool IsWanted(const SweepPoint& point) const;
  bool IsWanted(const SweepStage& stage) const;
  // Seconds that all wanted points take at most, by their contenders: what is filled and drained
  // is guessed.
  double estimated_seconds() const;

  // When the point has used its share of what time is left; its share is gone then.
  std::chrono::steady_clock::time_point DeadlineOf(const SweepPoint& point);

  void Tell(const std::string& what);
  // Ends the line.
  void Finish();
  double seconds() const;

 private:
  const SweepOptions& options_;
  const std::vector<SweepStage>& stages_;
  const std::chrono::steady_clock::time_point begin_;
  double shares_left_ = 0;
  StatusLine line_;
};

}  // namespace rowhouse

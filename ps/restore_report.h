// Tells people how a start gets on: a line when a phase begins, one every few seconds with rate and
// time left, and at the end both rates and the total.
//
//   RestoreReport report("shard 0 of 2", SecondsNow, [](std::string_view line) { LOG(INFO) << line;
//   }); options.observe = [&](const RestoreProgress& progress) { report.Note(progress); };
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "ps/restore.h"

namespace rowhouse {

class RestoreReport {
 public:
  using Clock = std::function<double()>;  // seconds since any moment
  using Say = std::function<void(std::string_view line)>;

  RestoreReport(std::string who, Clock clock, Say say)
      : who_(std::move(who)), clock_(std::move(clock)), say_(std::move(say)) {}

  void Note(const RestoreProgress& progress);

 private:
  void BeginPhase(const RestoreProgress& progress, double now);
  std::string Line(const RestoreProgress& progress, double seconds) const;

  const std::string who_;
  const Clock clock_;
  const Say say_;
  bool begun_ = false;
  RestoreProgress::Phase phase_ = RestoreProgress::Phase::kRows;
  double phase_began_ = 0;
  double said_at_ = 0;
  double rows_seconds_ = 0;
};

// "1.25 M rows/s", "310 k rows/s"; "-" where no time has passed.
std::string RateText(uint64_t count, double seconds, std::string_view what);

}  // namespace rowhouse

#include "tests/bench/sweep/sweep_schedule.h"

#include <algorithm>

#include "common/text.h"
#include "tests/bench/keep_going.h"

namespace rowhouse {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kContenders = 10;
constexpr double kDrainSeconds = 4;         // after all pushes of a round
constexpr double kFillRowsPerSecond = 4e5;  // with all that is made and checked before a round

// By the number of contenders.
double ShareOf(const SweepPoint& point) { return point.has_peers ? 1.7 : 1; }

}  // namespace

SweepSchedule::SweepSchedule(const SweepOptions& options, const std::vector<SweepStage>& stages)
    : options_(options), stages_(stages), begin_(Clock::now()), line_(StatusLineOnStderr()) {
  for (const SweepStage& stage : stages_) {
    for (const SweepPoint& point : stage.points) {
      if (IsWanted(point)) shares_left_ += ShareOf(point);
    }
  }
}

absl::Status SweepSchedule::Check() const {
  std::string names;
  std::vector<std::string> known;
  for (const SweepStage& stage : stages_) {
    for (const SweepPoint& point : stage.points) known.push_back(point.name);
  }
  for (const std::string& name : known) names += " " + name;
  for (const std::string& name : options_.only) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return absl::InvalidArgumentError(StrCat("--only: '", name, "' is no point; there are", names));
  }
  return absl::OkStatus();
}

bool SweepSchedule::IsWanted(const SweepPoint& point) const {
  const auto& only = options_.only;
  return only.empty() || std::find(only.begin(), only.end(), point.name) != only.end();
}

bool SweepSchedule::IsWanted(const SweepStage& stage) const {
  return std::any_of(stage.points.begin(), stage.points.end(),
                     [this](const SweepPoint& point) { return IsWanted(point); });
}

double SweepSchedule::estimated_seconds() const {
  double seconds = 0;
  for (const SweepStage& stage : stages_) {
    if (IsWanted(stage)) seconds += static_cast<double>(stage.rows) / kFillRowsPerSecond;
  }
  const double round_seconds = kContenders * options_.seconds + kDrainSeconds;
  seconds += shares_left_ * options_.rounds * round_seconds;
  return std::min(seconds, options_.minutes * 60);
}

Clock::time_point SweepSchedule::DeadlineOf(const SweepPoint& point) {
  const double left = options_.minutes * 60 - seconds();
  const double share = left * ShareOf(point) / shares_left_;
  shares_left_ -= ShareOf(point);
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(std::max(0.0, share)));
}

void SweepSchedule::Tell(const std::string& what) {
  line_.Update(seconds(), [&](size_t columns) {
    return StrCat(FormatDuration(seconds()), " of about ", FormatDuration(options_.minutes * 60),
                  "  ", what)
        .substr(0, columns);
  });
}

void SweepSchedule::Finish() {
  line_.Finish([this](size_t columns) {
    return StrCat("measured in ", FormatDuration(seconds())).substr(0, columns);
  });
}

double SweepSchedule::seconds() const { return SecondsSince(begin_); }

}  // namespace rowhouse

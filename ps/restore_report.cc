#include "ps/restore_report.h"

#include "absl/strings/str_format.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr double kIntervalSeconds = 3;

std::string Seconds(double seconds) { return absl::StrFormat("%.2f s", seconds); }

}  // namespace

std::string RateText(uint64_t count, double seconds, std::string_view what) {
  if (seconds <= 0) return "-";
  const double rate = static_cast<double>(count) / seconds;
  if (rate >= 1e6) return StrCat(absl::StrFormat("%.2f M ", rate / 1e6), what, "/s");
  if (rate >= 1e4) return StrCat(absl::StrFormat("%.0f k ", rate / 1e3), what, "/s");
  return StrCat(absl::StrFormat("%.0f ", rate), what, "/s");
}

void RestoreReport::Note(const RestoreProgress& progress) {
  const double now = clock_();
  if (!begun_ || progress.phase != phase_) {
    BeginPhase(progress, now);
    return;
  }
  if (now - said_at_ < kIntervalSeconds) return;
  said_at_ = now;
  say_(Line(progress, now - phase_began_));
}

void RestoreReport::BeginPhase(const RestoreProgress& progress, double now) {
  const double seconds = begun_ ? now - phase_began_ : 0;
  begun_ = true;
  phase_ = progress.phase;
  phase_began_ = said_at_ = now;
  switch (progress.phase) {
    case RestoreProgress::Phase::kRows:
      say_(StrCat(who_, ": loading rows"));
      break;
    case RestoreProgress::Phase::kLog:
      rows_seconds_ = seconds;
      say_(StrCat(who_, ": loaded ", progress.rows, " rows in ", Seconds(seconds), " (",
                  RateText(progress.rows, seconds, "rows"), "); replaying the push log"));
      break;
    case RestoreProgress::Phase::kDone:
      say_(StrCat(who_, ": replayed ", progress.records, " log records with ", progress.record_rows,
                  " rows in ", Seconds(seconds), " (",
                  RateText(progress.record_rows, seconds, "rows"), "); ready after ",
                  Seconds(rows_seconds_ + seconds), " in all"));
      break;
  }
}

std::string RestoreReport::Line(const RestoreProgress& progress, double seconds) const {
  const bool loading = progress.phase == RestoreProgress::Phase::kRows;
  const uint64_t rows = loading ? progress.rows : progress.record_rows;
  std::string line = StrCat(who_, loading ? ": loading: " : ": replaying: ", rows, " rows, ",
                            RateText(rows, seconds, "rows"), ", ",
                            absl::StrFormat("%.0f %%", 100 * progress.fraction));
  if (progress.fraction > 0) {
    const double left = seconds / progress.fraction * (1 - progress.fraction);
    line = StrCat(line, absl::StrFormat(", about %.0f s left", left));
  }
  return line;
}

}  // namespace rowhouse

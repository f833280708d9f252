#include "worker/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr size_t kBarMin = 8;
constexpr size_t kBarMax = 30;
constexpr std::string_view kEraseLine = "\r\033[K";

double PerSecond(uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

double ShareDone(const TrainingProgress& progress) {
  if (progress.run_examples == 0) return 1;
  return static_cast<double>(progress.run_examples_done) /
         static_cast<double>(progress.run_examples);
}

std::string Bar(double share, size_t width) {
  const auto full = static_cast<size_t>(share * static_cast<double>(width));
  std::string bar(width, ' ');
  std::fill_n(bar.begin(), full, '=');
  if (full < width) bar[full] = '>';
  return StrCat("[", bar, "] ");
}

}  // namespace

std::string FormatCount(double count) {
  const auto scaled = [](double value, const char* suffix) {
    return absl::StrFormat(value < 99.95 ? "%.1f%s" : "%.0f%s", value, suffix);
  };
  if (count < 999.5) return absl::StrFormat("%.0f", count);
  if (count < 999.5e3) return scaled(count / 1e3, "k");
  if (count < 999.5e6) return scaled(count / 1e6, "M");
  return scaled(count / 1e9, "G");
}

std::string FormatDuration(double seconds) {
  const auto total = static_cast<int64_t>(std::min(std::max(seconds, 0.0), 1e9));
  const int64_t hours = total / 3600;
  if (hours == 0) return absl::StrFormat("%d:%02d", total / 60, total % 60);
  return absl::StrFormat("%d:%02d:%02d", hours, total / 60 % 60, total % 60);
}

std::string FormatProgress(const TrainingProgress& progress, double seconds, size_t columns) {
  const double share = ShareDone(progress);
  const std::string head = absl::StrFormat("epoch %d/%d ", progress.epoch + 1, progress.epochs);
  const std::string left = share > 0 ? FormatDuration(seconds * (1 - share) / share) : "?";
  const std::string tail =
      absl::StrFormat("%3.0f%%  %s ex/s  %s rows/s  loss %.4f  ETA %s", 100 * share,
                      FormatCount(PerSecond(progress.run_examples_done, seconds)),
                      FormatCount(PerSecond(progress.rows_pulled + progress.rows_pushed, seconds)),
                      progress.loss, left);
  const size_t taken = head.size() + tail.size() + 3;  // brackets and a space
  const size_t room = columns > taken ? columns - taken : 0;
  const std::string bar = room >= kBarMin ? Bar(share, std::min(room, kBarMax)) : "";
  return (head + bar + tail).substr(0, columns);
}

std::string FormatBytes(double bytes) {
  const auto scaled = [](double value, const char* unit) {
    return absl::StrFormat(value < 99.95 ? "%.1f %s" : "%.0f %s", value, unit);
  };
  if (bytes < 999.5) return absl::StrFormat("%.0f B", bytes);
  if (bytes < 999.5e3) return scaled(bytes / 1e3, "kB");
  if (bytes < 999.5e6) return scaled(bytes / 1e6, "MB");
  return scaled(bytes / 1e9, "GB");
}

std::string FormatTransfer(const TransferProgress& progress, double seconds, size_t columns) {
  const auto done = static_cast<double>(progress.bytes_done);
  const auto total = static_cast<double>(progress.bytes_total);
  const double rate = seconds > 0 ? done / seconds : 0;
  const std::string head = StrCat(progress.what, " ");
  if (progress.bytes_total == 0) {
    return absl::StrFormat("%s%s  %s/s", head, FormatBytes(done), FormatBytes(rate))
        .substr(0, columns);
  }
  const double share = std::min(1.0, done / total);
  const std::string left = rate > 0 ? FormatDuration((total - done) / rate) : "?";
  const std::string tail =
      absl::StrFormat("%3.0f%%  %s of %s  %s/s  ETA %s", 100 * share, FormatBytes(done),
                      FormatBytes(total), FormatBytes(rate), left);
  const size_t taken = head.size() + tail.size() + 3;  // brackets and a space
  const size_t room = columns > taken ? columns - taken : 0;
  const std::string bar = room >= kBarMin ? Bar(share, std::min(room, kBarMax)) : "";
  return (head + bar + tail).substr(0, columns);
}

StatusLine::StatusLine(std::function<void(std::string_view)> write, size_t columns)
    : write_(std::move(write)), columns_(columns) {}

void StatusLine::Update(double seconds, const std::function<std::string(size_t)>& make) {
  if (!write_) return;
  if (drawn_seconds_ >= 0 && seconds - drawn_seconds_ < kRedrawSeconds) return;
  write_(StrCat(kEraseLine, make(columns_)));
  drawn_seconds_ = seconds;
}

void StatusLine::Finish(const std::function<std::string(size_t)>& make) {
  if (!write_) return;
  write_(StrCat(kEraseLine, make(columns_)));
  write_("\n");
}

StatusLine StatusLineOnStderr() {
  constexpr size_t kColumnsWhereUnknown = 80;
  if (isatty(STDERR_FILENO) == 0) return StatusLine({}, 0);
  winsize size{};
  const bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  const auto write = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
  // A full last column would wrap on some terminals.
  return StatusLine(write, is_known ? size.ws_col - 1u : kColumnsWhereUnknown - 1);
}

ProgressBar::ProgressBar(std::function<void(std::string_view)> write, size_t columns)
    : line_(std::move(write), columns) {}

void ProgressBar::Update(const TrainingProgress& progress, double seconds) {
  line_.Update(seconds, [&](size_t columns) { return FormatProgress(progress, seconds, columns); });
}

void ProgressBar::Finish(const TrainingProgress& progress, double seconds) {
  line_.Finish([&](size_t columns) { return FormatProgress(progress, seconds, columns); });
}

ProgressBar ProgressBarOnStderr() { return ProgressBar(StatusLineOnStderr()); }

}  // namespace rowhouse

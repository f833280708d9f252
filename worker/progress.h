// A progress bar for people: epoch, speed, loss and time left, on one line that is drawn anew.
//
//   epoch 3/12 [=======>       ]  41%  182k ex/s  1.2M rows/s  loss 0.3012  ETA 0:12
//
// Threading: none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "worker/training/trainer.h"

namespace rowhouse {

// `seconds`: since the run began. At most `columns` wide; the bar is left out where there is no
// room.
std::string FormatProgress(const TrainingProgress& progress, double seconds, size_t columns);

// 950, 12.3k, 182k, 1.2M
std::string FormatCount(double count);
// 0:07, 12:34, 1:02:03
std::string FormatDuration(double seconds);

// Long work on bytes: "copying [=====>    ]  41%  1.2 GB of 2.9 GB  310 MB/s  ETA 0:12".
struct TransferProgress {
  std::string what;
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;  // 0: not known
};

// `seconds`: since this work began. At most `columns` wide.
std::string FormatTransfer(const TransferProgress& progress, double seconds, size_t columns);
// 950 B, 12.3 kB, 1.2 GB
std::string FormatBytes(double bytes);

// One line that is drawn anew, at most ten times a second.
class StatusLine {
 public:
  // Writes nothing where `write` is empty.
  StatusLine(std::function<void(std::string_view)> write, size_t columns);

  // `make` gives the text for that many columns; it is called only where something is drawn.
  void Update(double seconds, const std::function<std::string(size_t columns)>& make);
  // Draws the last state and ends the line.
  void Finish(const std::function<std::string(size_t columns)>& make);

 private:
  const std::function<void(std::string_view)> write_;
  const size_t columns_;
  double drawn_seconds_ = -1;
};

// On standard error: quiet unless that is a terminal.
StatusLine StatusLineOnStderr();

class ProgressBar {
 public:
  // Writes nothing where `write` is empty.
  ProgressBar(std::function<void(std::string_view)> write, size_t columns);
  explicit ProgressBar(StatusLine line) : line_(std::move(line)) {}

  // Draws, unless it did so within the last tenth of a second.
  void Update(const TrainingProgress& progress, double seconds);
  // Draws the last state and ends the line.
  void Finish(const TrainingProgress& progress, double seconds);

 private:
  StatusLine line_;
};

// The bar for standard error: quiet unless that is a terminal.
ProgressBar ProgressBarOnStderr();

}  // namespace rowhouse

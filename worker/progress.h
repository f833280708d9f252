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

#include "worker/trainer.h"

namespace rowhouse {

// `seconds`: since the run began. At most `columns` wide; the bar is left out where there is no
// room.
std::string FormatProgress(const TrainingProgress& progress, double seconds, size_t columns);

// 950, 12.3k, 182k, 1.2M
std::string FormatCount(double count);
// 0:07, 12:34, 1:02:03
std::string FormatDuration(double seconds);

class ProgressBar {
 public:
  // Writes nothing where `write` is empty.
  ProgressBar(std::function<void(std::string_view)> write, size_t columns);

  // Draws, unless it did so within the last tenth of a second.
  void Update(const TrainingProgress& progress, double seconds);
  // Draws the last state and ends the line.
  void Finish(const TrainingProgress& progress, double seconds);

 private:
  void Draw(const TrainingProgress& progress, double seconds);

  const std::function<void(std::string_view)> write_;
  const size_t columns_;
  double drawn_seconds_ = -1;
};

// The bar for standard error: quiet unless that is a terminal.
ProgressBar ProgressBarOnStderr();

}  // namespace rowhouse

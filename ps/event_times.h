// The longest that each kind of event has kept a shard's thread: what a request may have had to
// wait for, whoever sent it.
//
// Threading: one shard, one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/wire/control.h"

namespace rowhouse {

enum class EventKind : uint8_t { kRequest, kFlushStep, kLogDone, kFileDone, kRowsRead, kOther };
inline constexpr size_t kEventKinds = 6;

class EventTimes {
 public:
  void Note(EventKind kind, uint64_t micros) {
    uint64_t& longest = longest_us_[static_cast<size_t>(kind)];
    longest = std::max(longest, micros);
  }

  void AppendTo(std::vector<Counter>* counters) const {
    constexpr std::array<std::string_view, kEventKinds> kNames = {
        "longest_request_us",   "longest_flush_step_us", "longest_log_done_us",
        "longest_file_done_us", "longest_rows_read_us",  "longest_other_us"};
    for (size_t i = 0; i < kEventKinds; ++i) {
      counters->push_back({std::string(kNames[i]), longest_us_[i]});
    }
  }

 private:
  std::array<uint64_t, kEventKinds> longest_us_{};
};

}  // namespace rowhouse

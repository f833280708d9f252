// What happened in a run, line by line: the last lines as text, all of them as a digest.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "common/text.h"
#include "tests/simulation/event_queue.h"

namespace rowhouse {

class Trace {
 public:
  Trace(const EventQueue* events, size_t lines_max) : events_(events), lines_max_(lines_max) {}

  template <typename... Parts>
  void Note(const Parts&... parts) {
    Add(StrCat(events_->now_us(), " ", parts...));
  }

  // Of everything noted so far.
  uint64_t digest() const { return digest_; }
  const std::deque<std::string>& lines() const { return lines_; }

 private:
  void Add(std::string line);

  const EventQueue* events_;
  size_t lines_max_;
  uint64_t digest_ = 0;
  std::deque<std::string> lines_;
};

}  // namespace rowhouse

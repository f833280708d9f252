// The virtual clock: events happen in order of their time, those of one time in the order in which
// they were made.
//
// Threading: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace rowhouse {

class EventQueue {
 public:
  using Event = std::function<void()>;

  uint64_t now_us() const { return now_us_; }

  void At(uint64_t time_us, Event event) {
    events_.emplace(std::pair(std::max(time_us, now_us_), next_++), std::move(event));
  }
  void After(uint64_t delay_us, Event event) { At(now_us_ + delay_us, std::move(event)); }

  // False where nothing is left to happen.
  bool RunOne() {
    if (events_.empty()) return false;
    const auto first = events_.begin();
    now_us_ = first->first.first;
    const Event event = std::move(first->second);
    events_.erase(first);
    event();
    return true;
  }

 private:
  uint64_t now_us_ = 0;
  uint64_t next_ = 0;
  std::map<std::pair<uint64_t, uint64_t>, Event> events_;
};

}  // namespace rowhouse

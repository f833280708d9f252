// The wish to end what a thread is waiting for: whoever has the wish wakes that thread.
//
// Threading: any thread; not for signal handlers. What others say happened is told through Change,
//   so that a wait sees it at once.
// Ownership: shared, because an answer may come after whoever waited for it has gone.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace rowhouse {

class Cancellation {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  void Cancel() {
    Change([this] { cancelled_ = true; });
  }
  bool cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  // Makes `change`, alone, and lets who waits look again.
  template <typename Action>
  void Change(Action change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }

  // Until ready(), the wish to end, or `end`. Whether it is ready; `ready` is called alone.
  template <typename Ready>
  bool Await(TimePoint end, Ready ready) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, end, [&] { return cancelled_ || ready(); });
    return ready();
  }
  // The same, where the end itself has something to wait for.
  template <typename Ready>
  bool AwaitRegardless(TimePoint end, Ready ready) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, end, ready);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
};

}  // namespace rowhouse

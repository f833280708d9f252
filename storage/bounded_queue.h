// A queue between two stages of a start: bounded by weight, closed from either side.
//
//   producer: while (queue.Push(item, weight)) ...   queue.Close(status);
//   consumer: while (auto item = queue.Pop()) ...    queue.Close(status);   queue.status()
//
// Threading: any number of producers and consumers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/status.h"

namespace rowhouse {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t weight_max) : weight_max_(weight_max) {}

  // Waits for room; an item heavier than all of the queue waits until that is empty. False, with
  // the item dropped, where a stage has failed.
  bool Push(T item, size_t weight) {
    std::unique_lock lock(mutex_);
    changed_.wait(
        lock, [&] { return !status_.ok() || items_.empty() || weight_ + weight <= weight_max_; });
    if (!status_.ok()) return false;
    items_.emplace_back(std::move(item), weight);
    weight_ += weight;
    lock.unlock();
    changed_.notify_all();
    return true;
  }

  // Waits for an item. Nullopt at the end: the queue was closed and is empty, or a stage failed.
  std::optional<T> Pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !status_.ok() || closed_ || !items_.empty(); });
    if (!status_.ok() || items_.empty()) return std::nullopt;
    T item = std::move(items_.front().first);
    weight_ -= items_.front().second;
    items_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return item;
  }

  // No more items come; with an error, those that wait are of no use either. The first error stays.
  void Close(const absl::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      if (status_.ok()) status_ = status;
    }
    changed_.notify_all();
  }

  absl::Status status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  const size_t weight_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<T, size_t>> items_;  // this and all below guarded by mutex_
  size_t weight_ = 0;
  bool closed_ = false;
  absl::Status status_;
};

}  // namespace rowhouse

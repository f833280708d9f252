// A closed loop: as many requests open as are allowed, for some time.
//
// Threading: the calling thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <future>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/status_macros.h"
#include "tests/bench/plain_peer.h"

namespace rowhouse {

inline double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Keeps `in_flight` requests going for `seconds`; `start(slot)` begins one that may use the slot,
// which nobody else uses until it is answered.
template <typename Start>
absl::StatusOr<LoadResult> KeepGoing(uint32_t in_flight, double seconds, const Start& start) {
  struct Open {
    std::chrono::steady_clock::time_point begin;
    std::future<absl::Status> done;
  };
  std::deque<Open> waiting;
  LoadResult result;
  const auto begin = std::chrono::steady_clock::now();
  const auto finish_oldest = [&] {
    const absl::Status status = waiting.front().done.get();
    result.latencies_ms.push_back(static_cast<float>(SecondsSince(waiting.front().begin) * 1e3));
    waiting.pop_front();
    ++result.requests;
    return status;
  };
  for (uint64_t i = 0; SecondsSince(begin) < seconds; ++i) {
    if (waiting.size() == in_flight) RETURN_IF_ERROR(finish_oldest());
    const auto now = std::chrono::steady_clock::now();
    waiting.push_back({now, start(i % in_flight)});
  }
  while (!waiting.empty()) RETURN_IF_ERROR(finish_oldest());
  result.seconds = SecondsSince(begin);
  return result;
}

}  // namespace rowhouse

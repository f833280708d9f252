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
  std::deque<std::future<absl::Status>> waiting;
  LoadResult result;
  const auto begin = std::chrono::steady_clock::now();
  const auto finish_oldest = [&] {
    const absl::Status status = waiting.front().get();
    waiting.pop_front();
    ++result.requests;
    return status;
  };
  for (uint64_t i = 0; SecondsSince(begin) < seconds; ++i) {
    if (waiting.size() == in_flight) RETURN_IF_ERROR(finish_oldest());
    waiting.push_back(start(i % in_flight));
  }
  while (!waiting.empty()) RETURN_IF_ERROR(finish_oldest());
  result.seconds = SecondsSince(begin);
  return result;
}

}  // namespace rowhouse

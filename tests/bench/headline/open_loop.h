// Requests that come when they are due, whether or not earlier ones are answered: a server that
// holds one up is charged for all that were due meanwhile.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

struct Arrival {
  std::chrono::nanoseconds due;  // since the loop began
  bool is_push = false;
};

// At random, `rate` a second on average, fixed by the seed; every tenth is a push.
std::vector<Arrival> DrawArrivals(double rate, double seconds, uint64_t seed);

inline constexpr uint64_t kPushEvery = 10;  // of so many requests one is a push

// Open at a time; later ones wait, which counts, as latency is measured from when they were due.
inline constexpr size_t kOpenMax = 64;

class OpenLoopPeer {
 public:
  virtual ~OpenLoopPeer() = default;
  // `slot`, below kOpenMax, is nobody else's until the request is answered.
  virtual absl::Status Send(bool is_push, size_t slot) = 0;
  // Takes the answer to the oldest request that has none yet; false where it does not come until
  // then.
  virtual absl::StatusOr<bool> TakeAnswer(std::chrono::steady_clock::time_point until) = 0;
};

// Milliseconds from due to answered, of the pulls.
absl::StatusOr<std::vector<double>> RunOpenLoop(const std::vector<Arrival>& arrivals,
                                                OpenLoopPeer* peer);

// REQUIRES: there is a value. share: 0.99 for the 99th percentile.
double Percentile(std::vector<double> values, double share);

}  // namespace rowhouse

// Waiting times between attempts: doubling, with jitter, so that many clients of a server that went
// away do not come back in step.
//
// Threading: one thread. The sequence follows from the seed.
#pragma once

#include <cstdint>

namespace rowhouse {

class Backoff {
 public:
  // REQUIRES: 1 <= min_ms <= max_ms.
  Backoff(uint32_t min_ms, uint32_t max_ms, uint64_t seed);

  // In [d/2, d], where d begins at `min_ms` and doubles up to `max_ms`. Never 0.
  uint32_t NextMs();

  // To be called after a success: the next wait is a short one again.
  void Reset() { limit_ms_ = min_ms_; }

 private:
  uint32_t min_ms_;
  uint32_t max_ms_;
  uint32_t limit_ms_;
  uint64_t random_state_;
};

}  // namespace rowhouse

#include "worker/client/backoff.h"

#include <algorithm>

#include "common/fingerprint.h"

namespace rowhouse {

Backoff::Backoff(uint32_t min_ms, uint32_t max_ms, uint64_t seed)
    : min_ms_(min_ms), max_ms_(max_ms), limit_ms_(min_ms), random_state_(seed) {}

uint32_t Backoff::NextMs() {
  const uint32_t limit = limit_ms_;
  const uint32_t half = limit / 2;
  limit_ms_ = static_cast<uint32_t>(std::min<uint64_t>(uint64_t{limit} * 2, max_ms_));
  random_state_ += 0x9E3779B97F4A7C15ull;
  const uint64_t jitter = Mix64(random_state_) % (uint64_t{limit - half} + 1);
  return std::max<uint32_t>(1, half + static_cast<uint32_t>(jitter));
}

}  // namespace rowhouse

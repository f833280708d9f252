// Cuts what is pulled from one shard into requests that stay within the server's limits.
//
// Threading: a free function, no state.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace rowhouse {

struct RequestLimits {
  uint64_t keys_max = 0;         // in one request
  uint64_t frame_bytes_max = 0;  // of request and answer
};

// Rows wanted of one table.
struct SectionSize {
  uint64_t row_count = 0;
  uint32_t dim = 0;
};

// A run of one section's rows.
struct SectionRun {
  uint32_t section = 0;
  uint64_t first = 0;
  uint64_t count = 0;
};

// Requests in order, each a list of runs in order of sections; sections without rows have none.
// Errors: kFrameTooLarge where not even one row fits.
absl::StatusOr<std::vector<std::vector<SectionRun>>> PackPull(std::span<const SectionSize> sections,
                                                              const RequestLimits& limits);

}  // namespace rowhouse

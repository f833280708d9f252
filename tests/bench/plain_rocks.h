// RocksDB as a measuring stick: the same rows in a RocksDB as anybody would set it up, a
// block cache of the given size and a Bloom filter, read by MultiGet in the calling thread.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/types.h"

namespace rowhouse {

class PlainRocks {
 public:
  static absl::StatusOr<std::unique_ptr<PlainRocks>> Open(const std::string& path,
                                                          uint64_t cache_bytes);
  virtual ~PlainRocks() = default;

  enum class WriteAheadLog { kOff, kOn };
  // One batch. values: [keys, value_floats].
  virtual absl::Status Put(std::span<const Key> keys, std::span<const float> values,
                           size_t value_floats, WriteAheadLog log = WriteAheadLog::kOff) = 0;
  // Everything into sorted files, as after a long life.
  virtual absl::Status Compact() = 0;
  // Waits until its threads have ended what they do; they begin nothing more until Resume. What
  // would go on behind a turn takes a core and half of the disk from the next contender.
  virtual absl::Status Pause() = 0;
  virtual absl::Status Resume() = 0;
  // The first `dim` floats of each value. out: [keys, dim]. Keys may repeat.
  virtual absl::Status Read(std::span<const Key> keys, size_t dim, float* out) = 0;
};

}  // namespace rowhouse

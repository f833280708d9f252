// A shard's directory: whose it is, and that nobody else uses it.
//
//   DIR/IDENTITY   text: format version, timeline, shard id, shard count, slot bits
//   DIR/LOCK       held by flock while the shard is open
//   DIR/rows/      RocksDB
//   DIR/log/       push log segments
//
// Errors, each with the path and what to do: not writable; a directory that holds other files and
//   no IDENTITY (foreign); an IDENTITY that does not parse or is of a newer format; one of another
//   shard, shard count or timeline; locked by another process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/types.h"

namespace rowhouse {

struct ShardIdentity {
  Timeline timeline;
  ShardId shard;
  uint32_t shard_count = 0;
  uint32_t slot_bits = 0;

  bool operator==(const ShardIdentity&) const = default;
};

// Writes the IDENTITY of a directory that was filled by other means, the last step of making it
// one. Everything else in it must be durable by then.
absl::Status WriteDataDirIdentity(const std::string& path, const ShardIdentity& identity);

class DataDir {
 public:
  // Creates the directory and its IDENTITY where there is none. `identity.timeline` counts only
  // then; an existing directory keeps its own, found in identity() afterwards.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(const std::string& path,
                                                       const ShardIdentity& identity);
  // A directory that must be there: takes the lock, and changes nothing. Errors: NotFound; DataLoss
  // for a damaged IDENTITY.
  static absl::StatusOr<std::unique_ptr<DataDir>> OpenExisting(const std::string& path);
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  const ShardIdentity& identity() const { return identity_; }
  std::string rows_path() const { return path_ + "/rows"; }
  std::string log_path() const { return path_ + "/log"; }

 private:
  DataDir(std::string path, ShardIdentity identity, int lock_fd)
      : path_(std::move(path)), identity_(identity), lock_fd_(lock_fd) {}

  std::string path_;
  ShardIdentity identity_;
  int lock_fd_;
};

}  // namespace rowhouse

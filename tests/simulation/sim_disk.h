// The disk of one simulated shard: it outlives the shard's lives, and does what disks do when a
// process or a machine ends in the middle of something.
//
//   SimDisk disk(&world);
//   storage.files = disk.OpenLogFiles(); storage.disk = disk.OpenRows();   // for one life
//   disk.DieAfter(3);           // the third write from now on is the last, and may be half done
//   disk.LosePower();           // what was not synced is lost, kept or mangled
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/disk_tier.h"
#include "storage/log_files.h"
#include "storage/memory_log_files.h"
#include "tests/simulation/checks.h"
#include "tests/simulation/world.h"

namespace rowhouse {

class SimDisk {
 public:
  explicit SimDisk(World* world);

  // Views for one life of the shard; the disk outlives them.
  std::unique_ptr<LogFiles> OpenLogFiles();
  std::unique_ptr<DiskTier> OpenRows();

  // The process ends in the `writes`-th write from now on (append, create, sync, truncate, unlink
  // or ingest); everything after it fails until Revive.
  void DieAfter(uint64_t writes) { writes_left_ = writes; }
  bool dead() const { return dead_; }
  void Revive();

  void LosePower();

  // Failures that last until they are healed.
  void FillUp();
  void TearAppends();
  void FailSyncs(bool fail);
  void FailIngests(bool fail) { fail_ingests_ = fail; }
  void FailReads(bool fail) { fail_reads_ = fail; }
  void Heal();
  bool failing() const { return failing_ || fail_ingests_ || fail_reads_; }

  // Every record from LSN 1 on, segments that were unlinked included.
  absl::StatusOr<Journal> ReadLog() const;
  // Every row and where the bookkeeping says the watermark is.
  absl::StatusOr<Rows> ReadRows() const;

 private:
  class View;
  class FileView;
  class RowsView;
  enum class Step { kDo, kDieBefore, kDieAfter };

  // What becomes of the next write.
  Step NextWrite();
  absl::Status Dead() const;
  // Carries out a write that either happens or not.
  template <typename Write>
  absl::Status DoWrite(Write write);
  // Keeps what it held.
  absl::Status Unlink(std::string_view name);
  void MangleUnsynced(std::string_view name);
  void BringBackUnlinked();
  // Images end with the process.
  void DropImages();

  World* const world_;
  MemoryLogFiles files_;
  std::unique_ptr<DiskTier> rows_;
  std::map<std::string, std::vector<std::byte>, std::less<>> unlinked_;
  std::set<std::string> images_;
  uint64_t writes_left_ = 0;  // 0: no death is planned
  bool dead_ = false;
  bool failing_ = false;
  bool fail_ingests_ = false;
  bool fail_reads_ = false;
};

}  // namespace rowhouse

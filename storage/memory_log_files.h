// Log files in memory with the faults of real ones: unsynced bytes that vanish, torn writes, full
// disks, syncs that fail and drop what they were to write. Deterministic: for simulation and tests.
//
// Threading: as LogFiles; the fault switches from any thread.
// Ownership: an open LogFile may outlive the MemoryLogFiles that made it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/log_files.h"

namespace rowhouse {

class MemoryLogFiles final : public LogFiles {
 public:
  MemoryLogFiles();
  ~MemoryLogFiles() override;

  absl::StatusOr<std::unique_ptr<LogFile>> Create(std::string_view name) override;
  absl::StatusOr<std::unique_ptr<LogFile>> OpenForAppend(std::string_view name) override;
  absl::StatusOr<std::vector<std::byte>> Read(std::string_view name, uint64_t offset,
                                              size_t bytes) const override;
  absl::StatusOr<uint64_t> SizeBytes(std::string_view name) const override;
  absl::StatusOr<std::vector<std::string>> List() const override;
  absl::StatusOr<RemovedFile> Remove(std::string_view name) override;
  std::string Describe(std::string_view name) const override;

  // Power loss: every file falls back to what was last synced.
  void DropUnsynced();
  // Of that, only what was lost in syncs that failed: as good as gone since then.
  void DropFailedSyncs();
  // Up to where the file waits for no sync.
  uint64_t CleanBytes(std::string_view name) const;
  // Appends write `bytes` more bytes, over all files, and then fail until the next call.
  void TearAppendsAfter(uint64_t bytes);
  void HealAppends();
  // Appends fail with ResourceExhausted where the files would exceed `bytes` together.
  void SetDiskBytesMax(uint64_t bytes);
  // A sync that fails drops what it was to write: that reads well until the power is lost, unless
  // it is written again.
  void FailSyncs(bool fail);
  void FailTruncates(bool fail);
  void FailRemoves(bool fail);
  // The file's bytes, to damage them. REQUIRES: it exists, nobody else uses it meanwhile.
  std::vector<std::byte>& Contents(std::string_view name);

 private:
  struct State;
  class File;

  std::shared_ptr<State> state_;
};

}  // namespace rowhouse

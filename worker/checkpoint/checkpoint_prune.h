// Removes old checkpoints by a retention rule: first their manifests, then the files that no
// remaining manifest names. Files of attempts that came to nothing go as well.
//
// Threading: blocks the calling thread; takes the directory's lock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/checkpoint_directory.h"

namespace rowhouse {

struct Retention {
  uint32_t keep = 1;        // the newest ones
  uint32_t keep_every = 0;  // also those whose number it divides; 0: none
};

struct PruneResult {
  std::vector<Mark> kept;
  std::vector<Mark> removed;
  std::vector<std::string> files;  // removed, by name
  uint64_t bytes = 0;              // of those files
};

// Which of `numbers`, lowest first, stay.
std::vector<Mark> KeptBy(const Retention& retention, const std::vector<Mark>& numbers);

// `dry_run`: says what it would remove. Errors: nothing is removed where a manifest that stays
//   cannot be read, because it is not known which files it needs.
absl::StatusOr<PruneResult> PruneCheckpoints(const CheckpointDirectory& directory,
                                             const Retention& retention, bool dry_run);

}  // namespace rowhouse

// Whether a checkpoint is all there: every file that its manifest names is read and compared.
//
// Threading: blocks the calling thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/checkpoint_directory.h"

namespace rowhouse {

struct CheckpointVerdict {
  Mark mark;
  uint64_t files = 0;  // read, each once
  uint64_t bytes = 0;
  std::vector<std::string> damages;  // one sentence for each, naming the file
};

// `read`: bytes read so far, of how many.
using VerifyProgress = std::function<void(uint64_t done, uint64_t total)>;

// Errors: the manifest is missing, damaged or too new. Damaged files are in the verdict.
absl::StatusOr<CheckpointVerdict> VerifyCheckpoint(const CheckpointDirectory& directory, Mark mark,
                                                   const VerifyProgress& read);

}  // namespace rowhouse

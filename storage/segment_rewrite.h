// Writes the batches of a segment over themselves, so that the next sync covers them.
//
// A sync that failed may have left pages in the system's cache that are not on the disk and that no
// later sync looks at; the process may even be another one by then. They read as if nothing were
// amiss until the power goes. What was written again a sync does look at.
//
// Threading: the file's one user; others may read it meanwhile, since no byte changes.
// Errors: failed reads and writes.
// Cost: as reading and writing so many bytes; one batch is in memory.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/types.h"
#include "storage/log_files.h"
#include "storage/log_recovery.h"

namespace rowhouse {

// From `offset` on, where the batch of LSN `next_lsn` begins, or from 0 on, the segment's header
// first. Returns the end of the last batch that is whole; nothing behind it was written.
absl::StatusOr<uint64_t> RewriteBatches(const LogFiles& files, const LogSegment& segment,
                                        uint64_t offset, Lsn next_lsn, LogFile* file);

}  // namespace rowhouse

// Log files in a directory of the operating system's file system.
//
// Threading: as LogFiles.
// Errors: statuses that name the path and the system's reason.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/log_files.h"

namespace rowhouse {

// Whether large appends go past the page cache (direct_file.h) where the file system allows it;
// small ones, and what does not fill a block, always go through it.
enum class LogWrites { kDirect, kCached };

// Creates the directory where there is none.
absl::StatusOr<std::unique_ptr<LogFiles>> OpenPosixLogFiles(const std::string& directory,
                                                            LogWrites writes = LogWrites::kDirect);

}  // namespace rowhouse

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

// Creates the directory where there is none.
absl::StatusOr<std::unique_ptr<LogFiles>> OpenPosixLogFiles(const std::string& directory);

}  // namespace rowhouse

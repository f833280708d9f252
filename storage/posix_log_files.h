// Log files in a directory of the operating system's file system.
//
// Threading: as LogFiles.
// Errors: a failed sync is final for its file: the system may have dropped the pages that it could
//   not write, so that a later sync which succeeds would prove nothing. Restart the server.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/log_files.h"

namespace rowhouse {

// Creates the directory where there is none.
absl::StatusOr<std::unique_ptr<LogFiles>> OpenPosixLogFiles(const std::string& directory);

}  // namespace rowhouse

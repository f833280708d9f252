// Lets another program do this one's work, as the same process: standard streams, signals and exit
// code are its own.
//
// Threading: where there is one thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rowhouse {

// Returns only where it cannot be started.
absl::Status BecomeProgram(const std::string& path, const std::vector<std::string>& arguments);

// The path of `name` in the folder that holds the running executable.
absl::StatusOr<std::string> ProgramBesideThis(const std::string& name);

}  // namespace rowhouse

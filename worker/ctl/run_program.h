// Runs another program of the system in place of this one's command, with the same standard
// streams.
//
// Threading: blocks until it has ended.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace rowhouse {

// Its exit code; 128 + the signal that killed it. Errors: it cannot be started.
absl::StatusOr<int> RunProgram(const std::string& path, const std::vector<std::string>& arguments);

// The path of `name` in the folder that holds the running executable.
absl::StatusOr<std::string> ProgramBesideThis(const std::string& name);

}  // namespace rowhouse

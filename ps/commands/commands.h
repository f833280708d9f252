// The subcommands of rowhouse-ps. Each parses its own command line and runs to its end.
//
// argv[0] is the program's name, argv[1] the subcommand's where it was given.
// Errors: each returns the process's exit code and says the reason on stderr: 0 done, 1 failed, 2
//   bad flags or config.
#pragma once

#include "absl/status/status.h"

namespace rowhouse {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadUsage = 2;

// Says `status` on stderr and gives `exit_code` back.
int FailCommand(const absl::Status& status, int exit_code);

int RunServe(int argc, const char* const* argv);
int RunRestore(int argc, const char* const* argv);
int RunVerify(int argc, const char* const* argv);

}  // namespace rowhouse

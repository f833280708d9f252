// The commands of rowhousectl. Results go to standard output, progress to standard error.
//
// Threading: each blocks the calling thread until it is done.
// Errors: returned with the reason; what was found to be damaged has been printed already.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "worker/ctl/ctl_options.h"

namespace rowhouse {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadUsage = 2;
inline constexpr int kExitNotJudged = 2;  // of `verify`, like rowhouse-ps

// The exit code.
// connected: called once where a command has a connection and can be cancelled.
absl::StatusOr<int> RunCtl(const CtlOptions& options, const std::function<void()>& connected);

}  // namespace rowhouse

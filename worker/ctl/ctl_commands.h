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

// The exit code. `cancelled`: whether the user has asked for an end.
absl::StatusOr<int> RunCtl(const CtlOptions& options, const std::function<bool()>& cancelled);

}  // namespace rowhouse

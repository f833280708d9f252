// The commands of rowhouse-worker. Results go to standard output, progress to standard error.
//
// Threading: each blocks the calling thread until it is done.
// Errors: name what went wrong and where: the file and line, the server, the table.
#pragma once

#include "absl/status/status.h"
#include "worker/worker_options.h"

namespace rowhouse {

absl::Status RunTrain(const WorkerOptions& options);
absl::Status RunEvaluate(const WorkerOptions& options);
absl::Status RunNearest(const WorkerOptions& options);
absl::Status RunGenerate(const WorkerOptions& options);
absl::Status RunStats(const WorkerOptions& options);

}  // namespace rowhouse

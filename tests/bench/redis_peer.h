// Redis with the weights of the plan's rows as values: MGET and MSET of whole batches, pipelined
// over raw sockets. Nothing is written to disk.
//
// Threading: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/child_process.h"
#include "tests/bench/raw_peer.h"
#include "tests/bench/row_model.h"

namespace rowhouse {

class RedisPeer {
 public:
  // Starts a server on a free loopback port and sets every key. Errors: it is not installed or does
  // not start; the message names its log.
  static absl::StatusOr<std::unique_ptr<RedisPeer>> Start(const BatchPlan* plan,
                                                          const std::string& run_dir,
                                                          const std::vector<int>& cpus);

  absl::StatusOr<LoadResult> Gets(uint32_t in_flight, double seconds) const;
  absl::StatusOr<LoadResult> Sets(uint32_t in_flight, double seconds) const;
  double cpu_seconds() const { return process_.cpu_seconds(); }

 private:
  RedisPeer(const BatchPlan* plan, RawEndpoint endpoint, ChildProcess process)
      : plan_(plan), endpoint_(std::move(endpoint)), process_(std::move(process)) {}

  absl::Status FillAll() const;
  // That the answers to all batches are the rows, to the last byte.
  absl::Status CheckRows(const RawSocket& socket) const;
  absl::StatusOr<LoadResult> Load(const RawLoadOptions& options) const;

  const BatchPlan* const plan_;
  const RawEndpoint endpoint_;
  const ChildProcess process_;
};

}  // namespace rowhouse

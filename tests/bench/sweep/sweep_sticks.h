// What the sweep measures Rowhouse against on this machine: the limit and the bare table behind raw
// sockets, over TCP and a Unix socket, and the limit through plain Asio.
//
// Threading: one thread. Ownership: the processes end with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/child_process.h"
#include "tests/bench/raw_peer.h"
#include "tests/bench/row_model.h"

namespace rowhouse {

class SweepSticks {
 public:
  // REQUIRES: the caller has no other thread. The bare table holds the plan's keys, in its order;
  // `plan` outlives the sticks.
  static absl::StatusOr<std::unique_ptr<SweepSticks>> Start(const BatchPlan* plan,
                                                            const CpuSplit& cpus,
                                                            const std::string& run_dir);

  // Work numbers: tests/bench/bare_work.h.
  const RawEndpoint& raw(bool is_unix) const { return is_unix ? unix_ : tcp_; }
  uint16_t asio_port() const { return asio_port_; }
  double cpu_seconds() const { return raw_process_.cpu_seconds() + asio_process_.cpu_seconds(); }

 private:
  SweepSticks(ChildProcess raw, ChildProcess asio)
      : raw_process_(std::move(raw)), asio_process_(std::move(asio)) {}

  ChildProcess raw_process_;
  ChildProcess asio_process_;
  RawEndpoint tcp_;
  RawEndpoint unix_;
  uint16_t asio_port_ = 0;
};

}  // namespace rowhouse

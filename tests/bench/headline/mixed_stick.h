// The measuring stick of the open loop: raw blocking sockets that exchange messages of two sizes,
// with no work in between.
//
// Threading: one thread. Ownership: the server process ends with the stick.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/bench_program.h"
#include "tests/bench/child_process.h"
#include "tests/bench/headline/open_loop.h"
#include "tests/bench/plain_peer.h"
#include "tests/bench/raw_socket.h"

namespace rowhouse {

struct MixedSizes {
  PlainSizes pull;
  PlainSizes push;  // the longer request
};

class MixedStick {
 public:
  // REQUIRES: the caller has no other thread yet.
  static absl::StatusOr<std::unique_ptr<MixedStick>> Start(const MixedSizes& sizes,
                                                           const CpuSplit& cpus);
  absl::StatusOr<std::unique_ptr<OpenLoopPeer>> Connect() const;

 private:
  MixedStick(const MixedSizes& sizes, ChildProcess process, RawEndpoint endpoint)
      : sizes_(sizes), process_(std::move(process)), endpoint_(std::move(endpoint)) {}

  const MixedSizes sizes_;
  ChildProcess process_;
  const RawEndpoint endpoint_;
};

}  // namespace rowhouse

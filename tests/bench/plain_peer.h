// The measuring stick: requests and answers of given sizes over TCP through plain Asio, with no
// work in between. What a server with work to do reaches of it is the ratio that the bench prints.
//
// Threading: ServePlain and PlainLoad each run an event loop of their own on the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace rowhouse {

struct PlainSizes {
  uint64_t request_bytes = 0;
  uint64_t answer_bytes = 0;
};

// A listening socket on a free loopback port, made before the process is forked.
struct PlainListener {
  int fd = -1;
  uint16_t port = 0;
};
absl::StatusOr<PlainListener> ListenPlain();
// Serves every connection that comes, for ever.
void ServePlain(int listener_fd);

struct LoadResult {
  uint64_t requests = 0;
  double seconds = 0;
  std::vector<float> latencies_ms;  // of each request, from before it was sent
};
// Sends requests for `seconds`, `in_flight` at a time.
absl::StatusOr<LoadResult> PlainLoad(uint16_t port, const PlainSizes& sizes, uint32_t in_flight,
                                     double seconds);

}  // namespace rowhouse

// The limit: requests and answers of given sizes over raw blocking sockets, with no work in between
// or with whatever a `RawWork` does. What one core of this machine can do at all.
//
// Threading: ServeRaw on the calling thread; RawLoad on one thread a client.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/plain_peer.h"
#include "tests/bench/raw_socket.h"

namespace rowhouse {

// What a client says first on each connection; the server waits until all of them are there.
struct RawGreeting {
  PlainSizes sizes;
  uint64_t clients = 1;
  uint64_t work = 0;  // which of the server's kinds
};

// Turns a request into an answer; both buffers keep their place between calls. Sends the answer in
// as many pieces as it likes. False where the peer is gone.
using RawWork = std::function<bool(std::span<const std::byte> request, std::span<std::byte> answer,
                                   const RawSocket& peer)>;

// Answers without doing anything.
bool NoWork(std::span<const std::byte> request, std::span<std::byte> answer, const RawSocket& peer);

// Serves one group of clients after another, for ever. `works`: by RawGreeting::work.
void ServeRaw(const RawListener& listener, const std::vector<RawWork>& works);

// Fills in a request of the greeted size; each client's buffer keeps what an earlier call wrote.
// Clients number their requests from different numbers on. Called on every client's thread.
using FillRequest =
    std::function<void(uint64_t number, bool is_first, std::span<std::byte> request)>;

struct RawLoadOptions {
  PlainSizes sizes;
  uint32_t in_flight = 1;
  double seconds = 1;
  FillRequest fill;  // where the requests differ
};
// Keeps `in_flight` requests going on each of the connections, one thread for each.
absl::StatusOr<LoadResult> KeepBusy(std::vector<RawSocket> sockets, const RawLoadOptions& options);

// The same against ServeRaw, over `clients` connections.
absl::StatusOr<LoadResult> RawLoad(const RawEndpoint& endpoint, uint64_t work, uint64_t clients,
                                   const RawLoadOptions& options);

}  // namespace rowhouse

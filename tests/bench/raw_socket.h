// Blocking sockets without a library between: what the measuring sticks of the bench are made of.
//
// Errors: a peer that is gone ends the process's part of the measurement: false.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace rowhouse {

// Where a measuring stick listens: a loopback port, or a path for a Unix socket.
struct RawEndpoint {
  uint16_t port = 0;
  std::string path;  // empty: TCP
};

// A socket that is closed with its owner.
class RawSocket {
 public:
  RawSocket() = default;
  explicit RawSocket(int fd) : fd_(fd) {}
  RawSocket(RawSocket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  RawSocket& operator=(RawSocket&& other) noexcept;
  ~RawSocket();

  int fd() const { return fd_; }
  bool ReadAll(std::span<std::byte> bytes) const;
  bool WriteAll(std::span<const std::byte> bytes) const;

 private:
  int fd_ = -1;
};

struct RawListener {
  RawSocket socket;
  RawEndpoint endpoint;
};
// On a free loopback port, or on a new Unix socket at `path`.
absl::StatusOr<RawListener> ListenRaw(const std::string& path = "");
absl::StatusOr<RawSocket> ConnectRaw(const RawEndpoint& endpoint);
RawSocket AcceptRaw(const RawListener& listener);

// The first of the sockets that has something to read, looked for from `after` + 1 on, so that all
// have their turn. Does not ask the system where there is but one.
size_t WaitForAny(std::span<const RawSocket> sockets, size_t after);

}  // namespace rowhouse

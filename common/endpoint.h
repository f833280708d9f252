// Where a server listens: "host:port", "[v6]:port" or "unix:/path".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace rowhouse {

struct Endpoint {
  std::string host;   // empty for Unix-domain sockets
  uint16_t port = 0;  // 0 when listening: any free one
  std::string path;   // of a Unix-domain socket; empty for TCP

  bool is_unix() const { return !path.empty(); }
  bool operator==(const Endpoint&) const = default;
};

// Errors: names what is wrong with `text` and shows the forms that are accepted.
absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text);

std::string ToString(const Endpoint& endpoint);

}  // namespace rowhouse

#include "common/endpoint.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/text.h"

namespace rowhouse {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
// sun_path holds 108 bytes with its terminating zero.
constexpr size_t kUnixPathBytesMax = 107;

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      StrCat("endpoint '", text, "': ", why, "; use host:port, [ipv6]:port or unix:/path"));
}

absl::StatusOr<Endpoint> ParseUnix(std::string_view text) {
  const std::string_view path = text.substr(kUnixPrefix.size());
  if (path.empty()) return Bad(text, "the path is empty");
  if (path.size() > kUnixPathBytesMax) {
    return Bad(text, StrCat("the path has ", path.size(), " bytes; at most ", kUnixPathBytesMax,
                            " are allowed"));
  }
  return Endpoint{.host = {}, .port = 0, .path = std::string(path)};
}

}  // namespace

absl::StatusOr<Endpoint> ParseEndpoint(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return ParseUnix(text);
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Bad(text, "there is no port");
  std::string_view host = text.substr(0, colon);
  uint32_t port = 0;
  if (!absl::SimpleAtoi(ForAbsl(text.substr(colon + 1)), &port) || port > 65535) {
    return Bad(text, "the port is not a number from 0 to 65535");
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) return Bad(text, "the host is empty");
  return Endpoint{.host = std::string(host), .port = static_cast<uint16_t>(port), .path = {}};
}

std::string ToString(const Endpoint& endpoint) {
  if (endpoint.is_unix()) return StrCat(kUnixPrefix, endpoint.path);
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return v6 ? StrCat("[", endpoint.host, "]:", endpoint.port)
            : StrCat(endpoint.host, ":", endpoint.port);
}

}  // namespace rowhouse

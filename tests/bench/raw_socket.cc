#include "tests/bench/raw_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/text.h"

namespace rowhouse {
namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t bytes = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Address AddressOf(const RawEndpoint& endpoint) {
  Address address;
  if (endpoint.path.empty()) {
    auto* const tcp = reinterpret_cast<sockaddr_in*>(&address.storage);
    tcp->sin_family = AF_INET;
    tcp->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tcp->sin_port = htons(endpoint.port);
    address.bytes = sizeof(*tcp);
  } else {
    auto* const local = reinterpret_cast<sockaddr_un*>(&address.storage);
    local->sun_family = AF_UNIX;
    std::strncpy(local->sun_path, endpoint.path.c_str(), sizeof(local->sun_path) - 1);
    address.bytes = sizeof(*local);
  }
  return address;
}

absl::Status SystemError(std::string_view what) {
  return absl::UnavailableError(StrCat("bench: cannot ", what, ": ", std::strerror(errno)));
}

int MakeSocket(const RawEndpoint& endpoint) {
  return ::socket(endpoint.path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

constexpr int kUnixSendBytes = 4 << 20;

// As each kind of socket is quickest.
void Tune(int fd, bool is_unix) {
  const int on = 1;
  if (is_unix) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kUnixSendBytes, sizeof(kUnixSendBytes));
    return;
  }
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

RawSocket& RawSocket::operator=(RawSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

RawSocket::~RawSocket() {
  if (fd_ >= 0) ::close(fd_);
}

bool RawSocket::ReadAll(std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t taken = ::recv(fd_, bytes.data(), bytes.size(), MSG_WAITALL);
    if (taken < 0 && errno == EINTR) continue;
    if (taken <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(taken));
  }
  return true;
}

bool RawSocket::WriteAll(std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

absl::StatusOr<RawListener> ListenRaw(const std::string& path) {
  RawListener listener;
  listener.endpoint.path = path;
  listener.socket = RawSocket(MakeSocket(listener.endpoint));
  Address address = AddressOf(listener.endpoint);
  const int fd = listener.socket.fd();
  if (fd < 0 || ::bind(fd, address.get(), address.bytes) != 0 || ::listen(fd, 128) != 0) {
    return SystemError(path.empty() ? "listen on a loopback port" : "listen on " + path);
  }
  if (path.empty()) {
    if (::getsockname(fd, address.get(), &address.bytes) != 0) return SystemError("find a port");
    listener.endpoint.port = ntohs(reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port);
  }
  return listener;
}

absl::StatusOr<RawSocket> ConnectRaw(const RawEndpoint& endpoint) {
  RawSocket socket(MakeSocket(endpoint));
  Address address = AddressOf(endpoint);
  if (socket.fd() < 0 || ::connect(socket.fd(), address.get(), address.bytes) != 0) {
    return SystemError("connect to a measuring stick");
  }
  Tune(socket.fd(), !endpoint.path.empty());
  return socket;
}

RawSocket AcceptRaw(const RawListener& listener) {
  RawSocket socket(::accept4(listener.socket.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  Tune(socket.fd(), !listener.endpoint.path.empty());
  return socket;
}

size_t WaitForAny(std::span<const RawSocket> sockets, size_t after) {
  if (sockets.size() == 1) return 0;
  std::vector<pollfd> entries;
  for (const RawSocket& socket : sockets) entries.push_back({socket.fd(), POLLIN, 0});
  while (::poll(entries.data(), entries.size(), -1) < 0 && errno == EINTR) {
  }
  for (size_t i = 1; i <= entries.size(); ++i) {
    const size_t at = (after + i) % entries.size();
    if (entries[at].revents != 0) return at;
  }
  return after;
}

}  // namespace rowhouse

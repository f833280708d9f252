#include "tests/integration/raw_client.h"

#include <arpa/inet.h>
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

#include "common/endpoint.h"
#include "common/refusal.h"
#include "common/slot_map.h"

namespace rowhouse {
namespace {

constexpr size_t kFrameBytesMax = 1ull << 30;
constexpr uint16_t kAnswerBit = 0x8000;

absl::Status Lost(const char* what) {
  return Refuse(RefusalReason::kDisconnected, what, ": ", std::strerror(errno));
}

absl::StatusOr<int> ConnectTcp(const Endpoint& endpoint) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  if (inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr) != 1) {
    return absl::InvalidArgumentError(StrCat("not an IPv4 address: ", endpoint.host));
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Lost("socket");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const absl::Status lost = Lost("connect");
  ::close(fd);
  return lost;
}

absl::StatusOr<int> ConnectUnix(const Endpoint& endpoint) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (endpoint.path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(StrCat("path too long: ", endpoint.path));
  }
  std::memcpy(address.sun_path, endpoint.path.data(), endpoint.path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Lost("socket");
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const absl::Status lost = Lost("connect");
  ::close(fd);
  return lost;
}

// In memory of its own: the connection's buffer moves on.
ReceivedFrame Own(const Frame& frame) {
  auto words = std::make_shared<std::vector<uint64_t>>(PaddedBytes(frame.body.size()) / 8);
  if (!frame.body.empty()) std::memcpy(words->data(), frame.body.data(), frame.body.size());
  const auto body = std::as_bytes(std::span(*words)).first(frame.body.size());
  return {frame.header, body, words};
}

}  // namespace

absl::Status RefusalIn(const ReceivedFrame& frame) {
  if (frame.op() != Op::kError) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ErrorAnswer error, DecodeControl<ErrorAnswer>(frame.body));
  return RefuseWith(error.reason, error.message);
}

Hello HelloFor(ShardId shard) {
  Hello hello;
  hello.version_min = kProtocolVersionMin;
  hello.version_max = kProtocolVersionMax;
  hello.shard = shard;
  hello.program = "raw client";
  return hello;
}

std::vector<Key> KeysOnShard(const TableSpec& table, ShardId shard, uint32_t shard_count,
                             size_t count, Key first) {
  const SlotMap map(shard_count);
  std::vector<Key> keys;
  for (uint64_t key = first.value(); keys.size() < count; ++key) {
    if (map.ShardOf(TableIdOf(table.name), Key(key)) == shard) keys.push_back(Key(key));
  }
  return keys;
}

absl::StatusOr<RawClient> RawClient::Connect(std::string_view text) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(text));
  ASSIGN_OR_RETURN(const int fd, endpoint.is_unix() ? ConnectUnix(endpoint) : ConnectTcp(endpoint));
  return RawClient(fd);
}

absl::StatusOr<RawClient> RawClient::Greet(std::string_view endpoint, ShardId shard) {
  ASSIGN_OR_RETURN(RawClient client, Connect(endpoint));
  RETURN_IF_ERROR(client.Ask<HelloAnswer>(Op::kHello, HelloFor(shard)).status());
  return client;
}

RawClient::RawClient(RawClient&& other) noexcept { *this = std::move(other); }

RawClient& RawClient::operator=(RawClient&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(request_id_, other.request_id_);
  received_.swap(other.received_);
  return *this;
}

RawClient::~RawClient() {
  if (fd_ >= 0) ::close(fd_);
}

absl::Status RawClient::Await(short events, uint32_t timeout_ms) {
  pollfd entry = {fd_, events, 0};
  const int ready = ::poll(&entry, 1, static_cast<int>(timeout_ms));
  if (ready > 0) return absl::OkStatus();
  if (ready < 0) return Lost("poll");
  return Refuse(RefusalReason::kDeadline, "nothing moved for ", timeout_ms, " ms");
}

absl::StatusOr<size_t> RawClient::SendSome(std::span<const std::byte> bytes, uint32_t wait_ms) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t taken =
        ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken >= 0) {
      sent += static_cast<size_t>(taken);
    } else if (errno != EAGAIN) {
      return Lost("send");
    } else if (const absl::Status waited = Await(POLLOUT, wait_ms); !waited.ok()) {
      if (ReasonOf(waited) != RefusalReason::kDeadline) return waited;
      break;
    }
  }
  return sent;
}

absl::Status RawClient::Send(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const size_t sent, SendSome(bytes, kTimeoutMs));
  if (sent == bytes.size()) return absl::OkStatus();
  return Refuse(RefusalReason::kDeadline, "the peer took ", sent, " of ", bytes.size(), " bytes");
}

void RawClient::EndSending() { ::shutdown(fd_, SHUT_WR); }

absl::StatusOr<size_t> RawClient::ReceiveBytes(std::span<std::byte> out) {
  RETURN_IF_ERROR(Await(POLLIN, kTimeoutMs));
  const ssize_t taken = ::recv(fd_, out.data(), out.size(), 0);
  if (taken < 0) return Lost("recv");
  return static_cast<size_t>(taken);
}

absl::StatusOr<ReceivedFrame> RawClient::Receive() {
  while (true) {
    Decoded decoded;
    if (!received_.empty()) decoded = DecodeFrame(received_, kFrameBytesMax);
    if (decoded.result == DecodeResult::kBad) return decoded.status;
    if (decoded.result == DecodeResult::kGood) {
      ReceivedFrame frame = Own(decoded.frame);
      received_.erase(received_.begin(),
                      received_.begin() + static_cast<std::ptrdiff_t>(decoded.frame_bytes));
      return frame;
    }
    const size_t before = received_.size();
    received_.resize(before + std::max<size_t>(65536, decoded.frame_bytes));
    const auto bytes = ReceiveBytes(std::span(received_).subspan(before));
    received_.resize(before + (bytes.ok() ? *bytes : 0));
    RETURN_IF_ERROR(bytes.status());
    if (*bytes > 0) continue;
    if (before > 0) return Refuse(RefusalReason::kTruncated, "the answer ended inside a frame");
    return Refuse(RefusalReason::kDisconnected, "the server closed the connection");
  }
}

absl::Status RawClient::ExpectEnd() {
  const auto frame = Receive();
  if (ReasonOf(frame.status()) == RefusalReason::kDisconnected) return absl::OkStatus();
  if (!frame.ok()) return frame.status();
  return absl::InternalError(
      StrCat("a frame of operation ", frame->header.op, " where the stream should have ended"));
}

absl::StatusOr<ReceivedFrame> RawClient::Exchange(Op op, std::span<const std::byte> body) {
  RETURN_IF_ERROR(Send(MakeFrame(op, ++request_id_, body)));
  ASSIGN_OR_RETURN(ReceivedFrame frame, Receive());
  RETURN_IF_ERROR(RefusalIn(frame));
  const auto answer_op = static_cast<uint16_t>(op) | kAnswerBit;
  if (frame.header.op == answer_op && frame.header.request_id == request_id_) return frame;
  return absl::InternalError(
      StrCat("answer of operation ", frame.header.op, " to request ", frame.header.request_id));
}

absl::StatusOr<std::vector<float>> RawClient::Pull(const TableSpec& table, std::vector<Key> keys) {
  TestSection section;
  section.table = TableIdOf(table.name);
  section.dim = table.dim;
  section.keys = std::move(keys);
  ASSIGN_OR_RETURN(const ReceivedFrame frame, Exchange(Op::kPull, PullBody({&section, 1})));
  const auto rows = frame.body.subspan(sizeof(PullAnswerHeader));
  std::vector<float> floats(rows.size() / sizeof(float));
  std::memcpy(floats.data(), rows.data(), floats.size() * sizeof(float));
  return floats;
}

absl::StatusOr<PushAnswer> RawClient::Push(const TestPush& push) {
  ASSIGN_OR_RETURN(const ReceivedFrame frame, Exchange(Op::kPush, PushBody(push)));
  PushAnswer answer;
  if (frame.body.size() != sizeof(answer)) return absl::InternalError("push answer: wrong size");
  std::memcpy(static_cast<void*>(&answer), frame.body.data(), sizeof(answer));
  return answer;
}

absl::StatusOr<std::map<std::string, uint64_t>> RawClient::Counters() {
  ASSIGN_OR_RETURN(const StatsAnswer answer, Ask<StatsAnswer>(Op::kStats, Stats()));
  std::map<std::string, uint64_t> counters;
  for (const Counter& counter : answer.counters) {
    // How long things took is not the same twice.
    if (!counter.name.starts_with("longest_")) counters[counter.name] = counter.value;
  }
  return counters;
}

}  // namespace rowhouse

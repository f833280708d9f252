#include "common/net/stream.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <utility>

#include "common/refusal.h"
#include "common/status_macros.h"

namespace rowhouse {
namespace {

using boost::system::error_code;

// With the one in use, four buffers of two frames each: more than a log that keeps up ever holds.
constexpr size_t kSpares = 3;
// A spare that so many new buffers did not need is given back.
constexpr uint32_t kPassedOverMax = 16;
// Enough for a few hundred small requests in one read.
constexpr size_t kBufferBytesMin = 64 << 10;

constexpr size_t kLowWaterBytes = 256 << 10;
constexpr size_t kSumUpBytes = 32 << 10;

constexpr int kUnixSendBytes = 4 << 20;

absl::Status CannotConnect(const Endpoint& endpoint, const error_code& error) {
  return Refuse(RefusalReason::kDisconnected, "cannot connect to ", ToString(endpoint), ": ",
                error.message());
}

asio::awaitable<absl::StatusOr<StreamSocket>> ConnectToUnix(Endpoint endpoint) {
  StreamSocket socket(co_await asio::this_coro::executor);
  auto [error] = co_await socket.async_connect(
      asio::local::stream_protocol::endpoint(endpoint.path), kAwaitTuple);
  if (error) co_return CannotConnect(endpoint, error);
  WidenIfUnix(socket);
  co_return socket;
}

}  // namespace

asio::awaitable<absl::StatusOr<StreamSocket>> ConnectTo(Endpoint endpoint) {
  if (endpoint.is_unix()) co_return co_await ConnectToUnix(std::move(endpoint));
  auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  auto [resolve_error, addresses] =
      co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kAwaitTuple);
  if (resolve_error) co_return CannotConnect(endpoint, resolve_error);
  error_code last = asio::error::host_not_found;
  for (const auto& address : addresses) {
    asio::ip::tcp::socket socket(executor);
    auto [error] = co_await socket.async_connect(address.endpoint(), kAwaitTuple);
    if (!error) {
      socket.set_option(asio::ip::tcp::no_delay(true), last);
      co_return StreamSocket(std::move(socket));
    }
    last = error;
  }
  co_return CannotConnect(endpoint, last);
}

void WidenIfUnix(StreamSocket& socket) {
  error_code ignored;
  if (socket.local_endpoint(ignored).protocol().family() != AF_UNIX) return;
  socket.set_option(asio::socket_base::send_buffer_size(kUnixSendBytes), ignored);
}

asio::awaitable<absl::Status> WriteAll(StreamSocket& socket,
                                       std::vector<asio::const_buffer> pieces) {
  size_t first = 0;
  while (first < pieces.size()) {
    const std::span<const asio::const_buffer> rest(pieces.data() + first, pieces.size() - first);
    auto [error, written] = co_await socket.async_write_some(rest, kAwaitTuple);
    if (error) {
      co_return Refuse(RefusalReason::kDisconnected, "writing failed: ", error.message());
    }
    while (first < pieces.size() && written >= pieces[first].size()) {
      written -= pieces[first++].size();
    }
    if (written > 0) pieces[first] += written;
  }
  co_return absl::OkStatus();
}

asio::awaitable<absl::Status> WriteAll(StreamSocket& socket, std::span<const std::byte> bytes) {
  return WriteAll(
      socket, std::vector<asio::const_buffer>(1, asio::const_buffer(bytes.data(), bytes.size())));
}

FrameReader::FrameReader(size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

asio::awaitable<absl::StatusOr<ReceivedFrame>> FrameReader::Next(StreamSocket& socket) {
  while (true) {
    ReceivedFrame frame;
    const absl::StatusOr<bool> taken = Take(&frame);
    if (!taken.ok()) co_return taken.status();
    if (*taken) co_return frame;
    auto [error, bytes] = co_await socket.async_read_some(Room(socket), kAwaitTuple);
    absl::Status received = Received(error, bytes);
    if (!received.ok()) co_return received;
  }
}

absl::StatusOr<bool> FrameReader::Take(ReceivedFrame* frame) {
  if (end_ == begin_) return false;
  const std::span<const std::byte> here(base() + begin_, end_ - begin_);
  if (wanted_ == 0) {
    Decoded decoded = DecodeHeader(here, frame_bytes_max_);
    if (decoded.result == DecodeResult::kBad) return decoded.status;
    if (decoded.result == DecodeResult::kNeedMore) return false;
    wanted_ = decoded.frame_bytes;
    header_ = decoded.frame.header;
  }
  if (here.size() < wanted_) {
    SumUp(here.subspan(kFrameHeaderBytes));
    return false;
  }
  const auto body = here.subspan(kFrameHeaderBytes, header_.body_bytes);
  RETURN_IF_ERROR(CheckBody(header_, here.first(wanted_), ChecksumOf(body)));
  *frame = {header_, body, buffer_};
  last_bytes_ = std::exchange(wanted_, 0);
  begin_ += last_bytes_;
  return true;
}

// A body is summed up while it arrives: what the system has just copied is in the second cache, and
// the beginning of a large body is not any more when its end has come.
void FrameReader::SumUp(std::span<const std::byte> body) {
  const size_t bytes = std::min<size_t>(body.size(), header_.body_bytes);
  if (bytes < summed_up_ + kSumUpBytes) return;
  if (sum_ == nullptr) sum_ = std::make_unique<StreamChecksum>();
  if (summed_up_ == 0) *sum_ = StreamChecksum();
  sum_->Add(body.subspan(summed_up_, bytes - summed_up_));
  summed_up_ = bytes;
}

uint64_t FrameReader::ChecksumOf(std::span<const std::byte> body) {
  if (summed_up_ == 0) return Checksum(body);
  sum_->Add(body.subspan(std::exchange(summed_up_, 0)));
  return sum_->value();
}

asio::mutable_buffer FrameReader::Room(StreamSocket& socket) {
  MakeRoom(wanted_);
  SetLowWater(socket);
  return asio::buffer(base() + end_, capacity_ - end_);
}

// Of a large frame the system wakes the reader for every 64 KB that arrives while it sleeps. A
// wake-up costs a processor 5 us and more on virtual machines, as much as copying the bytes. Some
// remain, so that copying goes on beside sending. Unix-domain sockets ignore it.
void FrameReader::SetLowWater(StreamSocket& socket) {
  const size_t here = end_ - begin_;
  const size_t missing = wanted_ > here ? wanted_ - here : 0;
  const bool is_large = missing >= kLowWaterBytes / 2;
  if (is_large ? low_water_ > 1 && low_water_ <= missing : low_water_ == 1) return;
  low_water_ = is_large ? std::min(missing, kLowWaterBytes) : 1;
  error_code ignored;
  socket.set_option(asio::socket_base::receive_low_watermark(static_cast<int>(low_water_)),
                    ignored);
}

absl::Status FrameReader::Received(const error_code& error, size_t bytes) {
  end_ += bytes;
  if (!error) return absl::OkStatus();
  if (error == asio::error::eof && end_ > begin_) {
    return Refuse(RefusalReason::kTruncated, "the stream ended ", end_ - begin_,
                  " bytes into a frame");
  }
  return Refuse(RefusalReason::kDisconnected, "connection lost: ", error.message());
}

void FrameReader::MakeRoom(size_t frame_bytes) {
  // A reused buffer must not be held by anyone else: earlier frames still point into it.
  if (begin_ == end_ && buffer_ != nullptr && buffer_.use_count() == 1) begin_ = end_ = 0;
  size_t needed = std::max(frame_bytes, kFrameHeaderBytes);
  if (buffer_ != nullptr && begin_ + needed <= capacity_ && end_ < capacity_) return;
  // A frame of which nothing is known is taken to be like the one before.
  if (frame_bytes == 0) needed = std::max(needed, last_bytes_);
  // Twice the frame, so that a stream of large frames is read ahead and seldom moved.
  Renew(std::max({kBufferBytesMin, std::min(2 * needed, frame_bytes_max_ + kBufferBytesMin), needed,
                  capacity_ < 4 * needed ? capacity_ : size_t{0}}));
}

FrameReader::Buffer FrameReader::BufferOf(size_t bytes) {
  const auto is_free = [](const Buffer& spare) { return spare.words.use_count() == 1; };
  std::erase_if(spares_, [&](Buffer& spare) {
    return is_free(spare) && (spare.bytes < bytes || ++spare.passed_over > kPassedOverMax);
  });
  const auto free = std::find_if(spares_.begin(), spares_.end(), is_free);
  if (free == spares_.end()) return {std::make_shared_for_overwrite<uint64_t[]>(bytes / 8), bytes};
  Buffer taken = std::move(*free);
  spares_.erase(free);
  return taken;
}

void FrameReader::Renew(size_t bytes) {
  Buffer next = BufferOf((bytes + 7) & ~size_t{7});
  if (end_ > begin_) std::memcpy(next.words.get(), base() + begin_, end_ - begin_);
  if (spares_.size() == kSpares) spares_.erase(spares_.begin());
  if (buffer_ != nullptr) spares_.push_back({std::move(buffer_), capacity_, 0});
  buffer_ = std::move(next.words);
  capacity_ = next.bytes;
  end_ -= begin_;
  begin_ = 0;
}

}  // namespace rowhouse

// Byte streams as both sides use them: TCP or Unix-domain, whichever the endpoint says.
//
// Threading: everything here runs on the executor of its socket.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/endpoint.h"
#include "common/wire/frame.h"

namespace rowhouse {

namespace asio = boost::asio;

using StreamSocket = asio::generic::stream_protocol::socket;

// Completion token of this code base: errors are values, results are awaited.
inline constexpr auto kAwaitTuple = asio::as_tuple(asio::use_awaitable);

// Resolves and connects; TCP_NODELAY set. Tries every address of the name. The caller bounds the
// time by closing the socket or by cancellation.
// Errors: kDisconnected, naming the endpoint and the system's reason.
asio::awaitable<absl::StatusOr<StreamSocket>> ConnectTo(Endpoint endpoint);

// Room for a few large frames in a Unix-domain socket, as far as the system allows
// (net.core.wmem_max). TCP grows its own; these keep the 208 KiB that they begin with, so that a
// frame of 1 MiB needs five turns of writer and reader.
void WidenIfUnix(StreamSocket& socket);

// Writes all pieces. Uses async_write_some over everything that remains: Asio's composed write
// moves 64 KiB at a time, which costs a third of the speed on loopback. Errors: kDisconnected
// with the system's reason.
asio::awaitable<absl::Status> WriteAll(StreamSocket& socket,
                                       std::vector<asio::const_buffer> pieces);
asio::awaitable<absl::Status> WriteAll(StreamSocket& socket, std::span<const std::byte> bytes);

// Cuts a byte stream into frames. Holds what was read beyond the last frame, so that a socket may
// be handed to another executor together with its reader.
class FrameReader {
 public:
  explicit FrameReader(size_t frame_bytes_max);

  // The next frame. Errors: what DecodeFrame refuses; kTruncated where the stream ends inside a
  // frame; kDisconnected where it ends between frames or fails. After an error the stream is dead.
  asio::awaitable<absl::StatusOr<ReceivedFrame>> Next(StreamSocket& socket);

  // The same in parts, for who wants every frame of one read before the next read:
  //
  //   while (*reader.Take(&frame)) ...
  //   auto [error, bytes] = co_await socket.async_read_some(reader.Room(socket), kAwaitTuple);
  //   reader.Received(error, bytes)
  //
  // Whether a whole frame was there.
  absl::StatusOr<bool> Take(ReceivedFrame* frame);
  // Where to read more from `socket`. REQUIRES: Take found no frame; it is always the same socket.
  asio::mutable_buffer Room(StreamSocket& socket);
  absl::Status Received(const boost::system::error_code& error, size_t bytes);

  void set_frame_bytes_max(size_t bytes) { frame_bytes_max_ = bytes; }

 private:
  // Room for a frame of `frame_bytes` (0: unknown yet) at `begin_`, moving what is there if need
  // be.
  void MakeRoom(size_t frame_bytes);
  // What has come of the body of `header_`, once a good part of it is new.
  void SumUp(std::span<const std::byte> body);
  uint64_t ChecksumOf(std::span<const std::byte> body);
  void SetLowWater(StreamSocket& socket);
  void Renew(size_t bytes);
  struct Buffer {
    std::shared_ptr<uint64_t[]> words;  // for alignment
    size_t bytes = 0;
    uint32_t passed_over = 0;  // how often it was free and not needed, without a break
  };
  // A former buffer that nobody holds any more, or a new one: at least `bytes`.
  Buffer BufferOf(size_t bytes);
  std::byte* base() const { return reinterpret_cast<std::byte*>(buffer_.get()); }

  size_t frame_bytes_max_;
  std::shared_ptr<uint64_t[]> buffer_;
  // The buffers before, oldest first. Where the push log holds a few records, that is a few: fresh
  // memory instead of one of these costs a page fault for every 4 KB.
  std::vector<Buffer> spares_;
  size_t capacity_ = 0;
  size_t low_water_ = 1;                 // bytes for which the socket wakes its reader
  size_t wanted_ = 0;                    // bytes of the frame that lies here in part; 0: unknown
  FrameHeader header_;                   // of that frame, where they are known
  size_t summed_up_ = 0;                 // bytes of its body
  std::unique_ptr<StreamChecksum> sum_;  // of those; from the first large frame on
  size_t last_bytes_ = 0;                // of the frame before
  size_t begin_ = 0;                     // of the bytes read but not yet taken
  size_t end_ = 0;
};

}  // namespace rowhouse

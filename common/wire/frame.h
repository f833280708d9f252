// Frames: what every byte stream between a client and a server is made of. A pure codec, no I/O.
//
//   frame  := header body padding
//   header := magic:u32 version:u16 op:u16 body_bytes:u32 flags:u32 request_id:u64
//             body_checksum:u64 header_checksum:u64                         (40 bytes)
//   body   := byte[body_bytes]
//   padding:= zero bytes up to the next multiple of 8
//
// All numbers are little-endian. body_checksum is XXH3-64 of the body, header_checksum XXH3-64 of
// the 32 header bytes before it. Frames are multiples of 8 bytes, so that in a buffer that starts
// aligned every key array is aligned too.
//
// Threading: free functions, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "common/wire/checksum.h"

namespace rowhouse {

inline constexpr uint32_t kFrameMagic = 0x53485752;  // "RWHS"
inline constexpr size_t kFrameHeaderBytes = 40;
// Versions of the protocol that this build speaks: 2 says more in the hello answer.
inline constexpr uint16_t kProtocolVersionMin = 1;
inline constexpr uint16_t kProtocolVersionMax = 2;
// What frames bear, in both of them: their layout is the same, and a hello must be read by all.
inline constexpr uint16_t kFrameVersion = 1;

// Operation codes; append, never renumber. An answer is `request | kAnswerBit`, or kError.
enum class Op : uint16_t {
  kHello = 1,
  kCreateTable = 2,
  kQueryClient = 3,
  kOpenClient = 4,
  kPull = 5,
  kPush = 6,
  kStats = 7,
  kRenewClient = 8,
  kCloseMark = 9,
  kLeaveClient = 10,
  kPrepareCheckpoint = 11,
  kAnnounceMark = 12,
  kCheckpointStatus = 13,
  kPublishCheckpoint = 14,
  kAbandonCheckpoint = 15,
  kHelloAnswer = 0x8001,
  kCreateTableAnswer = 0x8002,
  kQueryClientAnswer = 0x8003,
  kOpenClientAnswer = 0x8004,
  kPullAnswer = 0x8005,
  kPushAnswer = 0x8006,
  kStatsAnswer = 0x8007,
  kRenewClientAnswer = 0x8008,
  kCloseMarkAnswer = 0x8009,
  kLeaveClientAnswer = 0x800a,
  kPrepareCheckpointAnswer = 0x800b,
  kAnnounceMarkAnswer = 0x800c,
  kCheckpointStatusAnswer = 0x800d,
  kPublishCheckpointAnswer = 0x800e,
  kAbandonCheckpointAnswer = 0x800f,
  kError = 0xffff,
};

struct FrameHeader {
  uint32_t magic = kFrameMagic;
  uint16_t version = kFrameVersion;
  uint16_t op = 0;
  uint32_t body_bytes = 0;
  uint32_t flags = 0;  // none defined; must be 0
  uint64_t request_id = 0;
  uint64_t body_checksum = 0;
  uint64_t header_checksum = 0;
};
static_assert(sizeof(FrameHeader) == kFrameHeaderBytes);

constexpr size_t PaddedBytes(size_t body_bytes) { return (body_bytes + 7) & ~size_t{7}; }
constexpr size_t FrameBytes(size_t body_bytes) {
  return kFrameHeaderBytes + PaddedBytes(body_bytes);
}

// A complete header, checksum included, for a body with the given size and checksum.
FrameHeader MakeFrameHeader(Op op, uint64_t request_id, size_t body_bytes, uint64_t body_checksum);

struct Frame {
  FrameHeader header;
  std::span<const std::byte> body;  // points into the decoder's input

  Op op() const { return static_cast<Op>(header.op); }
};

// A frame together with the memory that it lies in.
struct ReceivedFrame {
  FrameHeader header;
  std::span<const std::byte> body;    // 8-byte aligned
  std::shared_ptr<const void> owner;  // keeps `body` alive

  Op op() const { return static_cast<Op>(header.op); }
};

enum class DecodeResult { kGood, kBad, kNeedMore };

struct Decoded {
  DecodeResult result = DecodeResult::kNeedMore;
  Frame frame;             // where kGood
  size_t frame_bytes = 0;  // kGood: bytes consumed. kNeedMore: size of the whole frame, or 0 where
                           // the header itself is not complete
  absl::Status status;     // where kBad: reason and message; the stream cannot be trusted further
};

// Looks for one frame at the start of `input`. Never reads beyond it, never allocates for the body.
// A frame larger than `frame_bytes_max` is refused as soon as its header is there, and so are a
// wrong magic (from the first bytes on), a wrong version and a wrong checksum.
Decoded DecodeFrame(std::span<const std::byte> input, size_t frame_bytes_max);

// The same in two steps, for who sums a body up while it arrives. kGood once the header is there;
// `frame` has no body, `frame_bytes` is the size of the whole frame.
Decoded DecodeHeader(std::span<const std::byte> input, size_t frame_bytes_max);
// Of a frame that is there whole. Errors: kBadChecksum, kMalformed.
absl::Status CheckBody(const FrameHeader& header, std::span<const std::byte> frame,
                       uint64_t body_checksum);

}  // namespace rowhouse

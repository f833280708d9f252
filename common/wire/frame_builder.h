// Builds one frame in memory of its own: fill body(), then Finish().
//
//   FrameBuilder frame(body_bytes);
//   std::memcpy(frame.body().data(), ...);
//   OutFrame out = std::move(frame).Finish(Op::kPullAnswer, request_id);
//
// Ownership: the bytes move into the OutFrame.
// Cost: one allocation that is not zeroed, or none with memory of a FramePool; one pass for the
//   checksum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "common/wire/archive.h"
#include "common/wire/control.h"
#include "common/wire/frame.h"
#include "common/wire/frame_pool.h"

namespace rowhouse {

struct OutFrame {
  std::unique_ptr<uint64_t[]> words;
  size_t size_bytes = 0;
  size_t capacity_bytes = 0;  // of `words`, where it goes back to a FramePool

  std::span<const std::byte> bytes() const {
    return {reinterpret_cast<const std::byte*>(words.get()), size_bytes};
  }
};

class FrameBuilder {
 public:
  explicit FrameBuilder(size_t body_bytes)
      : body_bytes_(body_bytes), memory_(FrameMemory::Of(FrameBytes(body_bytes))) {}
  FrameBuilder(size_t body_bytes, FramePool* pool)
      : body_bytes_(body_bytes), memory_(pool->Take(FrameBytes(body_bytes))) {}

  // [body_bytes], 8-byte aligned, not initialized.
  std::span<std::byte> body() { return {base() + kFrameHeaderBytes, body_bytes_}; }

  OutFrame Finish(Op op, uint64_t request_id) &&;
  // The same, without the pass: `body_checksum` was made while the body was filled.
  OutFrame Finish(Op op, uint64_t request_id, uint64_t body_checksum) &&;

 private:
  std::byte* base() { return reinterpret_cast<std::byte*>(memory_.words.get()); }

  size_t body_bytes_;
  FrameMemory memory_;
};

// A frame with a copy of `body`.
OutFrame MakeFrame(Op op, uint64_t request_id, std::span<const std::byte> body);

template <typename Message>
OutFrame MakeControlFrame(Op op, uint64_t request_id, const Message& message) {
  return MakeFrame(op, request_id, EncodeControl(message));
}

// The answer that tells a peer why its request or its stream was refused.
OutFrame MakeErrorFrame(uint64_t request_id, const absl::Status& status);

}  // namespace rowhouse

// A call of the client library and the requests, one or more frames per shard, that it consists of.
//
// Threading: made by the calling thread, then handed to the loop; it belongs to who holds the
// loop's
//   mutex until it has ended, then to the loop's thread.
// Ownership: a call owns its requests; pieces point into the caller's arrays or into what the
//   request keeps.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/types.h"
#include "common/wire/frame.h"

namespace rowhouse {

// The operation code of the answer to `request`.
constexpr Op AnswerOp(Op request) {
  return static_cast<Op>(static_cast<uint16_t>(request) | 0x8000);
}

enum class RequestState { kUnsent, kWriting, kSent, kDone };

struct Request {
  ShardId shard;
  Op op = Op::kPull;
  uint64_t id = 0;
  // The frame: head (frame header and the body's first bytes), pieces, padding.
  std::vector<std::byte> head;
  std::vector<std::span<const std::byte>> pieces;
  size_t padding_bytes = 0;
  std::shared_ptr<const void> keeps;  // memory that pieces and `accept` point into
  // Checks the answer's body and takes what is in it. Errors: the answer is not what it should be.
  std::function<absl::Status(std::span<const std::byte> body)> accept;

  RequestState state = RequestState::kUnsent;
  absl::Status result;  // once it is done
  // Answered while its bytes were still being written: kept until they no longer are.
  bool answered_early = false;
  absl::Status early_result;
};

struct Call {
  std::string what;  // for messages: "push of step 7"
  std::chrono::steady_clock::time_point deadline;
  std::vector<Request> requests;
  std::function<void(absl::Status)> done;
  // Of whoever keeps the open calls: all requests are done, and it is to call `done`.
  std::function<void(const Call&)> ended;

  size_t unanswered = 0;  // requests not done
  absl::Status error;     // the first one
};

// The bytes of a body that are made here, behind room for the frame header.
std::vector<std::byte> HeadWithRoom(std::span<const std::byte> body_begin);

// Completes head and padding: the frame is ready to be sent, any number of times.
// REQUIRES: the body is below 4 GiB.
void SealFrame(Request* request, uint64_t id);

// Marks one request as done; calls `ended` after the last. The first error is the call's.
void FinishRequest(Call* call, Request* request, absl::Status result);

}  // namespace rowhouse

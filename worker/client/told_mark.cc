#include "worker/client/told_mark.h"

#include <cstring>

#include "common/wire/archive.h"
#include "common/wire/checkpoint.h"
#include "common/wire/data.h"

namespace rowhouse {
namespace {

template <typename Header>
Mark InHeader(std::span<const std::byte> body) {
  Header header;
  if (body.size() < sizeof(header)) return Mark(0);
  std::memcpy(static_cast<void*>(&header), body.data(), sizeof(header));
  return header.mark;
}

template <typename Message>
Mark InControl(std::span<const std::byte> body) {
  const auto message = DecodeControl<Message>(body);
  return message.ok() ? message->mark : Mark(0);
}

}  // namespace

Mark ToldMark(Op request_op, std::span<const std::byte> answer_body) {
  switch (request_op) {
    case Op::kPull:
      return InHeader<PullAnswerHeader>(answer_body);
    case Op::kPush:
      return InHeader<PushAnswer>(answer_body);
    case Op::kRenewClient:
      return InControl<RenewClientAnswer>(answer_body);
    case Op::kCloseMark:
    case Op::kLeaveClient:
    case Op::kAnnounceMark:
    case Op::kPrepareCheckpoint:
    case Op::kAbandonCheckpoint:
    case Op::kPublishCheckpoint:
      return InControl<Done>(answer_body);
    default:
      return Mark(0);
  }
}

}  // namespace rowhouse

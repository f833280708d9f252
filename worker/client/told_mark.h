// The checkpoint mark that a shard's answer tells.
//
// Threading: a free function, no state.
#pragma once

#include <cstddef>
#include <span>

#include "common/types.h"
#include "common/wire/frame.h"

namespace rowhouse {

// 0 where the operation's answer tells none. REQUIRES: the body was accepted.
Mark ToldMark(Op request_op, std::span<const std::byte> answer_body);

}  // namespace rowhouse

// Statuses with a place in front of their message.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace rowhouse {

// "<where>: <message>", with the same code and refusal reason. OK stays OK.
absl::Status At(std::string_view where, const absl::Status& status);

}  // namespace rowhouse

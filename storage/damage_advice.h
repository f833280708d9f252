// What every message about damaged files ends with.
#pragma once

#include <string_view>

namespace rowhouse {

inline constexpr std::string_view kDamageAdvice =
    "Run 'rowhousectl verify' on the data directory to see what is damaged, restore it from a "
    "checkpoint or backup (docs/operations.md says how), and check the disk";

}  // namespace rowhouse

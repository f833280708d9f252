// Which gradients a server takes: finite ones within +-kGradientAbsMax.
//
// Threading: free functions, no state. Cost: vector code, one pass.
#pragma once

#include <cstddef>
#include <span>

namespace rowhouse {

// The position of the first that is not within bounds; the size where all are.
size_t FirstUnfitGradient(std::span<const float> gradients);

}  // namespace rowhouse

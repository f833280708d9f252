// Which gradients a server takes: finite ones within +-kGradientAbsMax.
//
// Threading: free functions, no state. Cost: vector code, one pass.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace rowhouse {

// The position of the first that is not within bounds; the size where all are.
size_t FirstUnfitGradient(std::span<const float> gradients);

// Whether any is not within bounds.
using AnyUnfitKernel = bool (*)(const float* gradients, size_t count);

// Those that this processor can run, one for each instruction set, the widest last: that is the one
// in use.
std::vector<AnyUnfitKernel> SupportedAnyUnfitKernels();

}  // namespace rowhouse

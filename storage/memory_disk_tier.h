// The disk tier in memory: for simulation, and for tests under tsan.
//
// Threading: as DiskTier.
#pragma once

#include <memory>

#include "storage/disk_tier.h"

namespace rowhouse {

std::unique_ptr<DiskTier> MakeMemoryDiskTier();

}  // namespace rowhouse

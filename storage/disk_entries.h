// What every disk tier asks of the entries that it is given, checked before anything is written.
#pragma once

#include <span>

#include "absl/status/status.h"
#include "storage/disk_tier.h"

namespace rowhouse {

// InvalidArgument, naming the position, unless there are entries, sorted by key, unique and with
// keys that are not empty.
absl::Status CheckDiskEntries(std::span<const DiskEntryView> entries);

}  // namespace rowhouse

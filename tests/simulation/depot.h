// Where the checkpoints of a run are kept.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/checkpoint_manifest.h"
#include "common/types.h"
#include "storage/disk_tier.h"

namespace rowhouse {

// What one shard put there: its image, and its log from the image's watermark on.
struct PublishedShard {
  std::vector<DiskEntry> entries;
  std::map<std::string, std::vector<std::byte>> segments;
};

// One that has its manifest.
struct MadeCheckpoint {
  Mark mark;
  std::vector<Lsn> cuts;  // [shards]
  std::vector<HalfStep> half_steps;
  std::vector<PublishedShard> shards;
};

struct Depot {
  std::map<uint64_t, std::map<ShardId, PublishedShard>> attempts;
  std::vector<MadeCheckpoint> made;
};

}  // namespace rowhouse

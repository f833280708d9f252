// The sections of a call, shard by shard.
//
// Threading: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "common/types.h"
#include "common/wire/data.h"
#include "worker/client.h"
#include "worker/client/shard_split.h"

namespace rowhouse {

// Keys of part `part` that live on one shard.
struct SectionRef {
  uint32_t part = 0;
  const ShardKeys* keys = nullptr;
};

// Every shard that any of the splits touches, with its sections in order of parts.
// The references point into `splits`.
std::map<ShardId, std::vector<SectionRef>> GroupSections(std::span<const KeySplit> splits);

SectionHeader MakeSectionHeader(const Table& table, uint64_t row_count);

// Room for a frame header, then `header`, then the sections' headers.
std::vector<std::byte> MakeRequestHead(std::span<const std::byte> header,
                                       std::span<const SectionHeader> sections);

}  // namespace rowhouse
